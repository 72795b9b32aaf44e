"""PonderNet (Banino et al. 2021) on an encoder: the exit is a random variable whose distribution is learned.

The loss is the expected cross-entropy under that distribution plus its divergence from a geometric prior. PonderNet was
published for recurrent networks; on encoders it is the baseline of PALBERT (Balagansky & Gavrilov 2022), whose heads
and hyper-parameters are the defaults here. PALBERT's released code has another divergence and another last exit, also
for this baseline: see `cosee.methods.palbert`.

The exit rule "sampled" draws the exit from the learned distribution; it has no threshold, the prior sets the speed.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cosee.data.batches import Batch
from cosee.losses.halting import kl_divergence, log_geometric_prior, log_halting_distribution
from cosee.losses.per_exit import exit_cross_entropies
from cosee.methods.base import Method
from cosee.models.backbones import Backbone
from cosee.models.heads import Exits, Outputs, fresh_heads, linear_flops
from cosee.models.multi_exit import MultiExitModel
from cosee.models.randomness import torch_generator
from cosee.ranges import FractionBelowOne, NonNegativeFloat, OpenFraction
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule


@dataclass(frozen=True)
class PonderNet(Method):
    """Hyper-parameters of PonderNet, in the paper's symbols.

    Attributes:
        beta: weight of the divergence from the prior.
        lambda_p: parameter of the geometric prior, truncated to the M exits of the model: the larger, the earlier the
            exits. The mean exit under the prior is (1 - (1 - lambda_p)^M) / lambda_p.
        dropout: on the pooled state before both heads.
    """

    beta: NonNegativeFloat = 0.5
    lambda_p: OpenFraction = 0.1
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A backbone with one linear classifier and one linear halting head for all layers."""
        halting = halting_head(backbone.hidden_size, 0, torch_generator(seed, "halting"))
        exits = PonderExits(backbone, num_classes, self.dropout, halting, torch_generator(seed, "heads"))
        return MultiExitModel(backbone, exits)

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "ExpectedLoss":
        """Expected cross-entropy plus KL(p || prior); the last exit takes the remaining probability."""
        return ExpectedLoss(self.beta, self.lambda_p, kl="paper", last_takes_rest=True)

    def learns_scores(self) -> bool:
        """Halting probabilities."""
        return True

    def exit_rule(self) -> str:
        """Take an exit drawn from the halting distribution."""
        return "sampled"


def halting_head(inputs: int, hidden_layers: int, generator: torch.Generator) -> nn.Sequential:
    """Linear layers, each as wide as its input and followed by tanh, then one to the logit of lambda.

    Weights and biases are uniform within 1 / sqrt(inputs): PyTorch's default, also used by PALBERT's released code.
    """
    layers: list[nn.Module] = []
    for _ in range(hidden_layers):
        layers += [nn.utils.skip_init(nn.Linear, inputs, inputs), nn.Tanh()]
    head = nn.Sequential(*layers, nn.utils.skip_init(nn.Linear, inputs, 1))
    for parameter in head.parameters():
        nn.init.uniform_(parameter, -(inputs**-0.5), inputs**-0.5, generator)
    return head


class PonderExits(Exits):
    """One linear classifier and one halting head, the same for all exits, on the shared pooler.

    The learned scores are lambda_m, the probability of halting at an exit given no halt before it.
    """

    def __init__(
        self, backbone: Backbone, num_classes: int, dropout: float, halting: nn.Sequential, generator: torch.Generator
    ) -> None:
        """An exit after every layer of `backbone`; the classifier is drawn with `generator`."""
        super().__init__(backbone.num_layers, num_classes)
        self.weight = nn.Parameter(fresh_heads(1, num_classes, backbone.hidden_size, generator)[0])
        self.bias = nn.Parameter(torch.zeros(num_classes))
        self.halting = halting
        self.dropout = nn.Dropout(dropout)

    def outputs(self, pooled: Tensor, halting_input: Tensor) -> Outputs:
        """Logits [..., C] and lambdas [...] of pooled states [..., H] and of the halting head's input."""
        lambdas = self.halting(halting_input)[..., 0].float().sigmoid()  # near 0 and 1 bf16 has too few digits
        return Outputs(F.linear(pooled, self.weight, self.bias), lambdas)

    def forward(self, states: Tensor, backbone: Backbone) -> Outputs:
        """Logits and lambdas of all exits."""
        pooled = self.dropout(backbone.pool(states))
        return self.outputs(pooled, pooled)

    def forward_exit(
        self, index: int, state: Tensor, backbone: Backbone, carry: Tensor | None
    ) -> tuple[Outputs, Tensor | None]:
        """Logits and lambda of one exit."""
        return self.forward(state, backbone), None

    def flops(self, index: int, backbone: Backbone) -> float:
        """The pooler, the classifier and the halting head."""
        num_classes, hidden = self.weight.shape
        linears = [layer for layer in self.halting if isinstance(layer, nn.Linear)]
        halting = sum(linear_flops(layer.in_features, layer.out_features) for layer in linears)
        return backbone.pool_flops() + linear_flops(hidden, num_classes) + halting


class ExpectedLoss(Objective):
    """sum_m p_m CE_m + beta * KL, p being the halting distribution of an example; means over examples. Stateless.

    Attributes:
        beta: weight of the divergence.
        lambda_p: parameter of the geometric prior.
        kl: "paper" is KL(p || prior), "code" is KL(prior || p).
        last_takes_rest: whether the last exit takes the remaining probability.
    """

    def __init__(self, beta: float, lambda_p: float, kl: Literal["paper", "code"], last_takes_rest: bool) -> None:
        """See the attributes."""
        self.beta, self.lambda_p, self.kl, self.last_takes_rest = beta, lambda_p, kl, last_takes_rest

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch; the parts include the mean exit (1-based) and the total mass of p."""
        logits, lambdas = model.outputs(batch)
        cross_entropy = exit_cross_entropies(logits, batch.labels)
        log_p = log_halting_distribution(lambdas, self.last_takes_rest)
        log_prior = log_geometric_prior(self.lambda_p, lambdas)
        pair = (log_p, log_prior) if self.kl == "paper" else (log_prior, log_p)
        p = log_p.exp()
        loss_ce, loss_kl = (p * cross_entropy).sum(dim=1).mean(), kl_divergence(*pair).mean()
        depth = torch.arange(1, p.shape[1] + 1, device=p.device)
        parts = {
            "loss_ce": loss_ce,
            "loss_kl": loss_kl,
            "mean_ce": cross_entropy.mean(),
            "mean_exit": (p * depth).sum(dim=1).mean(),
            "mass": p.sum(dim=1).mean(),
        }
        return loss_ce + self.beta * loss_kl, parts
