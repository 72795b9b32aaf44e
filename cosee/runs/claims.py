"""Effects that decide claims, measured from the stored outputs of published runs. Needs no torch.

| measure | effect, per task and seed; the mean over both is reported |
| --- | --- |
| `score` | score in percent at equal mean exit layer, mean over the speed-ups: variant minus reference |
| `score_gain` | that difference at the second speed-up minus that at the first |
| `dis` | difficulty inversion score in percent, mean over exits: variant minus reference |
| `training_loss` | mean cross-entropy of all exits on all training batches, in nats: variant minus reference |
| `exit_of_errors` | mean exit layer, at the speed-up, of examples that the last exit gets wrong minus that of others |

The first two have intervals over seeds and examples, the others over seeds (`cosee.evaluation.intervals`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import nan
from pathlib import Path

import numpy as np

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.evaluation.intervals import Estimate, mean_difference, mean_over_seeds, mean_over_tasks
from cosee.evaluation.matched import OperatingPoint
from cosee.evaluation.metrics import difficulty_inversion_score
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.simulation import exit_layers, threshold_for_speedup
from cosee.io import load_arrays
from cosee.methods import rule_named
from cosee.plan.claims import Test
from cosee.runs.comparison import Entrant, entrants_of_collection, points_at
from cosee.runs.published import published_facts, published_runs


@dataclass(frozen=True)
class Effect:
    """Outcome of a test.

    Attributes:
        estimate: the effect, in units of the measure.
        num_seeds: seeds that both sides have, the fewest of any task.
    """

    estimate: Estimate
    num_seeds: int


def measure(test: Test, published: str | Path) -> Effect | None:
    """The effect that a test asks for; None if its collection or one of its entrants is not published yet.

    Args:
        test: what is compared.
        published: the folder that holds the collections.

    Raises:
        InputError: a run lacks the split, or the measure does not fit the task or the entrant.
    """
    collection = Path(published) / test.collection
    if not any(collection.glob(f"{test.backbone}/*/*-seed*.npz")):
        return None
    entrants = {entrant.name: entrant for entrant in _entrants(collection, test.backbone)}
    sides = [entrants.get(name) for name in (test.variant, test.reference) if name]
    if any(side is None or not set(test.tasks) <= set(side.tasks) for side in sides):
        return None
    pairs = [_Pair(test, collection, task, sides[0], sides[-1]) for task in test.tasks]
    estimates = [_MEASURES[test.measure](pair) for pair in pairs]
    estimate = estimates[0] if len(estimates) == 1 else mean_over_tasks(estimates)
    return Effect(estimate, min(len(pair.seeds) for pair in pairs))


@cache
def _entrants(collection: Path, backbone: str) -> list[Entrant]:
    return entrants_of_collection(collection, backbone)


@dataclass(frozen=True)
class _Pair:
    """Both sides of a test on one task; where a measure has no reference, the two are the same."""

    test: Test
    collection: Path
    task: str
    ours: Entrant
    theirs: Entrant

    @property
    def seeds(self) -> list[int]:
        """Seeds that both sides have."""
        of_sides = [{seed for task, seed in side.models if task == self.task} for side in (self.ours, self.theirs)]
        return sorted(set.intersection(*of_sides))

    def outputs(self, side: Entrant, seed: int) -> ExitOutputs:
        """Outputs of a side's only model on the evaluated split."""
        models = side.models[self.task, seed]
        if len(models) > 1:
            raise InputError(f"claims: {side.name} has one model per operating point, and no single one to measure.")
        return models[0][self.test.split]

    def paired(self, quantity: Callable[[Entrant, int], float]) -> Estimate:
        """Difference of a quantity of a side and a seed, mean over the seeds of both."""
        return mean_over_seeds([quantity(self.ours, seed) - quantity(self.theirs, seed) for seed in self.seeds])


def _score(pair: _Pair) -> Estimate:
    return _score_difference(pair, dict.fromkeys(pair.test.speedups, 1 / len(pair.test.speedups)))


def _score_gain(pair: _Pair) -> Estimate:
    low, high = pair.test.speedups
    return _score_difference(pair, {low: -1.0, high: 1.0})


def _score_difference(pair: _Pair, weights: Mapping[float, float]) -> Estimate:
    """Difference of a weighted sum of scores over speed-ups, in percent; NaN where a curve ends before one of them.

    Accuracy is linear in the probabilities of being right, so that sums of points are as good as points.
    """
    task = TASKS[pair.task]
    if task.metrics != ("accuracy",) and len(weights) > 1:
        raise InputError(f"claims: several speed-ups need a task scored by accuracy alone, which {pair.task} is not.")
    sides: list[dict[int, OperatingPoint]] = [{}, {}]
    for speedup, weight in weights.items():
        for entrant, side in zip((pair.ours, pair.theirs), sides, strict=True):
            for seed, point in points_at([entrant], speedup, pair.test.split)[pair.task, entrant.name].items():
                if point is None:
                    return Estimate(nan)
                before = side[seed].right if seed in side else 0.0
                side[seed] = replace(point, right=before + weight * point.right)
    estimate = mean_difference(*sides, task)
    in_percent = {
        "seed_variance": 100**2 * estimate.seed_variance,
        "example_variance": 100**2 * estimate.example_variance,
    }
    return replace(estimate, value=100 * estimate.value, **in_percent)


def _dis(pair: _Pair) -> Estimate:
    def dis(side: Entrant, seed: int) -> float:
        outputs, rule = pair.outputs(side, seed), rule_named(side.rule)
        right = outputs.answers(rule)[:, :-1] == outputs.labels[:, None]
        values = difficulty_inversion_score(outputs.exit_scores(rule), right, rule.harder_is)
        exits = pair.test.exits or range(1, len(values) + 1)
        return float(np.mean([values[number - 1] for number in exits]))

    return pair.paired(dis)


def _training_loss(pair: _Pair) -> Estimate:
    losses = {}
    for run in published_runs(pair.collection):
        if (run.backbone, run.task) == (pair.test.backbone, pair.task):
            facts = published_facts(run)["run"]
            losses[f"{facts['variant']} ({facts['rule']})", run.seed] = load_arrays(run.file)["history-mean_ce"].mean()
    return pair.paired(lambda side, seed: float(losses[side.name, seed]))


def _exit_of_errors(pair: _Pair) -> Estimate:
    def later(seed: int, speedup: float) -> float:
        outputs, rule = pair.outputs(pair.ours, seed), rule_named(pair.ours.rule)
        scores = outputs.exit_scores(rule)
        threshold, _ = threshold_for_speedup(scores, speedup, rule.harder_is, rule.thresholds)
        layers = np.asarray(outputs.exit_depths)[exit_layers(scores, threshold, rule.harder_is)]
        wrong = outputs.answers(rule)[:, -1] != outputs.labels
        return float(layers[wrong].mean() - layers[~wrong].mean())

    return mean_over_seeds([float(np.mean([later(seed, s) for s in pair.test.speedups])) for seed in pair.seeds])


_MEASURES: Mapping[str, Callable[[_Pair], Estimate]] = {
    "score": _score,
    "score_gain": _score_gain,
    "dis": _dis,
    "training_loss": _training_loss,
    "exit_of_errors": _exit_of_errors,
}
