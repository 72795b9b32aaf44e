"""A method in one file: exits that learn alone in turn, and leave where their two best classes lie far apart.

Copied to `cosee/methods/margin.py` and registered in `cosee.methods.METHODS` by the line

    "margin": "cosee.methods.margin:Margin",

it is the method `margin` with the exit rule `margin` of every configuration:

    variants:
      margin: { label: Margin, method: margin, rule: margin, fixed: { period: 2 } }
"""

from dataclasses import dataclass

import torch
from array_api_compat import array_namespace
from torch import Tensor

from cosee.data.batches import Batch
from cosee.exiting.rules import Rule
from cosee.exiting.signals import Array, log_softmax
from cosee.losses.per_exit import exit_cross_entropies
from cosee.methods.base import Method, linear_exits_model
from cosee.models.backbones import Backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.ranges import FractionBelowOne, IntAboveOne
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule


def margin(logits: Array, scores: Array | None = None) -> Array:
    """Probability of the best class minus that of the second best: logits [N, m, C] -> [N, m]."""
    xp = array_namespace(logits)
    ascending = xp.sort(xp.exp(log_softmax(logits)), axis=-1)
    return ascending[..., -1] - ascending[..., -2]


RULE = Rule("margin", "margin", margin, "smaller", range=lambda num_classes, num_exits: (0.0, 1.0))


@dataclass(frozen=True)
class Margin(Method):
    """In every step the last exit learns, and one in `period` of the others."""

    period: IntAboveOne = 2
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A linear head after every layer of the backbone."""
        return linear_exits_model(backbone, num_classes, self.dropout, seed)

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "InTurn":
        """The cross-entropy of those whose turn it is."""
        return InTurn(self.period)

    def exit_rule(self) -> str:
        """The rule above."""
        return "margin"


class InTurn(Objective):
    """Mean cross-entropy of the exits m with m = step (mod period), and of the last."""

    def __init__(self, period: int) -> None:
        """Remember the period."""
        self.period = period

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch."""
        means = exit_cross_entropies(model(batch), batch.labels).mean(dim=0)
        loss = means[:-1][step % self.period :: self.period].mean() + means[-1]
        return loss, {"mean_ce": means.mean()}
