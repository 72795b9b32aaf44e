"""ConsistentEE (Zeng et al. 2024): the exit is learned by reinforcement, and one right exit per example is enough.

Three stages: all exits are trained together, as in PABEE; then only a policy network per exit; then both, each example
at the exits that its policy takes. The difficulty of an example, its memorized layer, is measured in between.

The default follows the paper where the released code departs from it. There the reward has no term for speed
(`alpha = 0` here), exits are not sampled but taken where the policy passes one half, so that rollouts of an example
differ by dropout only, and every rollout is a forward pass of its own. Here they are samples of the policy on the
outputs of one pass. Initialization, stages, their lengths and their learning rates are those of the released code.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cosee.data.batches import Batch, DeviceSplit
from cosee.losses.per_exit import exit_cross_entropies
from cosee.methods.base import Method
from cosee.methods.pabee import DepthWeightedCrossEntropy
from cosee.models.backbones import Backbone
from cosee.models.heads import LinearExits, Outputs, fresh_heads, linear_flops
from cosee.models.multi_exit import MultiExitModel
from cosee.models.prediction import predict
from cosee.models.randomness import torch_generator
from cosee.ranges import FractionBelowOne, IntAboveOne, NonNegativeFloat, OpenFraction, PositiveFloat, PositiveInt
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule, Stage

CLASSIFIERS, POLICY, BOTH = range(3)
"""The stages."""

PRICED_DEPTH = 12
"""Layers of the encoders that the paper's prices per layer are for; in another depth a layer is another share."""


