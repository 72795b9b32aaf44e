"""PALBERT (Balagansky & Gavrilov 2022): PonderNet with a deeper halting head on two layers, and a deterministic rule.

One classifier and one halting head serve all layers. The head is an MLP on the concatenated pooled states of this layer
and of the one before (zeros before the first). The exit rule "quantile" (Q-exit) takes the first exit at which the
probability of having halted exceeds q: the paper and its code have q = 0.5, here q is the swept threshold.

The released code differs from the paper's definition in two ways that are settings here, `kl="code"` and
`last_takes_rest=False`. A third is not reproduced: once 0.95 of the probability is used, the following p_m are
0.05 / M. It has a constant learning rate, no dropout within the encoder, and by default beta = 0.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from cosee.methods.base import Method
from cosee.methods.pondernet import ExpectedLoss, PonderExits, halting_head
from cosee.models.backbones import Backbone
from cosee.models.heads import Outputs
from cosee.models.multi_exit import MultiExitModel
from cosee.models.randomness import torch_generator
from cosee.ranges import FractionBelowOne, NonNegativeFloat, NonNegativeInt, OpenFraction
from cosee.training.schedule import Schedule


@dataclass(frozen=True)
class Palbert(Method):
    """Hyper-parameters of PALBERT.

    Attributes:
        beta: weight of the divergence from the prior.
        lambda_p: parameter of the geometric prior, truncated to the M exits of the model.
        kl: "paper" is KL(p || prior), "code" is KL(prior || p), as in the released code.
        last_takes_rest: whether the last exit takes the remaining probability; in the released code no exit does, so
            that p sums to less than 1.
        hidden_layers: of the halting head, each of width 2H.
        dropout: on the pooled state before both heads.
    """

    beta: NonNegativeFloat = 0.5
    lambda_p: OpenFraction = 0.1
    kl: Literal["paper", "code"] = "paper"
    last_takes_rest: bool = True
    hidden_layers: NonNegativeInt = 3
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A backbone with one classifier and one halting MLP for all layers."""
        halting = halting_head(2 * backbone.hidden_size, self.hidden_layers, torch_generator(seed, "halting"))
        exits = PalbertExits(backbone, num_classes, self.dropout, halting, torch_generator(seed, "heads"))
        return MultiExitModel(backbone, exits)

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> ExpectedLoss:
        """Expected cross-entropy plus the divergence between the halting distribution and the prior."""
        return ExpectedLoss(self.beta, self.lambda_p, self.kl, self.last_takes_rest)

    def learns_scores(self) -> bool:
        """Halting probabilities."""
        return True

    def exit_rule(self) -> str:
        """Exit at a quantile of the halting distribution."""
        return "quantile"


class PalbertExits(PonderExits):
    """PonderNet's exits with a halting head that also reads the pooled state of the previous exit."""

    lookback = True

    def forward(self, states: Tensor, backbone: Backbone) -> Outputs:
        """Logits and lambdas of all exits."""
        pooled = self.dropout(backbone.pool(states))
        before = F.pad(pooled[:, :-1], (0, 0, 1, 0))
        return self.outputs(pooled, torch.cat([pooled, before], dim=-1))

    def forward_exit(
        self, index: int, state: Tensor, backbone: Backbone, carry: Tensor | None
    ) -> tuple[Outputs, Tensor]:
        """Logits and lambda of one exit; the carry is its pooled state [B, H]."""
        pooled = self.dropout(backbone.pool(state))
        before = torch.zeros_like(pooled) if carry is None else carry
        return self.outputs(pooled, torch.cat([pooled, before], dim=-1)), pooled
