"""What a method is: a model, an objective, perhaps stages."""

from abc import ABC, abstractmethod

import torch

from cosee.models.heads import LinearExits
from cosee.models.loading import backbone_of_run
from cosee.models.multi_exit import MultiExitModel
from cosee.seeds import torch_generator
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule, Stage


class Method(ABC):
    """A training method; subclasses are frozen dataclasses of its hyper-parameters."""

    @abstractmethod
    def build(self, folder: str, num_classes: int, seed: int) -> MultiExitModel:
        """A fresh model on the pretrained backbone in `folder`, its new weights drawn from `seed`."""

    @abstractmethod
    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> Objective:
        """The objective of one training run."""

    def stages(self) -> tuple[Stage, ...]:
        """The parts of a run; one, in which everything is trained, unless the method says otherwise."""
        return (Stage(),)

    def learns_scores(self) -> bool:
        """Whether the exits learn a score of their own beside the logits, which exit rules may read."""
        return False

    def exit_rule(self) -> str:
        """Name of the exit rule that the method's paper leaves by; the command line takes it unless told otherwise."""
        return "energy"


def linear_exits_model(folder: str, num_classes: int, dropout: float, seed: int) -> MultiExitModel:
    """A pretrained backbone with a linear head after every layer, on its shared pooler: what most methods train.

    Args:
        folder: encoder folder.
        num_classes: C.
        dropout: on the pooled state before each head.
        seed: of the heads and a fresh pooler; with one seed every method starts from the same.
    """
    backbone = backbone_of_run(folder, seed)
    num_exits = backbone.num_layers
    heads = LinearExits(num_exits, backbone.hidden_size, num_classes, dropout, torch_generator(seed, "heads"))
    return MultiExitModel(backbone, heads, range(1, num_exits + 1))
