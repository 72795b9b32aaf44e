"""LYNX-style probes (Akgül et al. 2025) and the DYNAMAX-style exit decision (Nogales et al. 2025): post-hoc judges.

Both put a small classifier on the states of a trained, frozen model, which estimates whether it is safe to stop. The
papers are about generation: LYNX stops a chain of thought at cue words, DYNAMAX skips blocks of a language model. The
decision alone is transferred: an event is an exit, forcing an answer is reading the exit's logits.

LYNX-style is the default: probes with a hidden layer learn whether the exit is *right*, on examples that the exits were
not trained on, as exits are right far too often on their own training examples. The paper's probe reads three or four
layers, here it is the exit's own; the conformal control of premature exits is no part of the method, as it applies to
the stored scores of any row.

DYNAMAX-style is `width: 0, target: same, reserve: 0, exits_from: 0.5, every: 0.125`: linear classifiers learn whether
the exit has the answer of the *last* exit, at exits of the second half. The released code asks whether the full
model's token is among the exit's fifteen likeliest; with two or three classes that is the likeliest alone. Its loss
weights that rise with depth are left out: every classifier is on its own, and the scale of its loss means next to
nothing to Adam. "The last block is always run" is a device of generation and is not imitated either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, inf, sqrt

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cosee.data.batches import Batch, DeviceSplit, evaluation_order
from cosee.losses.per_exit import exit_cross_entropies
from cosee.losses.probing import ProbeTarget, balanced_weights, masked_mean, probe_loss, safe_answers
from cosee.methods.base import Method
from cosee.models.backbones import Backbone
from cosee.models.heads import LinearExits, Outputs, linear_flops
from cosee.models.multi_exit import MultiExitModel
from cosee.models.randomness import torch_generator
from cosee.ranges import Fraction, FractionBelowOne, NonNegativeInt, OpenFraction, PositiveFloat
from cosee.seeds import numpy_generator
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule, Stage

EXITS, PROBES = range(2)
"""The stages."""


@dataclass(frozen=True)
class Lynx(Method):
    """A linear head on every exit; then, with all of that frozen, a probe on every exit that may be taken.

    Attributes:
        reserve: share of the fit examples that the exits do not learn from, and the probes alone do; 0: both learn
            from all of them.
        target: "right": the probe learns whether the exit's answer is right; "same": whether it is the last exit's.
        width: hidden units of a probe; 0: linear.
        exits_from: share of the depth before which no exit may be taken.
        every: share of the depth between two exits that may be taken; 0: no gap.
        probe_share: share of the run's steps for the probes.
        probe_rate: factor on their learning rate.
        dropout: on the pooled state before each head; probes have none.
    """

    reserve: FractionBelowOne = 0.1
    target: ProbeTarget = "right"
    width: NonNegativeInt = 64
    exits_from: FractionBelowOne = 0.0
    every: Fraction = 0.0
    probe_share: OpenFraction = 0.3
    probe_rate: PositiveFloat = 10.0
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A backbone with a linear head after every layer, and a probe where an exit may be taken."""
        allowed = allowed_exits(backbone.num_layers, self.exits_from, self.every)
        return MultiExitModel(backbone, ProbedExits(backbone, num_classes, self.dropout, self.width, allowed, seed))

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "ProbedObjective":
        """The mean cross-entropy of all exits, then the loss of the probes."""
        return ProbedObjective(self, schedule, seed, device)

    def stages(self) -> tuple[Stage, Stage]:
        """Everything but the probes, then only these."""
        return (
            Stage(1 - self.probe_share, trains=lambda name: not is_probe(name)),
            Stage(self.probe_share, self.probe_rate, is_probe),
        )

    def learns_scores(self) -> bool:
        """Estimated probabilities of a safe answer."""
        return True

    def exit_rule(self) -> str:
        """Exit where the answer is safe."""
        return "safe"


def is_probe(name: str) -> bool:
    """Whether the parameter of this name belongs to a probe."""
    return name.startswith("exits.probe_")


def allowed_exits(num_layers: int, exits_from: float, every: float) -> tuple[int, ...]:
    """Internal exits that may be taken, 0-based: from a share of the depth on, one per `every` of it, rounded half up.

    For 32 layers, 0.5 and 0.125 those after layers 16, 20, 24 and 28, as in DYNAMAX's released code. One exit at least.
    """
    gap = every * num_layers or 1.0
    first = max(exits_from * num_layers, 1.0)
    depths = {floor(first + k * gap + 0.5) for k in range(num_layers)}
    return tuple(sorted(depth - 1 for depth in depths if depth < num_layers)) or (num_layers - 2,)


