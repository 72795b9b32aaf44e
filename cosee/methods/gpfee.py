"""GPFEE (Global Past-Future Early Exit, Liao et al. 2021): exits that also read earlier layers and imitate later ones.

Every exit has a state for each of the M layers: the pooled states of layers up to its own and, for later layers,
imitations made from its own state. All exits share one classifier over these M states; a gate weighs past against
future.

This follows the released code, whose gate differs from the paper's description (Wójcik et al. 2023 note it beside
their implementation), with two differences: imitations of layers already computed, which no exit uses, are not made;
and t and T of the unfreezing both count optimizer steps, while the released code counts forward passes in t and so,
with accumulation, finishes early.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cosee.data.batches import Batch
from cosee.losses.per_exit import exit_cross_entropies, weighted_mean
from cosee.methods.base import Method
from cosee.models.backbones import Backbone
from cosee.models.heads import Exits, Outputs, fresh_heads, linear_flops
from cosee.models.multi_exit import MultiExitModel
from cosee.models.poolers import OWN
from cosee.models.randomness import torch_generator
from cosee.ranges import FractionBelowOne, NonNegativeInt
from cosee.seeds import numpy_generator
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule


@dataclass(frozen=True)
class Gpfee(Method):
    """Hyper-parameters of GPFEE.

    Attributes:
        frozen_layers: number of the lowest layers that are unfrozen gradually; the released scripts have 1 for RTE and
            QNLI, 2 for MRPC, SST-2 and QQP, 3 for MNLI.
        pooler: initialization of the exits' own poolers: "random" as in the released code, "copy" of the backbone's.
        dropout: on the states before the classifier, drawn independently for every exit.
    """

    frozen_layers: NonNegativeInt = 2
    pooler: Literal["random", "copy"] = "random"
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A backbone with a past-future exit after every layer."""
        exits = PastFutureExits(
            backbone, num_classes, self, torch_generator(seed, "heads"), torch_generator(seed, "gpfee")
        )
        return MultiExitModel(backbone, exits)

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "PastFutureObjective":
        """Classification and imitation, equally weighted."""
        return PastFutureObjective(self.frozen_layers, schedule, seed)

    def exit_rule(self) -> str:
        """Exit at low entropy."""
        return "entropy"


class PastFutureExits(Exits):
    """M poolers, M-1 imitation layers, and one gated classifier that all exits share.

    With h_j the pooled state of layer j and g_j its imitation by exit m, the logits are
    2 s * sum_{j<=m} (W_j h_j + b_j) + 2 (1 - s) * sum_{j>m} (W_j g_j + b_j), where the share of the past, one for each
    class, is s = sigmoid(V tanh(mean_{j<=m} (G_j h_j + a_j)) + v). An exit trains the layers below it only through its
    own state and its imitations: the states of earlier exits are detached.
    """

    lookback = True

    def __init__(
        self, backbone: Backbone, num_classes: int, method: Gpfee, heads: torch.Generator, generator: torch.Generator
    ) -> None:
        """Draw the classifier W with `heads`, as every method does, and the rest with `generator`; biases are zero.

        Their standard deviation is that of the encoder's initialization, as in the released code: 0.02 for BERT. If the
        backbone has no trained pooler, the poolers are instead drawn at the scale of other methods' poolers.
        """
        super().__init__(backbone.num_layers, num_classes)
        num_exits, hidden = backbone.num_layers, backbone.hidden_size

        def drawn(*shape: int) -> Tensor:
            return torch.empty(shape).normal_(0, backbone.encoder.config.initializer_range, generator=generator)

        self.weight = nn.Parameter(fresh_heads(num_exits, num_classes, hidden, heads))
        self.bias = nn.Parameter(torch.zeros(num_exits, num_classes))
        self.gate_weight = nn.Parameter(drawn(num_exits, num_classes, hidden))
        self.gate_bias = nn.Parameter(torch.zeros(num_exits, num_classes))
        self.share_weight = nn.Parameter(drawn(num_classes, num_classes))
        self.share_bias = nn.Parameter(torch.zeros(num_classes))
        self.imitation_weight = nn.Parameter(drawn(num_exits - 1, hidden, hidden))  # of the layers from the second on
        self.imitation_bias = nn.Parameter(torch.zeros(num_exits - 1, hidden))
        if method.pooler == "copy":
            weight, bias = backbone.copied_poolers(num_exits, generator)
        else:
            weight, bias = drawn(num_exits, hidden, hidden), torch.zeros(num_exits, hidden)
            if backbone.pooler not in OWN:
                weight *= hidden**-0.5 / backbone.encoder.config.initializer_range
        self.pooler_weight, self.pooler_bias = nn.Parameter(weight), nn.Parameter(bias)
        self.dropout = nn.Dropout(method.dropout)

    def pool(self, states: Tensor) -> Tensor:
        """Pooled states [B, M, H] of the poolers' inputs, `Backbone.unpooled` [B, M, H]."""
        return (torch.einsum("bmh,mkh->bmk", states, self.pooler_weight) + self.pooler_bias).tanh()

    def imitate(self, pooled: Tensor) -> Tensor:
        """Imitations of the pooled states of layers 2..M by each exit but the last [B, M-1, M-1, H].

        Only those of layers after the exit (second axis m, third axis j >= m) are used.
        """
        return (torch.einsum("bmh,jkh->bmjk", pooled[:, :-1], self.imitation_weight) + self.imitation_bias).tanh()

    def classify(self, pooled: Tensor, imitated: Tensor) -> Tensor:
        """Logits [B, M, C] of pooled states [B, M, H] and imitations [B, M-1, M-1, H]."""
        past = torch.ones(self.num_exits, self.num_exits, device=pooled.device).tril()[..., None]  # [exit, layer, 1]
        own = torch.eye(self.num_exits, dtype=torch.bool, device=pooled.device)[..., None]
        true = torch.where(own, pooled[:, None], pooled.detach()[:, None])
        ahead = F.pad(imitated, (0, 0, 1, 0, 0, 1))  # zeros for the first layer and for the last exit
        states = self.dropout(torch.where(past.bool(), true, ahead))  # [B, exit, layer, H]
        logits = torch.einsum("bmjh,jch->bmjc", states, self.weight) + self.bias
        gates = torch.einsum("bmjh,jch->bmjc", states, self.gate_weight) + self.gate_bias
        return self.fuse((past * logits).sum(2), (past * gates).sum(2) / past.sum(1), ((1 - past) * logits).sum(2))

    def fuse(self, past: Tensor, gate: Tensor, future: Tensor) -> Tensor:
        """Logits [..., C] of the contributions of past and future and of the mean gate, [..., C] each."""
        share = F.linear(gate.tanh(), self.share_weight, self.share_bias).sigmoid()
        return 2 * share * past + 2 * (1 - share) * future

    def forward(self, states: Tensor, backbone: Backbone) -> Outputs:
        """Logits of all exits."""
        pooled = self.pool(backbone.unpooled(states))
        return Outputs(self.classify(pooled, self.imitate(pooled)))

    def forward_exit(
        self, index: int, state: Tensor, backbone: Backbone, carry: Tensor | None
    ) -> tuple[Outputs, Tensor]:
        """Logits of one exit; the carry [B, 2, C] sums the contributions of the layers so far to logits and gate."""
        pooled = F.linear(backbone.unpooled(state), self.pooler_weight[index], self.pooler_bias[index]).tanh()
        contributions = torch.stack(
            [
                F.linear(pooled, self.weight[index], self.bias[index]),
                F.linear(pooled, self.gate_weight[index], self.gate_bias[index]),
            ],
            dim=1,
        )
        carry = contributions if carry is None else carry + contributions
        # Later layers are concatenated: one product gives all imitations [B, (M-1-index) * H], another their logits.
        matrices, biases = self.imitation_weight[index:].flatten(0, 1), self.imitation_bias[index:].flatten()
        imitated = F.linear(pooled, matrices, biases).tanh()
        later = self.weight[index + 1 :].transpose(0, 1).flatten(1)
        future = F.linear(imitated, later, self.bias[index + 1 :].sum(0))
        return Outputs(self.fuse(carry[:, 0], carry[:, 1] / (index + 1), future)), carry

    def flops(self, index: int, backbone: Backbone) -> float:
        """A pooler, the imitations of later layers, the contributions of all states, and the gate."""
        later = self.num_exits - 1 - index
        hidden, num_classes = self.weight.shape[-1], self.num_classes
        return (
            (1 + later) * linear_flops(hidden, hidden)
            + (2 + later) * linear_flops(hidden, num_classes)
            + linear_flops(num_classes, num_classes)
        )


