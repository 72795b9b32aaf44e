"""PABEE (Zhou et al. 2020): the cross-entropies of all exits, the deeper the heavier; exits wait for agreement.

Its exit rule "patience" counts agreeing exits. PCEE-BERT (Zhang et al. 2022) and F-PABEE (Gao et al. 2023) train the
same way and are exit rules on the same outputs, see `cosee.exiting.rules`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from cosee.data.batches import Batch
from cosee.losses.per_exit import exit_cross_entropies, weighted_mean
from cosee.methods.base import Method, linear_exits_model
from cosee.models.backbones import Backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.ranges import FractionBelowOne
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule


@dataclass(frozen=True)
class Pabee(Method):
    """A linear head after every layer, on the shared pooler.

    Attributes:
        dropout: on the pooled state before each head.
    """

    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A backbone with a linear head after every layer."""
        return linear_exits_model(backbone, num_classes, self.dropout, seed)

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "DepthWeightedCrossEntropy":
        """The cross-entropy of all exits, weighted by depth."""
        return DepthWeightedCrossEntropy()

    def exit_rule(self) -> str:
        """Exit after P consecutive agreements."""
        return "patience"


class DepthWeightedCrossEntropy(Objective):
    """sum_j j * CE_j / sum_j j over exits j = 1..M; stateless."""

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch."""
        means = exit_cross_entropies(model(batch), batch.labels).mean(dim=0)
        depth = torch.arange(1, len(means) + 1, device=means.device)
        loss = weighted_mean(means, depth)
        return loss, {"loss_ce": loss, "mean_ce": means.mean()}
