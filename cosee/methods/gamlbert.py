"""After GAML-BERT (Zhu et al. 2021): exits learn from each other, unless that conflicts with the labels.

Every exit learns from the labels (cross-entropy, CE) and from the predictions of all other exits (knowledge
distillation, KD). The component of the KD gradient that points against the CE gradient is removed. At inference,
PABEE's patience rule decides when to exit.

The paper has no released code, and details that it does not specify are chosen here, so this is GAML-BERT-*style*: CE
is the plain mean over exits, KD the mean over all M² pairs of exits (the M pairs of an exit with itself are 0),
teachers are constants, the temperature is the usual one of self-distilled exits, and alignment is the projection of
`align`, one parameter tensor at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from cosee.data.batches import Batch
from cosee.losses.per_exit import exit_cross_entropies, mutual_distillation
from cosee.methods.base import Method, linear_exits_model
from cosee.models.backbones import Backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.ranges import FractionBelowOne, NonNegativeFloat, PositiveFloat
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule


@dataclass(frozen=True)
class GamlBert(Method):
    """A linear head after every layer, on the shared pooler.

    Attributes:
        distillation: weight of KD relative to CE.
        temperature: T, which softens predictions in the distillation loss.
        dropout: on the pooled state before each head.
    """

    distillation: NonNegativeFloat = 1.0
    temperature: PositiveFloat = 3.0
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A backbone with a linear head after every layer."""
        return linear_exits_model(backbone, num_classes, self.dropout, seed)

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "AlignedMutualLearning":
        """CE and aligned KD."""
        return AlignedMutualLearning(self)

    def exit_rule(self) -> str:
        """PABEE's patience rule."""
        return "patience"


def align(gradient: Tensor, reference: Tensor) -> Tensor:
    """A gradient without its component against a reference of the same shape.

    g - min(0, <g, u>) u with u = r / |r|: PCGrad's projection (Yu et al. 2020), applied to only one of the two.
    """
    direction = F.normalize(reference.flatten(), dim=0).view_as(reference)  # 0 where the reference vanishes
    return gradient - (gradient * direction).sum().clamp(max=0) * direction


class WithGradient(torch.autograd.Function):
    """A loss with a given value (scalar) and given gradients with respect to the parameters.

    `WithGradient.apply(value, gradients, *parameters)`: a value without a history, a gradient per parameter.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: Sequence[Tensor], *parameters: Tensor) -> Tensor:
        """The value."""
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients, times that of the loss."""
        return None, None, *(upstream * gradient for gradient in ctx.gradients)


class AlignedMutualLearning(Objective):
    """CE + distillation * KD, where the gradient of KD is aligned with that of CE; stateless.

    Aligned one parameter tensor at a time rather than over the whole model: AdamW rescales every tensor by its own
    factor, which preserves an agreement within each tensor but not one that holds only for their sum.
    """

    def __init__(self, method: GamlBert) -> None:
        """Set the hyper-parameters."""
        self.method = method

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch; `conflicts` is the share of parameter tensors in which the two gradients disagree."""
        logits = model(batch)
        loss_ce = exit_cross_entropies(logits, batch.labels).mean()
        loss_kd = mutual_distillation(logits, self.method.temperature).mean()

        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        towards_labels = torch.autograd.grad(loss_ce, parameters, retain_graph=True)
        towards_exits = torch.autograd.grad(loss_kd, parameters)
        pairs = list(zip(towards_labels, towards_exits, strict=True))
        gradients = [ce + self.method.distillation * align(kd, ce) for ce, kd in pairs]
        loss = WithGradient.apply((loss_ce + self.method.distillation * loss_kd).detach(), gradients, *parameters)

        conflicts = torch.stack([(ce * kd).sum() < 0 for ce, kd in pairs]).float().mean()
        parts = {"loss_ce": loss_ce, "loss_kd": loss_kd, "conflicts": conflicts, "mean_ce": loss_ce}
        return loss, parts
