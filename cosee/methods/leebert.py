"""After LeeBERT (Zhu 2021): exits learn from the labels and from each other, with learned weights of all these losses.

M exits have M^2 losses: the cross-entropy (CE) of every exit, and the distillation (KD) of every exit from every other
one. Their weights solve a bi-level problem: a training step with good weights lowers the CE of held-out examples. At
inference, PABEE's patience rule decides when to exit.

The paper has no released code, and details that it does not specify are chosen here, so this is LeeBERT-*style*:

- The two levels use different examples: a virtual gradient step on one half of the batch is evaluated on the other half
  (first-order bi-level optimization). Batches are sorted by length, so every other example goes to the same half. The
  model itself then learns from the whole batch: with half as many examples as other methods it would be penalized for
  this choice of ours.
- The weights minimize the plain mean CE of all exits. The weighted loss would be unsuitable: its gradient with respect
  to a weight is the loss that it weighs, so all weight would move to the smallest terms.
- The effect of the weights is that of one plain gradient step of the model, to first order in its size: see
  `agreement`. It uses gradients from both halves, our interpretation of "cross-level".
- The weights are one softmax, because only their ratios matter to AdamW; so no weight can grow without bound. At the
  start CE and KD have one half each, spread evenly.
- They have an Adam optimizer of their own, with one step per batch. It looks only one step ahead, and in the long run
  would suppress the exits that learn slowest; so its learning rate limits the total change in a run, whatever the
  number of steps.
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
        reach: approximate limit to the change of the logarithm of a loss weight in a run: the sum of its learning
            rates.
        temperature: T, which softens predictions in the distillation losses.
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
        """PABEE's patience rule."""
        return "patience"


def losses(logits: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """All losses of a batch [M, M]: in row i those of exit i, KD from exit j in column j, CE on the diagonal."""
    distillation = mutual_distillation(logits, temperature).mean(dim=0)
    return distillation + torch.diag(exit_cross_entropies(logits, labels).mean(dim=0))


def starting_scores(num_exits: int) -> Tensor:
    """Initial logarithms of the weights [M, M], up to a constant: CE and KD have one half each, spread evenly."""
    others = max(1, num_exits - 1)
    return torch.full((num_exits, num_exits), -log(others)).fill_diagonal_(0.0)


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Every other example of a batch, and the rest, which is empty for a single example."""
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
    """Agreement of every loss [M, M] on a batch with the mean CE of all exits on held-out examples.

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
    # Parameters are views into one large tensor (`cosee.training.optimizer`), and the tangent of a view has the size of
    # the whole tensor.
    point = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):  # the fused attention kernels have no forward mode
        return jvp(losses_at, (point,), (direction,))[1]


class WeightedMutualLearning(Objective):
    """sum_ij w_ij loss_ij on every batch, after a step of the weights w [M, M] by the agreement of its two halves."""

    def __init__(self, method: LeeBert, schedule: Schedule, device: torch.device) -> None:
        """Set the hyper-parameters; the weights are initialized with the first stage."""
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
        """Loss of a batch; `weight_ce` is the total weight of the CE losses."""
        virtual, held_out = halves(batch)
        if len(held_out):
            gain = (self.weights() * agreement(model, virtual, held_out, self.method.temperature)).sum()
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
        """Restore weights and moments."""
        moments = {name: value.to(self.device) for name, value in state.items()}
        self.scores = nn.Parameter(moments.pop("scores"))
        self.optimizer = torch.optim.Adam([self.scores], lr=self.rate, maximize=True, fused=True)
        self.optimizer.state[self.scores] = moments
