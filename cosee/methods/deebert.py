"""DeeBERT (Xin et al. 2020): fine-tune the encoder first, then the internal exits on the frozen encoder.

The exit rule is low entropy. The released code measures it in nats, while the signal "entropy" is divided by log C: the
same exits at scaled thresholds. That code also gives the last layer a second, internal head, which is never trained but
evaluated at inference; here the last exit is only the fine-tuned classifier, as in the paper.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from cosee.data.batches import Batch
from cosee.losses.per_exit import exit_cross_entropies
from cosee.methods.base import Method
from cosee.models.backbones import Backbone
from cosee.models.heads import PooledExits, SplitExits
from cosee.models.multi_exit import MultiExitModel
from cosee.models.randomness import torch_generator
from cosee.ranges import FractionBelowOne, OpenFraction
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule, Stage

_EXITS = {"own": PooledExits, "shared": SplitExits}


@dataclass(frozen=True)
class Deebert(Method):
    """Two stages; the second trains only the internal exits.

    Attributes:
        first_share: share of the run's steps for the first stage; the released code trains both equally long.
        pooler: "own" copies the backbone's pooler for every internal exit, as the released code does; "shared" uses the
            one fine-tuned in the first stage, as some later reproductions do.
        dropout: on the pooled state before each head.
    """

    first_share: OpenFraction = 0.5
    pooler: Literal["own", "shared"] = "own"
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A backbone with an exit after every layer."""
        exits = _EXITS[self.pooler](backbone, num_classes, self.dropout, torch_generator(seed, "heads"))
        return MultiExitModel(backbone, exits)

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "LastThenInternal":
        """The cross-entropy of the last exit, then the sum of those of the internal ones."""
        return LastThenInternal(schedule, torch.sum)

    def stages(self) -> tuple[Stage, Stage]:
        """Everything but the internal exits, then only these."""
        return (
            Stage(self.first_share, trains=lambda name: not is_internal(name)),
            Stage(1 - self.first_share, trains=is_internal),
        )

    def exit_rule(self) -> str:
        """Exit at low entropy."""
        return "entropy"


def is_internal(name: str) -> bool:
    """Whether the parameter of this name belongs to an internal exit."""
    return name.startswith("exits.internal_")


class LastThenInternal(Objective):
    """Cross-entropy of the last exit in the first stage, those of the internal exits in the second; stateless.

    Dropout stays on in the frozen backbone, as in the released code.
    """

    def __init__(self, schedule: Schedule, combine: Callable[[Tensor], Tensor]) -> None:
        """Set the schedule, which gives the stage of every step, and the loss of the second stage.

        Args:
            schedule: of the run.
            combine: cross-entropies of the internal exits [M-1] -> the loss of the second stage, a scalar.
        """
        self.schedule = schedule
        self.combine = combine

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch."""
        means = exit_cross_entropies(model(batch), batch.labels).mean(dim=0)
        loss = means[-1] if self.schedule.stage(step) == 0 else self.combine(means[:-1])
        return loss, {"loss_ce": loss, "mean_ce": means.mean()}