class ProbedExits(LinearExits):
    """Linear heads, and probes that read the standardized state of an exit and estimate whether its answer is safe.

    Exits that may not be taken have the score minus infinity, which passes no threshold, and cost nothing. At the last
    exit nothing is decided: its score is 1. Means and scales are buffers, saved with the weights.
    """

    def __init__(
        self, backbone: Backbone, num_classes: int, dropout: float, width: int, allowed: tuple[int, ...], seed: int
    ) -> None:
        """Heads and probes are drawn from streams of their own of `seed`; linear probes are zero at first."""
        hidden = backbone.hidden_size
        super().__init__(backbone.num_layers, hidden, num_classes, dropout, torch_generator(seed, "heads"))
        self.allowed, self.width = allowed, width
        num_probes = len(allowed)
        if width:
            generator = torch_generator(seed, "probe")
            inner = torch.empty(num_probes, width, hidden).normal_(0, 1 / sqrt(hidden), generator=generator)
            outer = torch.empty(num_probes, width).normal_(0, 1 / sqrt(width), generator=generator)
            self.probe_inner_weight = nn.Parameter(inner)
            self.probe_inner_bias = nn.Parameter(torch.zeros(num_probes, width))
            self.probe_weight = nn.Parameter(outer)
        else:
            self.probe_weight = nn.Parameter(torch.zeros(num_probes, hidden))
        self.probe_bias = nn.Parameter(torch.zeros(num_probes))
        self.register_buffer("state_mean", torch.zeros(num_probes, hidden))
        self.register_buffer("state_scale", torch.ones(num_probes, hidden))

    def pick(self, values: Tensor) -> Tensor:
        """Of values of all internal exits, or of all exits, those of the exits that may be taken [B, A, ...]."""
        return torch.stack([values[:, exit] for exit in self.allowed], dim=1)

    def log_odds(self, states: Tensor) -> Tensor:
        """Log-odds of a safe answer at the exits that may be taken [B, A], of the states of all exits [B, M, H]."""
        inputs = (self.pick(states) - self.state_mean) / self.state_scale
        if self.width:
            inputs = torch.einsum("bah,adh->bad", inputs, self.probe_inner_weight) + self.probe_inner_bias
            inputs = F.relu(inputs)
        return ((inputs * self.probe_weight).sum(dim=-1) + self.probe_bias).float()

    def log_odds_at(self, probe: int, state: Tensor) -> Tensor:
        """Log-odds of one probe [B], of the state of its exit [B, H]."""
        inputs = (state - self.state_mean[probe]) / self.state_scale[probe]
        if self.width:
            inputs = F.relu(F.linear(inputs, self.probe_inner_weight[probe], self.probe_inner_bias[probe]))
        return ((inputs * self.probe_weight[probe]).sum(dim=-1) + self.probe_bias[probe]).float()

    def forward(self, states: Tensor, backbone: Backbone) -> Outputs:
        """Logits of all exits, and the estimated probability of a safe answer at those that may be taken."""
        logits = super().forward(states, backbone).logits
        scores = torch.full_like(logits[..., 0], -inf)
        scores[:, -1] = 1.0
        for exit, score in zip(self.allowed, self.log_odds(states).sigmoid().unbind(dim=1), strict=True):
            scores[:, exit] = score
        return Outputs(logits, scores)

    def forward_exit(self, index: int, state: Tensor, backbone: Backbone, carry: Tensor | None) -> tuple[Outputs, None]:
        """Logits of one exit, and its score."""
        logits = super().forward_exit(index, state, backbone, carry)[0].logits
        if index in self.allowed:
            return Outputs(logits, self.log_odds_at(self.allowed.index(index), state).sigmoid()), None
        is_last = index == self.num_exits - 1
        return Outputs(logits, torch.full_like(logits[:, 0], 1.0 if is_last else -inf)), None

    def flops(self, index: int, backbone: Backbone) -> float:
        """The pooler, a head and, but at the last exit, a probe; nothing at an exit that may not be taken."""
        if index == self.num_exits - 1:
            return super().flops(index, backbone)
        if index not in self.allowed:
            return 0.0
        hidden = self.state_mean.shape[1]
        probe = (
            linear_flops(hidden, self.width) + linear_flops(self.width, 1) if self.width else linear_flops(hidden, 1)
        )
        return super().flops(index, backbone) + 2.0 * hidden + probe


