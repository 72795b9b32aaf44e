"""COSEE: cross-entropy weighted by simulated exits (SWM) plus online signal calibration (OSC), Eq. 1-9.

With `alpha = 0` and `beta0 = 0` this *is* the vanilla multi-exit model: the mean cross-entropy of all exits. The
paper's ablations are settings of this one method: w/o OSC is `alpha = 0`, w/o SWM is `beta0 = 0`. `sample_wise = False`
is an ablation of its own: every example gets the batch mean of SWM's weights, that is SWM's emphasis per exit without
consistency per example.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from cosee.data.batches import Batch, DeviceSplit
from cosee.exiting.signals import SIGNALS
from cosee.losses.calibration import signal_calibration_loss
from cosee.losses.per_exit import exit_cross_entropies
from cosee.losses.weighting import batch_mean_weights, sample_weights, simulate_exits, weighted_cross_entropy
from cosee.methods.base import Method, linear_exits_model
from cosee.models.backbones import Backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.models.randomness import torch_generator
from cosee.ranges import FractionBelowOne, NonNegativeFloat, PositiveInt
from cosee.seeds import derive, numpy_generator
from cosee.training.objective import Objective
from cosee.training.schedule import Schedule

MEASURED_EXAMPLES = 1024
"""At most so many fit examples say what the range of the signal is before the first step."""

MEASURED_BATCH = 64
"""Examples per forward pass of that measurement."""


@dataclass(frozen=True)
class Cosee(Method):
    """Hyper-parameters of COSEE, in the paper's symbols.

    Attributes:
        signal: exit signal that training simulates and calibrates.
        alpha: weight of the calibration objective (Eq. 9).
        beta0: final decay factor of the sample weights (Eq. 4).
        margin: epsilon of Eq. 7 and 8.
        num_thresholds: K of Eq. 5, fresh thresholds per step.
        osc_average: "present" as the released code, "all" as Eq. 6.
        initial_range: range of the thresholds in the first epoch: "unit" is (0, 1) as in the paper, "measured" that of
            the untrained model's signals. Its normalized energy is near 1/(C+1), and a threshold above lets every
            example exit at once: with "unit" a short training spends much of SWM on the first exit alone.
        sample_wise: whether the weights are those of each example, or their mean over the batch.
        dropout: on the pooled state before each head.
    """

    signal: Literal[*SIGNALS] = "energy"
    alpha: NonNegativeFloat = 0.1
    beta0: NonNegativeFloat = 1.0
    margin: NonNegativeFloat = 0.3
    num_thresholds: PositiveInt = 5
    osc_average: Literal["present", "all"] = "present"
    initial_range: Literal["unit", "measured"] = "unit"
    sample_wise: bool = True
    dropout: FractionBelowOne = 0.1

    def build(self, backbone: Backbone, num_classes: int, seed: int) -> MultiExitModel:
        """A backbone with a linear head after every layer."""
        return linear_exits_model(backbone, num_classes, self.dropout, seed)

    def objective(self, schedule: Schedule, seed: int, device: torch.device) -> "CoseeObjective":
        """Eq. 9 with its decay warm-up over all steps of the run."""
        return CoseeObjective(self, schedule, seed, device)

    def exit_rule(self) -> str:
        """The signal used in training."""
        return self.signal


class CoseeObjective(Objective):
    """The training objective of Eq. 9, with the threshold range that it carries from epoch to epoch.

    Thresholds are uniform between the smallest and largest signal of the previous epoch, over all internal exits and
    training examples; in the first epoch between 0 and 1, or between what is measured before the first step
    (`initial_range`). Everything stays on the device: a step never waits for it.
    """

    def __init__(self, method: Cosee, schedule: Schedule, seed: int, device: torch.device) -> None:
        """Start with the range (0, 1)."""
        self.method = method
        self.signal = SIGNALS[method.signal]
        self.schedule = schedule
        self.seed = seed
        self.range = torch.tensor([0.0, 1.0], device=device)
        self.seen = torch.tensor([torch.inf, -torch.inf], device=device)
        self.uniform = torch.empty(0, device=device)  # [steps per epoch, K], drawn once an epoch
        self.drawn_epoch = -1

    def begin_stage(self, stage: int, model: MultiExitModel, fit: DeviceSplit) -> None:
        """Measure the range of the first epoch, if the method is set to; a resumed run has it in its state."""
        if self.method.initial_range == "measured" and self._needs_signal:
            self.range = self._measured_range(model, fit)

    @torch.no_grad()
    def _measured_range(self, model: MultiExitModel, fit: DeviceSplit) -> Tensor:
        """Smallest and largest signal [2] of at most `MEASURED_EXAMPLES` fit examples, with dropout as in training.

        Examples and dropout come from streams of their own, so that the training that follows sees the random numbers
        that it would have seen without the measurement.
        """
        rows = numpy_generator(self.seed, "initial range").permutation(len(fit))[:MEASURED_EXAMPLES]
        rows = rows[fit.lengths[rows].argsort(kind="stable")]
        with torch.random.fork_rng([fit.device] if fit.device.type == "cuda" else []):
            torch.manual_seed(derive(self.seed, "initial range", "dropout"))
            ranges = [
                torch.stack(
                    self.signal.score(model(fit.batch(rows[begin : begin + MEASURED_BATCH])).float()[:, :-1]).aminmax()
                )
                for begin in range(0, len(rows), MEASURED_BATCH)
            ]
        smallest, largest = torch.stack(ranges).unbind(dim=1)
        return torch.stack([smallest.min(), largest.max()])

    def end_epoch(self) -> None:
        """Replace the threshold range by the signal range of the finished epoch."""
        if self._needs_signal:
            self.range = self.seen
            self.seen = torch.tensor([torch.inf, -torch.inf], device=self.range.device)

    def _thresholds(self, step: int) -> Tensor:
        """K fresh thresholds [K] of a step; an epoch's draws are copied to the device together."""
        epoch, position = divmod(step, self.schedule.steps_per_epoch)
        if epoch != self.drawn_epoch:
            shape = (self.schedule.steps_per_epoch, self.method.num_thresholds)
            generator = torch_generator(self.seed, "thresholds", epoch)
            self.uniform = torch.rand(shape, generator=generator).to(self.range.device)
            self.drawn_epoch = epoch
        return self.range[0] + self.uniform[position] * (self.range[1] - self.range[0])

    @property
    def _needs_signal(self) -> bool:
        return self.method.alpha > 0 or self.method.beta0 > 0

    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of Eq. 9 for a batch at a step (0-based); the batches of one step share its thresholds."""
        logits = model(batch).float()
        cross_entropy = exit_cross_entropies(logits, batch.labels)
        mean_ce = cross_entropy.mean()
        if not self._needs_signal:
            return mean_ce, {"loss_ce": mean_ce, "mean_ce": mean_ce}

        signal = self.signal.score(logits[:, :-1])
        beta = (
            self.method.beta0 * step / self.schedule.total_steps
        )  # Eq. 4: gamma_t = t / T, so that the first step is uniform
        exits = simulate_exits(signal, self._thresholds(step), self.signal.harder_is)
        weights = sample_weights(exits, model.num_exits, beta)
        if not self.method.sample_wise:
            weights = batch_mean_weights(weights)
        loss_ce = weighted_cross_entropy(cross_entropy, weights)
        correct = logits[:, :-1].argmax(dim=-1) == batch.labels[:, None]
        loss_osc = signal_calibration_loss(
            signal, correct, self.method.margin, self.signal.harder_is, self.method.osc_average
        )
        smallest, largest = signal.detach().aminmax()
        self.seen = torch.stack([torch.minimum(self.seen[0], smallest), torch.maximum(self.seen[1], largest)])
        parts = {
            "beta": torch.full_like(loss_ce, beta),
            "loss_ce": loss_ce,
            "loss_osc": loss_osc,
            "mean_ce": mean_ce,
            "threshold_low": self.range[0],
            "threshold_high": self.range[1],
        }
        return loss_ce + self.method.alpha * loss_osc, parts

    def state(self) -> dict[str, Tensor]:
        """The current threshold range and the signal range of this epoch so far."""
        return {"range": self.range, "seen": self.seen}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore both ranges; the thresholds are redrawn from the seed."""
        self.range = state["range"].to(self.range.device)
        self.seen = state["seen"].to(self.seen.device)
