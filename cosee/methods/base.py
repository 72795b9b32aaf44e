"""What a method is: a model, an objective, perhaps stages."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from cosee.data.batches import Batch, DeviceSplit
from cosee.models.heads import LinearExits
from cosee.models.loading import load_backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.schedule import Schedule, Stage
from cosee.seeds import torch_generator


class Objective(ABC):
    """What is minimised in one training run; it may carry state from step to step."""

    @abstractmethod
    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss (scalar) of a batch, and scalars for the history, among them `mean_ce`; nothing waits for the device.

        `mean_ce` is the plain mean of the cross-entropies of all exits, by which objectives can be compared. `step` is
        the optimizer step of the run, from 0.
        """

    def begin_stage(self, stage: int, model: MultiExitModel, fit: DeviceSplit) -> None:  # noqa: B027 (most objectives need none)
        """Called before the first step of every stage, not when a run goes on in its midst."""

    def end_epoch(self) -> None:  # noqa: B027 (most objectives need none)
        """Called after the last step of every epoch."""

    def state(self) -> dict[str, Tensor]:
        """State to be saved, by name."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:  # noqa: B027 (most objectives need none)
        """Take back what `state` gave."""


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
        seed: of the heads; with one seed every method starts from the same heads.
    """
    backbone = load_backbone(folder)
    num_exits = backbone.num_layers
    heads = LinearExits(num_exits, backbone.hidden_size, num_classes, dropout, torch_generator(seed, "heads"))
    return MultiExitModel(backbone, heads, range(1, num_exits + 1))
