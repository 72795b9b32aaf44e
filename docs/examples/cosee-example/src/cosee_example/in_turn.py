"""A method: in every step the last exit learns, and one in `period` of the others."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cosee.data.batches import Batch
from cosee.losses.per_exit import exit_cross_entropies
from cosee.methods.base import Method, linear_exits_model
from cosee.models.backbones import Backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.ranges import FractionBelowOne, IntAboveOne
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule


@dataclass(frozen=True)
class InTurn(Method):
    """Exits that learn alone in turn.

    Attributes:
        period: number of exits from one that learns to the next.
        dropout: on the pooled state before each head.
    """

    period: IntAboveOne = 2
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A linear head after every layer of the backbone."""
        return linear_exits_model(backbone, num_classes, self.dropout, seed)

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "InTurnObjective":
        """The cross-entropy of those whose turn it is."""
        return InTurnObjective(self.period)

    def exit_rule(self) -> str:
        """The rule of `cosee_example.margin`."""
        return "margin"


class InTurnObjective(Objective):
    """Mean cross-entropy of the exits m with m = step (mod period), plus that of the last."""

    def __init__(self, period: int) -> None:
        """Remember the period."""
        self.period = period

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch, and what the history shows of it."""
        means = exit_cross_entropies(model(batch), batch.labels).mean(dim=0)
        loss = means[:-1][step % self.period :: self.period].mean() + means[-1]
        return loss, {"mean_ce": means.mean()}