def imitation_loss(imitated: Tensor, pooled: Tensor) -> Tensor:
    """1 - cosine of imitations and true states: mean over the layers after each exit, then over the M-1 exits; scalar.

    Args:
        imitated: result of `PastFutureExits.imitate` [B, M-1, M-1, H].
        pooled: the true states [B, M, H]; no gradient flows into them.
    """
    distance = 1 - F.cosine_similarity(imitated.float(), pooled.detach().float()[:, None, 1:], dim=-1)
    later = torch.ones_like(distance[0]).triu()
    return ((later * distance).sum(2) / later.sum(1)).mean()


class PastFutureObjective(Objective):
    """Half the cross-entropy of all exits, weighted by depth as in PABEE, plus half the imitation loss; stateless.

    Each of the lowest `frozen_layers` layers is detached with probability 1 - t/T at step t of T: its exit does not
    train the encoder then, nor do later exits train that layer and those below it.
    """

    def __init__(self, frozen_layers: int, schedule: Schedule, seed: int) -> None:
        """Unfreeze over all steps of the run."""
        self.frozen_layers = frozen_layers
        self.schedule = schedule
        self.seed = seed

    def detached(self, step: int) -> set[int]:
        """The layers (0-based) that are detached at a step (0-based)."""
        draws = numpy_generator(self.seed, "unfreezing", step).random(self.frozen_layers)
        return {layer for layer, draw in enumerate(draws) if draw >= step / self.schedule.total_steps}

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch; the batches of one step share its detached layers."""
        detached = self.detached(step)
        states = model.states(batch, detached).unbind(dim=1)
        # The backbone detaches a layer's output for later layers only; here it is detached for its own exit too.
        states = [state.detach() if layer in detached else state for layer, state in enumerate(states)]
        pooled = model.exits.pool(model.backbone.unpooled(torch.stack(states, dim=1)))
        imitated = model.exits.imitate(pooled)
        means = exit_cross_entropies(model.exits.classify(pooled, imitated), batch.labels).mean(dim=0)
        depth = torch.arange(1, len(means) + 1, device=means.device)
        loss_ce = weighted_mean(means, depth)
        loss_imitation = imitation_loss(imitated, pooled)
        parts = {
            "loss_ce": loss_ce,
            "loss_imitation": loss_imitation,
            "mean_ce": means.mean(),
            "detached_layers": torch.full_like(loss_ce, len(detached)),
        }
        return (loss_ce + loss_imitation) / 2, parts
