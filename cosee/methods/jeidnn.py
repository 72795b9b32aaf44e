"""JEI-DNN (Regol et al. 2024): gates that decide to exit and the exits themselves, learned in turn.

The paper is about frozen vision transformers; BERT is a transfer made here. A gate reads four numbers of its exit's
logits. It learns whether a price per layer would have made the example exit by now; the heads then learn with the
probabilities of exiting as weights. There is no threshold at test time: each price is a model of its own.

Features, gates, targets, the weights of positive targets and the exit rule are those of the released code. Departures:

- Exits have poolers of their own and begin as in DeeBERT, where the paper's are linear: rows then differ in the gates
  and in what they do to the heads alone.
- The gates of a stage are computed exactly before its first step (`cosee.losses.gating`), from the fit examples; the
  gradient steps follow. In the few steps of small presets gradient steps alone would leave them near their start.
- In the released code the ratio in the loss of the heads has a gradient, which cancels the weights: the heads learn
  nothing from the gates. `weights` defaults to what the paper intends.
- Stages and their lengths are guessed; the released code alternates every 200 batches. So is `backbone: joint`, of
  which only the authors' reply to reviewers speaks: the first stage trains all exits together, and the last exit, which
  the release leaves out of the loss of the heads, has its share there, lest the encoder turns away from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cosee.data.batches import Batch, DeviceSplit
from cosee.losses.gating import (
    NUM_FEATURES,
    HeadWeights,
    best_exits,
    exit_probabilities,
    gate_features,
    gate_loss,
    gate_targets,
    head_loss,
    positive_weights,
    solve_gates,
)
from cosee.losses.per_exit import exit_cross_entropies, weighted_mean
from cosee.methods.base import Method
from cosee.methods.deebert import is_internal
from cosee.models.backbones import Backbone
from cosee.models.heads import Outputs, PooledExits
from cosee.models.multi_exit import MultiExitModel
from cosee.models.prediction import predict
from cosee.models.randomness import torch_generator
from cosee.ranges import FractionBelowOne, NonNegativeFloat, OpenFraction, PositiveFloat, PositiveInt
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule, Stage

BACKBONE, WARMUP, GATES, HEADS = "backbone", "warm-up", "gates", "heads"
"""Kinds of stages."""


@dataclass(frozen=True)
class JeiDnn(Method):
    """An exit with a pooler of its own and a gate at every internal layer; each `cost_weight` is a model of its own.

    Attributes:
        cost_weight: lambda, price in nats of the whole encoder; a layer fewer is worth lambda / M.
        pos_weight_max: largest weight of a gate's positive targets.
        weights: of the exits in the loss of the heads (`cosee.losses.gating.head_loss`).
        backbone: "frozen" trains it with the last exit and never again; "joint" trains it with all exits, and again in
            the stages of the heads.
        backbone_share: share of the run's steps for the backbone.
        warmup_share: share for the internal exits alone, unweighted but for depth; with a joint backbone these steps
            are the backbone's too.
        gate_share: share of each of the `turns` + 1 stages of the gates.
        turns: stages of the heads, which divide what is left.
        dropout: on the pooled state before each head.
    """

    cost_weight: NonNegativeFloat = 0.1
    pos_weight_max: PositiveFloat = 5.0
    weights: HeadWeights = "paper"
    backbone: Literal["frozen", "joint"] = "frozen"
    backbone_share: OpenFraction = 0.4
    warmup_share: OpenFraction = 0.2
    gate_share: OpenFraction = 0.02
    turns: PositiveInt = 2
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A backbone with an exit after every layer and a gate at every internal one."""
        return MultiExitModel(backbone, GatedExits(backbone, num_classes, self.dropout, torch_generator(seed, "heads")))

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "GatedObjective":
        """The loss of each stage."""
        return GatedObjective(self, schedule, device)

    def kinds(self) -> tuple[str, ...]:
        """Kind of every stage, in order."""
        first = (BACKBONE,) if self.backbone == "joint" else (BACKBONE, WARMUP)
        return (*first, *(GATES, HEADS) * self.turns, GATES)

    def stages(self) -> tuple[Stage, ...]:
        """Backbone, internal exits; then gates and heads in turn, gates first and last."""
        heads_share = (1 - self.backbone_share - self.warmup_share - (self.turns + 1) * self.gate_share) / self.turns
        joint = self.backbone == "joint"
        stages = {
            BACKBONE: Stage(
                self.backbone_share + (self.warmup_share if joint else 0.0),
                trains=is_no_gate if joint else is_of_last_exit,
            ),
            WARMUP: Stage(self.warmup_share, trains=is_internal),
            GATES: Stage(self.gate_share, trains=is_gate),
            HEADS: Stage(heads_share, trains=is_no_gate if joint else is_internal),
        }
        return tuple(stages[kind] for kind in self.kinds())

    def learns_scores(self) -> bool:
        """The gates."""
        return True

    def exit_rule(self) -> str:
        """Exit where the gates make it likelier than not."""
        return "jeidnn"


def is_gate(name: str) -> bool:
    """Whether the parameter of this name belongs to a gate."""
    return name.startswith("exits.gate_")


def is_no_gate(name: str) -> bool:
    """Whether the parameter of this name belongs to the backbone or an exit."""
    return not is_gate(name)