class ProbedObjective(Objective):
    """Mean cross-entropy of all exits over the examples that are not reserved; then the probes, on the reserved ones.

    In the second stage the frozen model runs without dropout, as it does when it is used.

    Attributes:
        reserved: whether an example of the fit split is reserved [N].
        weights: of negative and positive targets of each probe [2, A]; empty in the first stage.
    """

    def __init__(self, method: Lynx, schedule: Schedule, seed: int, device: torch.device) -> None:
        """Nothing is reserved or measured yet."""
        self.method = method
        self.schedule = schedule
        self.seed = seed
        self.reserved = torch.empty(0, dtype=torch.bool, device=device)
        self.weights = torch.empty(0, device=device)

    def begin_stage(self, stage: int, model: MultiExitModel, fit: DeviceSplit) -> None:
        """Reserve examples before the first stage; before the second measure the states and answers of the exits."""
        if stage == EXITS:
            self.reserved = torch.from_numpy(self._drawn(len(fit))).to(fit.device)
        else:
            self._measure(model, fit)

    def _drawn(self, num_examples: int) -> np.ndarray:
        """Whether an example is reserved [N]; on the host, from the seed alone."""
        order = numpy_generator(self.seed, "reserve").permutation(num_examples)
        return order < round(self.method.reserve * num_examples)

    @torch.no_grad()
    def _measure(self, model: MultiExitModel, fit: DeviceSplit) -> None:
        """Set mean and scale of the states, and the weights of the classes, from the examples of the probes."""
        exits: ProbedExits = model.exits
        mine = np.flatnonzero(self._drawn(len(fit))) if self.method.reserve else np.arange(len(fit))
        was_training = model.training
        model.eval()
        size = exits.state_mean.shape
        total, squares = (torch.zeros(size, dtype=torch.float64, device=fit.device) for _ in range(2))
        positives = torch.zeros(len(exits.allowed), device=fit.device)
        for chosen in evaluation_order(fit.lengths[mine], 64):
            batch = fit.batch(mine[chosen])
            states = model.states(batch)
            inputs = exits.pick(states).double()
            total += inputs.sum(dim=0)
            squares += inputs.square().sum(dim=0)
            safe = safe_answers(exits(states, model.backbone).logits, batch.labels, self.method.target)
            positives += exits.pick(safe).sum(dim=0)
        model.train(was_training)
        mean = total / len(mine)
        exits.state_mean.copy_(mean)
        exits.state_scale.copy_((squares / len(mine) - mean.square()).clamp(min=1e-12).sqrt())
        self.weights = balanced_weights(positives, len(mine))

    def _of_probes(self, rows: Tensor) -> Tensor:
        """Whether the probes learn from examples of the fit split [B]."""
        return self.reserved[rows] if self.method.reserve else torch.ones_like(rows, dtype=torch.bool)

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch in the stage of its step."""
        if self.schedule.stage(step) == EXITS:
            cross_entropy = exit_cross_entropies(model(batch), batch.labels)
            loss = masked_mean(cross_entropy.mean(dim=1), (~self.reserved[batch.rows]).float())
            return loss, {"loss_ce": loss, "mean_ce": cross_entropy.mean()}

        was_training = model.training
        model.eval()
        with torch.no_grad():
            states = model.states(batch)
            logits = model.exits(states, model.backbone).logits
        model.train(was_training)
        safe = model.exits.pick(safe_answers(logits, batch.labels, self.method.target))
        counted = self._of_probes(batch.rows).float()
        loss = probe_loss(model.exits.log_odds(states), safe, self.weights, counted)
        return loss, {"loss_probe": loss, "mean_ce": exit_cross_entropies(logits, batch.labels).mean()}

    def state(self) -> dict[str, Tensor]:
        """The reserved examples and the weights of the classes; the standardization is part of the model."""
        return {"reserved": self.reserved, "weights": self.weights}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take both back."""
        self.reserved = state["reserved"].to(self.reserved.device)
        self.weights = state["weights"].to(self.weights.device)