@dataclass(frozen=True)
class ConsistentEE(Method):
    """A linear head and a policy network on every exit. The exit rule is fixed: each `alpha` is a model of its own.

    Attributes:
        alpha: price in the reward, in nats, of a twelfth of the encoder, for the easiest examples; the larger, the
            earlier they exit. In an encoder of 12 layers, as in the paper, that is the price of a layer; in any depth
            the whole encoder costs 12 alpha.
        num_rollouts: K, sampled exits per example and step; each is compared with the mean of the others. One
            forward pass gives the reward of every exit: many cost little. The released code pays a pass for each.
        entropy: weight of a bonus for the entropy of the exit distribution, against policies that are sure too soon.
        width: hidden units of a policy network.
        policy_share: share of the run's steps in which the policy networks learn alone.
        joint_share: share in which everything learns together, at the end; the steps before both are for classifiers.
        policy_rate: factor on the learning rate while the policy networks learn alone.
        joint_rate: factor on the learning rate while everything learns together.
        dropout: on the pooled state before each head.
    """

    alpha: NonNegativeFloat = 0.05
    num_rollouts: IntAboveOne = 256
    entropy: NonNegativeFloat = 0.0
    width: PositiveInt = 32
    policy_share: OpenFraction = 2 / 9
    joint_share: OpenFraction = 2 / 9
    policy_rate: PositiveFloat = 30.0
    joint_rate: PositiveFloat = 3.0
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A backbone with a linear head and a policy network after every layer."""
        exits = PolicyExits(backbone, num_classes, self.dropout, self.width, seed)
        return MultiExitModel(backbone, exits)

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "ConsistentObjective":
        """The loss of each stage."""
        return ConsistentObjective(self, schedule, seed, device)

    def stages(self) -> tuple[Stage, ...]:
        """Classifiers, policy networks, both; the policy networks have no gradient in the first."""
        return (
            Stage(1 - self.policy_share - self.joint_share),
            Stage(self.policy_share, self.policy_rate, lambda name: name.startswith("exits.policy")),
            Stage(self.joint_share, self.joint_rate),
        )

    def learns_scores(self) -> bool:
        """Probabilities of exiting."""
        return True

    def exit_rule(self) -> str:
        """Exit where the policy says so."""
        return "policy"


class PolicyExits(LinearExits):
    """Linear heads, and on every internal exit a small network that says how probable it is to exit there.

    The policy reads the pooled state without dropout. At the last exit nothing is decided: its probability is 1.
    """

    def __init__(self, backbone: Backbone, num_classes: int, dropout: float, width: int, seed: int) -> None:
        """Heads and policy networks are drawn from streams of their own of `seed`."""
        hidden, internal = backbone.hidden_size, backbone.num_layers - 1
        super().__init__(backbone.num_layers, hidden, num_classes, dropout, torch_generator(seed, "heads"))
        generator = torch_generator(seed, "policy")
        self.policy_inner_weight = nn.Parameter(fresh_heads(internal, width, hidden, generator))
        self.policy_inner_bias = nn.Parameter(torch.zeros(internal, width))
        self.policy_outer_weight = nn.Parameter(fresh_heads(internal, 1, width, generator).squeeze(1))
        self.policy_outer_bias = nn.Parameter(torch.zeros(internal))

    def decide(self, states: Tensor, backbone: Backbone) -> tuple[Tensor, Tensor]:
        """Logits of all exits [B, M, C], and log-odds of exiting at the internal ones [B, M-1], of states [B, M, H]."""
        pooled = backbone.pool(states)
        logits = torch.einsum("bmh,mch->bmc", self.dropout(pooled), self.weight) + self.bias
        inner = F.gelu(torch.einsum("bmh,mdh->bmd", pooled[:, :-1], self.policy_inner_weight) + self.policy_inner_bias)
        log_odds = torch.einsum("bmd,md->bm", inner, self.policy_outer_weight) + self.policy_outer_bias
        return logits, log_odds.float()

    def forward(self, states: Tensor, backbone: Backbone) -> Outputs:
        """Logits of all exits, and the probability to exit at each if none before was taken."""
        logits, log_odds = self.decide(states, backbone)
        return Outputs(logits, F.pad(log_odds.sigmoid(), (0, 1), value=1.0))

    def forward_exit(self, index: int, state: Tensor, backbone: Backbone, carry: Tensor | None) -> tuple[Outputs, None]:
        """Logits of one exit, and the probability to exit there."""
        pooled = backbone.pool(state)
        logits = F.linear(self.dropout(pooled), self.weight[index], self.bias[index])
        if index == self.num_exits - 1:
            return Outputs(logits, torch.ones_like(logits[:, 0])), None
        inner = F.gelu(F.linear(pooled, self.policy_inner_weight[index], self.policy_inner_bias[index]))
        log_odds = inner @ self.policy_outer_weight[index] + self.policy_outer_bias[index]
        return Outputs(logits, log_odds.float().sigmoid()), None

    def flops(self, index: int, backbone: Backbone) -> float:
        """The pooler, a head and, but at the last exit, a policy network."""
        width, hidden = self.policy_inner_weight.shape[1:]
        decision = linear_flops(hidden, width) + linear_flops(width, 1)
        return super().flops(index, backbone) + (decision if index < self.num_exits - 1 else 0.0)


def memorized_layers(correct: Tensor) -> Tensor:
    """Layer from which on all exits are right [N], 1-based, of whether each exit is [N, M]; M if the last is wrong."""
    num_exits = correct.shape[1]
    right_at_the_end = correct.flip(1).int().cumprod(dim=1).sum(dim=1)
    return (num_exits + 1 - right_at_the_end).clamp(max=num_exits)


def rewards(cross_entropy: Tensor, memorized: Tensor, alpha: float) -> Tensor:
    """Reward of exiting at layer l with memorized layer m [B, M]: -CE - alpha * (12 l / M) * (1 - m / M).

    With 12 layers it is the paper's, -CE - alpha * l * (1 - m / M); in another depth cost and gain keep their balance.

    Args:
        cross_entropy: of every exit [B, M].
        memorized: memorized layers [B], 1-based; an example that only the last layer gets right is not hurried at all.
        alpha: price of a twelfth of the encoder.
    """
    num_exits = cross_entropy.shape[1]
    layer = torch.arange(1, num_exits + 1, device=cross_entropy.device)
    price = alpha * PRICED_DEPTH / num_exits
    return -cross_entropy - price * layer * (1 - memorized[:, None] / num_exits)


def log_exit_distribution(log_odds: Tensor) -> Tensor:
    """Log-probability of every exit [B, M] under a policy with log-odds [B, M-1]; the rest exit at M."""
    stay = F.pad(F.logsigmoid(-log_odds).cumsum(dim=1), (1, 0))
    return stay + F.pad(F.logsigmoid(log_odds), (0, 1))


def sample_exits(log_odds: Tensor, uniform: Tensor) -> Tensor:
    """Exits of K rollouts [B, K], 0-based: one decision per exit until the first to exit.

    Args:
        log_odds: of exiting at the internal exits [B, M-1].
        uniform: random numbers in [0, 1), one per decision [B, K, M-1].
    """
    stays = uniform >= log_odds.sigmoid()[:, None]
    return stays.int().cumprod(dim=-1).sum(dim=-1)


def exit_counts(exits: Tensor, num_exits: int) -> Tensor:
    """How many of an example's rollouts took every exit [B, M], of the exits that they took [B, K].

    All that losses need of the rollouts. Gathering their values instead would make a GPU add up gradients in an order
    of its own, another one every time.
    """
    return (exits[..., None] == torch.arange(num_exits, device=exits.device)).sum(dim=1)


def policy_gradient_loss(log_exit: Tensor, reward: Tensor, counts: Tensor) -> Tensor:
    """REINFORCE: a scalar whose gradient estimates that of the negative mean reward.

    The baseline of a rollout is the mean reward of the other rollouts of its example, which leaves the estimate
    unbiased. The mean of all K, this one included, only shrinks the gradient by (K - 1) / K.

    Args:
        log_exit: log-probability of every exit [B, M].
        reward: of every exit [B, M], without gradient.
        counts: how many rollouts took every exit [B, M], K of every example.
    """
    num_rollouts = counts.sum(dim=1, keepdim=True)
    baseline = (counts * reward).sum(dim=1, keepdim=True) / num_rollouts
    advantage = (reward - baseline) * num_rollouts / (num_rollouts - 1)
    return -(counts / num_rollouts * advantage * log_exit).sum(dim=1).mean()


class ConsistentObjective(Objective):
    """The losses of the three stages, with the memorized layers of the fit split that are measured after the first."""

    def __init__(self, method: ConsistentEE, schedule: Schedule, seed: int, device: torch.device) -> None:
        """No memorized layers yet."""
        self.method = method
        self.schedule = schedule
        self.seed = seed
        self.memorized = torch.empty(0, dtype=torch.int64, device=device)
        self.classifiers = DepthWeightedCrossEntropy()

    def begin_stage(self, stage: int, model: MultiExitModel, fit: DeviceSplit) -> None:
        """Measure the memorized layers [N] once the classifiers are trained."""
        if stage == POLICY:
            predicted = torch.from_numpy(predict(model, fit, batch_size=64).logits).argmax(dim=-1).to(fit.device)
            self.memorized = memorized_layers(predicted == fit.labels[:, None])

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch in the stage of its step; the batches of one step share their random numbers."""
        stage = self.schedule.stage(step)
        if stage == CLASSIFIERS:
            return self.classifiers(model, batch, step)

        logits, log_odds = model.exits.decide(model.states(batch), model.backbone)
        cross_entropy = exit_cross_entropies(logits, batch.labels)
        log_exit = log_exit_distribution(log_odds)
        shape = (len(batch), self.method.num_rollouts, model.num_exits - 1)
        # Pinned, as a GPU takes only so much from pageable memory without making the host wait.
        uniform = torch.rand(
            shape, generator=torch_generator(self.seed, "rollouts", step), pin_memory=log_odds.is_cuda
        ).to(log_odds.device, non_blocking=True)
        exits = sample_exits(log_odds, uniform)
        counts = exit_counts(exits, model.num_exits)
        reward = rewards(cross_entropy.detach(), self.memorized[batch.rows], self.method.alpha)

        share = counts / self.method.num_rollouts
        loss_ce = (share * cross_entropy).sum(dim=1).mean()
        loss_policy = policy_gradient_loss(log_exit, reward, counts)
        entropy = -(log_exit.exp() * log_exit).sum(dim=1).mean()
        parts = {
            "loss_ce": loss_ce,
            "loss_policy": loss_policy,
            "entropy": entropy,
            "reward": (share * reward).sum(dim=1).mean(),
            "exit_layer": exits.float().mean() + 1,
            "mean_ce": cross_entropy.mean(),
        }
        loss = loss_policy - self.method.entropy * entropy
        if stage == BOTH:
            loss = loss_ce + loss
        return loss, parts

    def state(self) -> dict[str, Tensor]:
        """The memorized layers; none in the first stage."""
        return {"memorized": self.memorized}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take the memorized layers back; the rollouts are drawn anew from the seed."""
        self.memorized = state["memorized"].to(self.memorized.device)