def is_of_last_exit(name: str) -> bool:
    """Whether the parameter of this name belongs to the backbone or the last exit."""
    return not is_gate(name) and not is_internal(name)


class GatedExits(PooledExits):
    """Exits with poolers of their own, and a gate on every internal one: linear in four numbers of its logits.

    Fresh gates are zero and say one half everywhere; no model should be shown whose gates were not trained. At the last
    exit nothing is decided: its gate is 1.
    """

    def __init__(self, backbone: Backbone, num_classes: int, dropout: float, generator: torch.Generator) -> None:
        """An exit after every layer of `backbone`; the heads are drawn with `generator`."""
        super().__init__(backbone, num_classes, dropout, generator)
        self.gate_weight = nn.Parameter(torch.zeros(self.num_exits - 1, NUM_FEATURES))
        self.gate_bias = nn.Parameter(torch.zeros(self.num_exits - 1))

    def log_odds(self, logits: Tensor) -> Tensor:
        """Log-odds of the gates [B, M-1], in float32, of the logits of all exits [B, M, C]; no gradient to logits."""
        return (gate_features(logits[:, :-1]) * self.gate_weight).sum(dim=-1) + self.gate_bias

    def forward(self, states: Tensor, backbone: Backbone) -> Outputs:
        """Logits and gates of all exits."""
        logits = self.classify(self.pool(states, backbone))
        return Outputs(logits, F.pad(self.log_odds(logits).sigmoid(), (0, 1), value=1.0))

    def forward_exit(self, index: int, state: Tensor, backbone: Backbone, carry: Tensor | None) -> tuple[Outputs, None]:
        """Logits and gate of one exit."""
        logits = self.classify_at(index, self.pool_at(index, state, backbone))
        if index == self.num_exits - 1:
            return Outputs(logits, torch.ones_like(logits[:, 0])), None
        log_odds = (gate_features(logits) * self.gate_weight[index]).sum(dim=-1) + self.gate_bias[index]
        return Outputs(logits, log_odds.sigmoid()), None

    def flops(self, index: int, backbone: Backbone) -> float:
        """A pooler, a head and, but at the last exit, a gate: some ten operations per class and ten more."""
        gate = 10.0 * self.num_classes + 10.0
        return super().flops(index, backbone) + (gate if index < self.num_exits - 1 else 0.0)


class GatedObjective(Objective):
    """The losses of the stages, with what the stages of the gates measure on the fit split.

    Attributes:
        costs: of every exit as a share of that of the last one [M], exits on the way included.
        weights: of the positive targets of each gate [M-1].
    """

    def __init__(self, method: JeiDnn, schedule: Schedule, device: torch.device) -> None:
        """Nothing is measured yet."""
        self.method = method
        self.schedule = schedule
        self.kinds = method.kinds()
        self.costs = torch.empty(0, device=device)
        self.weights = torch.empty(0, device=device)

    @torch.no_grad()
    def begin_stage(self, stage: int, model: MultiExitModel, fit: DeviceSplit) -> None:
        """Before a stage of the gates, compute the best gates for the exits as they are."""
        if self.kinds[stage] != GATES:
            return
        costs = torch.tensor(model.exit_costs(float(fit.lengths.mean()))).to(fit.device)
        self.costs = costs / costs[-1]
        logits = torch.from_numpy(predict(model, fit, batch_size=64).logits).to(fit.device)
        best = best_exits(exit_cross_entropies(logits, fit.labels), self.costs, self.method.cost_weight)
        self.weights = positive_weights(best, model.num_exits, self.method.pos_weight_max)
        targets = gate_targets(best, model.num_exits)
        weight, bias = solve_gates(gate_features(logits[:, :-1]), targets, self.weights)
        model.exits.gate_weight.copy_(weight)
        model.exits.gate_bias.copy_(bias)

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch in the stage of its step."""
        logits, gates = model.outputs(batch)
        cross_entropy = exit_cross_entropies(logits, batch.labels)
        means = cross_entropy.mean(dim=0)
        parts = {"mean_ce": means.mean()}
        kind, is_joint = self.kinds[self.schedule.stage(step)], self.method.backbone == "joint"
        if kind == BACKBONE:
            loss = means.mean() if is_joint else means[-1]
        elif kind == WARMUP:  # the shallowest exit has the weight M, the deepest internal one 2
            loss = weighted_mean(means[:-1], torch.arange(len(means), 1, -1, device=means.device))
        elif kind == GATES:
            best = best_exits(cross_entropy.detach(), self.costs, self.method.cost_weight)
            targets = gate_targets(best, model.num_exits)
            loss = parts["loss_gates"] = gate_loss(model.exits.log_odds(logits), targets, self.weights).mean()
        else:
            probabilities = exit_probabilities(gates[:, :-1].detach())
            exits = slice(None) if is_joint else slice(-1)
            loss = head_loss(cross_entropy[:, exits], probabilities[:, exits], self.method.weights)
            layers = torch.arange(1, model.num_exits + 1, device=logits.device)
            parts["exit_layer"] = (probabilities * layers).sum(dim=1).mean()
        return loss, parts

    def state(self) -> dict[str, Tensor]:
        """Costs and weights; empty before the first stage of the gates."""
        return {"costs": self.costs, "weights": self.weights}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take costs and weights back; the gates are parameters of the model."""
        self.costs = state["costs"].to(self.costs.device)
        self.weights = state["weights"].to(self.weights.device)
