"""BERxiT (Xin et al. 2021): steps alternate between the last exit and all exits; exits may estimate their uncertainty.

With `lte` ("learning to exit") a model uses the exit rule "uncertainty", without it a signal of its logits (entropy in
the released code). With an estimator that code alternates differently: its odd steps omit the cross-entropy of the last
exit. Here they do not; `lte` only adds its own term.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cosee.data.batches import Batch
from cosee.losses.per_exit import exit_cross_entropies
from cosee.methods.base import Method
from cosee.models.backbones import Backbone
from cosee.models.heads import Outputs, PooledExits, fresh_heads, linear_flops
from cosee.models.multi_exit import MultiExitModel
from cosee.models.randomness import torch_generator
from cosee.ranges import FractionBelowOne
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule


@dataclass(frozen=True)
class Berxit(Method):
    """Exits with poolers of their own, trained in one stage by an alternating objective.

    Attributes:
        lte: whether to learn the uncertainty too: required for regression in the paper, optional for classification.
        dropout: on the pooled state before each head.
    """

    lte: bool = False
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A backbone with an exit after every layer, and with `lte` the estimator."""
        heads = backbone, num_classes, self.dropout, torch_generator(seed, "heads")
        exits = EstimatingExits(*heads, torch_generator(seed, "lte")) if self.lte else PooledExits(*heads)
        return MultiExitModel(backbone, exits)

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "AlternatingCrossEntropy":
        """The alternating objective, with the estimator's term if the model has one."""
        return AlternatingCrossEntropy()

    def learns_scores(self) -> bool:
        """The estimated probabilities of a wrong prediction."""
        return self.lte

    def exit_rule(self) -> str:
        """Exit at a low learned uncertainty; without an estimator, at low entropy."""
        return "uncertainty" if self.lte else "entropy"


class EstimatingExits(PooledExits):
    """Exits that also estimate the probability of being wrong: a linear layer H -> 1 and a sigmoid, shared by all."""

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        dropout: float,
        generator: torch.Generator,
        estimator_generator: torch.Generator,
    ) -> None:
        """Draw heads and estimator with separate generators, so that the heads equal those of other methods."""
        super().__init__(backbone, num_classes, dropout, generator)
        self.lte_weight = nn.Parameter(fresh_heads(1, 1, backbone.hidden_size, estimator_generator)[0])
        self.lte_bias = nn.Parameter(torch.zeros(1))

    def uncertainty(self, pooled: Tensor) -> Tensor:
        """Estimated probability of a wrong prediction [...], in float32, of pooled states [..., H]."""
        return F.linear(pooled, self.lte_weight, self.lte_bias).squeeze(-1).float().sigmoid()

    def forward(self, states: Tensor, backbone: Backbone) -> Outputs:
        """Logits and uncertainties of all exits."""
        pooled = self.pool(states, backbone)
        return Outputs(self.classify(pooled), self.uncertainty(pooled))

    def forward_exit(self, index: int, state: Tensor, backbone: Backbone, carry: Tensor | None) -> tuple[Outputs, None]:
        """Logits and uncertainty of one exit."""
        pooled = self.pool_at(index, state, backbone)
        return Outputs(self.classify_at(index, pooled), self.uncertainty(pooled)), None

    def flops(self, index: int, backbone: Backbone) -> float:
        """A pooler, a head and the estimator."""
        return super().flops(index, backbone) + linear_flops(self.lte_weight.shape[-1], 1)


class AlternatingCrossEntropy(Objective):
    """Cross-entropy of the last exit in even steps (from 0), the plain sum over all exits in odd ones; stateless.

    If the exits estimate their uncertainty, every step adds its mean squared error over examples and exits; the target
    is 1 where an exit is wrong, else 0. This gradient also flows into poolers and backbone. The gradient of the
    internal heads is zero in even steps, not None: as in the released code, Adam's momentum still moves them.
    """

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch."""
        logits, uncertainty = model.outputs(batch)
        means = exit_cross_entropies(logits, batch.labels).mean(dim=0)
        loss = loss_ce = means[-1] if step % 2 == 0 else means.sum()
        parts = {"loss_ce": loss_ce, "final_ce": means[-1], "mean_ce": means.mean()}
        if uncertainty is not None:
            wrong = logits.argmax(dim=-1) != batch.labels[:, None]
            parts["loss_lte"] = F.mse_loss(uncertainty, wrong.float())
            loss = loss_ce + parts["loss_lte"]
        return loss, parts
