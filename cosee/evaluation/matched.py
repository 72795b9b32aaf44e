"""Operating points of stored outputs: deployed at a given threshold, or matched in cost on the evaluated inputs.

Two methods whose thresholds were chosen on another split realize different speed-ups, and a curve may fall by points
of the score within that gap. For a comparison at *equal* cost the thresholds are placed on the evaluated inputs
themselves, as in budgeted batch classification (Huang et al. 2018, MSDNet). No label is needed: the mean exit layer is
a function of the exit scores alone.

A curve has finitely many operating points, so the target lies between two neighbors, a slow one with mean exit layer
L_slow and a fast one with L_fast. A random mixture, in which each example is answered by the fast point with
probability w and by the slow one otherwise, has the mean exit layer (1 - w) L_slow + w L_fast; it is the target L for

    w = (L_slow - L) / (L_slow - L_fast).

Nothing is drawn: an example is right with probability (1 - w) right_slow + w right_fast. Accuracy is linear in these
probabilities, hence exact in expectation. F1 is that of the expected counts TP and TP + FP + FN, which differs from the
expected F1 of drawn mixtures by terms of order 1/N.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import Rule
from cosee.exiting.simulation import exit_layers, sweep

_TOLERANCE = 1e-9  # of mean exit layers, which are ratios of whole numbers


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """Answers of one model, or of a mixture of two operating points, on one split.

    Attributes:
        right: probability that each example is answered correctly [N]; 0 or 1 without mixing.
        labels: label ids [N].
        speedup: layers of the full model over the mean exit layer.
    """

    right: NDArray[np.float64]
    labels: NDArray[np.integer]
    speedup: float


def deployed_point(outputs: ExitOutputs, rule: Rule | None, threshold: float) -> OperatingPoint:
    """A multi-exit model at a threshold; a static model, which has no rule, at its one exit."""
    exits = _exits(outputs, rule, threshold)
    mean_layer = np.asarray(outputs.exit_depths)[exits].mean()
    return OperatingPoint(_right(outputs, rule, exits), outputs.labels, float(outputs.num_layers / mean_layer))


def matched_point(models: Sequence[tuple[ExitOutputs, Rule | None]], target_speedup: float) -> OperatingPoint | None:
    """The mixture of neighboring operating points whose mean exit layer is exactly that of a speed-up.

    Args:
        models: outputs of every model of a curve on the evaluated split, with its exit rule; None for a static model,
            which has its own depth only. Methods without a test-time threshold have several, and rules with a patience
            come several times; the neighbors are then operating points of different models or rules.
        target_speedup: layers of the full model over the mean exit layer.

    Returns:
        The matched point; None if the target lies outside the range of the curve.
    """
    first, target = models[0][0], models[0][0].num_layers / target_speedup
    points = [_points(outputs, rule) for outputs, rule in models]
    thresholds, mean_layers = (np.concatenate(values) for values in zip(*points, strict=True))
    model = np.repeat(np.arange(len(models)), [len(values) for values, _ in points])
    slower = np.flatnonzero(mean_layers >= target - _TOLERANCE)
    faster = np.flatnonzero(mean_layers <= target + _TOLERANCE)
    if not slower.size or not faster.size:
        return None
    slow, fast = slower[mean_layers[slower].argmin()], faster[mean_layers[faster].argmax()]
    gap = mean_layers[slow] - mean_layers[fast]
    weight = 0.0 if gap <= _TOLERANCE else (mean_layers[slow] - target) / gap
    right_slow, right_fast = (
        _right(outputs, rule, _exits(outputs, rule, thresholds[point]))
        for point in (slow, fast)
        for outputs, rule in (models[model[point]],)
    )
    return OperatingPoint((1 - weight) * right_slow + weight * right_fast, first.labels, float(target_speedup))


def _points(outputs: ExitOutputs, rule: Rule | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds [P] and mean exit layers [P] of all operating points of one model."""
    depths, num_examples = np.asarray(outputs.exit_depths), len(outputs.labels)
    if rule is None:
        return np.array([np.nan]), depths.astype(np.float64)
    scores = outputs.exit_scores(rule)
    if rule.thresholds is not None:
        thresholds = np.asarray(rule.thresholds)
        return thresholds, depths[exit_layers(scores, thresholds, rule.harder_is)].mean(axis=-1)
    points = sweep(scores, rule.harder_is)
    layers = np.broadcast_to(depths, (num_examples, len(depths)))
    return points.thresholds, points.total(layers) / num_examples


def _exits(outputs: ExitOutputs, rule: Rule | None, threshold: float) -> NDArray[np.int64]:
    """Exit of each example [N], 0-based among the model's exits."""
    if rule is None:
        (_,) = outputs.exit_depths
        return np.zeros(len(outputs.labels), dtype=np.int64)
    return exit_layers(outputs.exit_scores(rule), threshold, rule.harder_is)


def _right(outputs: ExitOutputs, rule: Rule | None, exits: NDArray[np.int64]) -> NDArray[np.float64]:
    """Whether the answer of each example's exit is correct [N], 0 or 1."""
    chosen = outputs.answers(rule)[np.arange(len(exits)), exits]
    return (chosen == outputs.labels).astype(np.float64)
