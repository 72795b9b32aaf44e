"""What a method is: a model, an objective, perhaps stages."""

from abc import ABC, abstractmethod

import torch

from cosee.models.backbones import Backbone
from cosee.models.heads import LinearExits
from cosee.models.multi_exit import MultiExitModel
from cosee.models.randomness import torch_generator
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule, Stage


class Method(ABC):
    """A training method; subclasses are frozen dataclasses of its hyper-parameters."""

    @abstractmethod
    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A model on a backbone, which becomes part of it, with fresh exits.

        Args:
            backbone: as `cosee.models.loading` gives it: `backbone_of_run` for pretrained weights (and a fresh pooler,
                if that is the backbone's policy), `empty_backbone` where a run's weights are to be loaded.
            num_classes: C.
            seed: from which the new weights are drawn.
        """

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


def linear_exits_model(backbone: Backbone, num_classes: int, dropout: float, seed: int) -> MultiExitModel:
    """A backbone with a linear head after every layer, on its shared pooler: what most methods train.

    Args:
        backbone: becomes part of the model.
        num_classes: C.
        dropout: on the pooled state before each head.
        seed: of the heads; with one seed every method starts from the same heads.
    """
    heads = LinearExits(backbone.num_layers, backbone.hidden_size, num_classes, dropout, torch_generator(seed, "heads"))
    return MultiExitModel(backbone, heads)
