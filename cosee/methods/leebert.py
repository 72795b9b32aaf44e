"""After LeeBERT (Zhu 2021): exits learn from the labels and from each other, with learned weights of all these losses.

M exits have M^2 losses: the cross-entropy (CE) of every exit, and the distillation (KD) of every exit from every other
one. Their weights solve a bi-level problem: a training step with good weights lowers the CE of rows that it has not
seen. Exits are left by patience, as in PABEE.

The paper has no released code, and what it leaves open is settled here, so this is LeeBERT-*style*:

- The two levels see different rows. Each batch is cut in two: on every other row a step of the model is imagined, and
  the rest judge it. (Batches are sorted by length; both halves get short and long rows.) The model itself then learns
  from the whole batch: a method that saw half as many rows as the others would pay for our guess, not for its idea.
- What the weights minimize is the plain mean CE of all exits. The weighted loss itself would not do: its gradient by a
  weight is the loss that it weighs, so all weight would flow to whatever term is small already.
- The weights are judged by one plain gradient step of the model, to first order in its size: see `agreement`. It takes
  gradients from both halves, which is how we read "cross-level".
- The weights are one softmax. Only their ratios matter to AdamW, and so no weight can grow without bound. At the start
  CE and KD have one half each, spread evenly.
- They have an Adam of their own, which steps with every batch. It looks one step ahead only, and given enough steps
  would starve the exits that learn slowest; so its learning rate is such that no weight goes far in a run, be it short
  or long.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp
from torch.nn.attention import SDPBackend, sdpa_kernel

from cosee.data.batches import Batch, DeviceSplit
from cosee.losses.per_exit import exit_cross_entropies, mutual_distillation
from cosee.methods.base import Method, linear_exits_model
from cosee.models.backbones import Backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.ranges import FractionBelowOne, NonNegativeFloat, PositiveFloat
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule


@dataclass(frozen=True)
class LeeBert(Method):
    """A linear head after every layer, on the shared pooler.

    Attributes:
        reach: how far the logarithm of a loss weight can move in a run, about: the sum of its learning rates.
        temperature: T, which softens the predictions that exits compare.
        dropout: on the pooled state before each head.
    """

    reach: NonNegativeFloat = 1.0
    temperature: PositiveFloat = 3.0
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A backbone with a linear head after every layer."""
        return linear_exits_model(backbone, num_classes, self.dropout, seed)

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "WeightedMutualLearning":
        """The weighted losses of all exits, and the learning of their weights."""
        return WeightedMutualLearning(self, schedule, device)

    def exit_rule(self) -> str:
        """Leave as PABEE does."""
        return "patience"


def losses(logits: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """All losses of a batch [M, M]: row i is what exit i learns from, exit j in column j and the labels in column i."""
    distillation = mutual_distillation(logits, temperature).mean(dim=0)
    return distillation + torch.diag(exit_cross_entropies(logits, labels).mean(dim=0))


def starting_scores(num_exits: int) -> Tensor:
    """Logarithms of weights [M, M] of which CE and KD have one half each, spread evenly; up to a constant."""
    others = max(1, num_exits - 1)
    return torch.full((num_exits, num_exits), -log(others)).fill_diagonal_(0.0)


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Every other row of a batch, and the rest; of a single row the rest is empty."""
    mask = batch.attention_mask
    return tuple(
        Batch(
            batch.input_ids[begin::2],
            None if mask is None else mask[begin::2],
            batch.token_type_ids[begin::2],
            batch.labels[begin::2],
            batch.rows[begin::2],
        )
        for begin in (0, 1)
    )


def agreement(model: MultiExitModel, batch: Batch, held_out: Batch, temperature: float) -> Tensor:
    """How well every loss [M, M] on a batch agrees with the mean CE of all exits on held-out rows.

    <grad CE(held out), grad loss_k(batch)>: a gradient step of size eta on sum_k w_k loss_k changes the held-out CE by
    -eta sum_k w_k <grad CE, grad loss_k>, to first order in eta. All M^2 products are one derivative of the losses in
    the direction of the held-out gradient, in forward mode.
    """
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    cross_entropy = exit_cross_entropies(model(held_out), held_out.labels).mean()
    gradients = torch.autograd.grad(cross_entropy, list(parameters.values()))

    def losses_at(point: dict[str, Tensor]) -> Tensor:
        return losses(functional_call(model, point, (batch,)), batch.labels, temperature)

    direction = dict(zip(parameters, gradients, strict=True))
    # Parameters are views into one tensor here (`cosee.training.optimizer`), and the tangent of a view is as large as
    # all of it.
    point = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):  # the fused attention kernels have no forward mode
        return jvp(losses_at, (point,), (direction,))[1]


class WeightedMutualLearning(Objective):
    """sum_ij w_ij loss_ij on every batch, after a step of the weights w [M, M] that sets one half against the other."""

    def __init__(self, method: LeeBert, schedule: Schedule, device: torch.device) -> None:
        """Take the hyper-parameters; the weights begin with the first stage."""
        self.method = method
        self.rate = method.reach / (schedule.batches_per_epoch * schedule.epochs)
        self.device = device

    def begin_stage(self, stage: int, model: MultiExitModel, fit: DeviceSplit) -> None:
        """Start with even weights."""
        self.restore({"scores": starting_scores(model.num_exits)})

    def weights(self) -> Tensor:
        """Weights of all losses [M, M]; they add up to 1."""
        return self.scores.flatten().softmax(dim=0).view_as(self.scores)

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch; `weight_ce` is the weight of all CE together."""
        imagined, held_out = halves(batch)
        if len(held_out):
            gain = (self.weights() * agreement(model, imagined, held_out, self.method.temperature)).sum()
            self.scores.grad = torch.autograd.grad(gain, self.scores)[0]
            self.optimizer.step()

        values, weights = losses(model(batch), batch.labels, self.method.temperature), self.weights().detach()
        weighted = weights * values
        loss_ce = weighted.trace()
        parts = {
            "loss_ce": loss_ce,
            "loss_kd": weighted.sum() - loss_ce,
            "weight_ce": weights.trace(),
            "mean_ce": values.diag().mean(),
        }
        return weighted.sum(), parts

    def state(self) -> dict[str, Tensor]:
        """The weights' logarithms and the moments of their optimizer."""
        return {"scores": self.scores, **self.optimizer.state[self.scores]}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take them back."""
        moments = {name: value.to(self.device) for name, value in state.items()}
        self.scores = nn.Parameter(moments.pop("scores"))
        self.optimizer = torch.optim.Adam([self.scores], lr=self.rate, maximize=True, fused=True)
        self.optimizer.state[self.scores] = moments
