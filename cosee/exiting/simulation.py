"""Early exit simulated on stored scores: exit layers, trade-off curves, thresholds for a speed-up.

An example exits at the first internal exit whose score is easier than the threshold, and at the last exit if there is
none; the score comes from an exit rule (`cosee.exiting.rules`). Exit layers are 0-based: M-1 is the last.

A whole curve costs one sort. As the threshold loosens, an example only ever moves to an earlier exit, and only to one
that is easier than all exits before it; these moves, sorted by the score at which they happen, are the sweep.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosee.errors import InputError
from cosee.exiting.signals import Orientation

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Float = float | NDArray[np.float64]


def exit_layers(scores: ArrayLike, thresholds: ArrayLike, harder_is: Orientation) -> IntArray:
    """Exit of every example: the first whose score passes the threshold strictly, else the last.

    Args:
        scores: scores of the internal exits [N, M-1]; NaN never passes.
        thresholds: one threshold or [K].
        harder_is: "larger": exit where the score falls below the threshold; "smaller": where it surpasses it.

    Returns:
        Exit layers, 0-based, [N] or [K, N].
    """
    easiest = _easiest_so_far(scores, harder_is)
    limits = hardness(thresholds, harder_is)[..., None]
    # The exit layer is the number of exits up to which nothing has passed yet.
    layers = np.zeros(np.broadcast_shapes(limits.shape, easiest.shape[:1]), dtype=np.int64)
    for lowest in easiest.T:
        layers += ~(lowest < limits)
    return layers


@dataclass(frozen=True)
class Sweep:
    """All distinct operating points of a threshold sweep, from the slowest (no early exit) to the fastest.

    Attributes:
        thresholds: one threshold for every operating point [P].
        moved: number of the E moves that have happened at every operating point [P].
        example: number of the example that moves [E].
        before: its exit before the move [E], 0-based.
        after: its exit after the move [E], 0-based.
    """

    thresholds: FloatArray
    moved: IntArray
    example: IntArray
    before: IntArray
    after: IntArray

    def total(self, counts: ArrayLike) -> IntArray:
        """Sum over examples of counts [N, M], each taken at the example's exit, at every operating point [P]; exact."""
        counts = np.asarray(counts, dtype=np.int64)
        change = counts[self.example, self.after] - counts[self.example, self.before]
        return counts[:, -1].sum() + np.concatenate([[0], np.cumsum(change)])[self.moved]

    def mean(self, values: ArrayLike, num_examples: int) -> FloatArray:
        """Mean over examples of a value per exit [M], at every operating point [P]."""
        values = np.asarray(values, dtype=np.float64)
        change = np.cumsum(values[self.after] - values[self.before]) / num_examples
        return values[-1] + np.concatenate([[0.0], change])[self.moved]

    def executed_layers(self, num_examples: int, num_layers: int) -> IntArray:
        """Layers executed for all examples together, at every operating point [P]."""
        return self.total(np.broadcast_to(np.arange(1, num_layers + 1), (num_examples, num_layers)))


def sweep(scores: ArrayLike, harder_is: Orientation) -> Sweep:
    """Sweep the threshold over scores [N, M-1] and return every distinct operating point once.

    Each threshold lies midway between the two scores at which the exits change, so it is robust to rounding and carries
    over to other examples. The first is the easiest score itself (nothing is strictly easier), the last the next number
    beyond the hardest score that matters. `exit_layers` gives exactly the same exits for them.
    """
    easiest, is_record = _easiest_so_far(scores, harder_is), reachable_exits(scores, harder_is)
    last = easiest.shape[1]
    example, after = np.nonzero(is_record)
    before = np.full_like(after, last)
    same_example = example[1:] == example[:-1]
    before[:-1][same_example] = after[1:][same_example]

    values = easiest[is_record]
    order = np.argsort(values)
    distinct, num_moves = np.unique(values, return_counts=True)
    moved = np.concatenate([[0], np.cumsum(num_moves)])
    thresholds = hardness(_between(distinct), harder_is)  # turning the sign twice restores the signal's own scale
    return Sweep(thresholds, moved, example[order], before[order], after[order])


def reachable_exits(scores: ArrayLike, harder_is: Orientation) -> NDArray[np.bool_]:
    """Internal exits that an example takes at some threshold, those easier than all before them [N, M-1]."""
    easiest = _easiest_so_far(scores, harder_is)
    return easiest < np.pad(easiest, ((0, 0), (1, 0)), constant_values=np.inf)[:, :-1]


def random_scores(shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Uniform scores [N, M-1] in [0, 1) independent of the examples: the control for every signal."""
    return rng.random(shape)


def threshold_for_speedup(
    scores: ArrayLike, target: float, harder_is: Orientation, thresholds: Sequence[float] | None = None
) -> tuple[float, float]:
    """Threshold of the operating point whose speed-up is closest to the target, and that speed-up.

    Among two equally close points the slower one is taken.

    Args:
        scores: scores of the internal exits [N, M-1].
        target: speed-up.
        harder_is: orientation of the scores.
        thresholds: the ones to choose from; None: all.

    Raises:
        InputError: the target lies outside [1, M], which no threshold can reach.
    """
    num_examples, num_internal = np.shape(scores)
    num_layers = num_internal + 1
    if not 1 <= target <= num_layers:
        raise InputError(f"target speed-up {target}: with {num_layers} layers it must lie between 1 and {num_layers}.")
    if thresholds is None:
        points = sweep(scores, harder_is)
        thresholds = points.thresholds
        speedup = num_layers / (points.executed_layers(num_examples, num_layers) / num_examples)
    else:
        speedup = speedup_ratio(exit_layers(scores, np.asarray(thresholds), harder_is), num_layers)
    nearest = np.abs(speedup - target).argmin()
    return float(thresholds[nearest]), float(speedup[nearest])


def _easiest_so_far(scores: ArrayLike, harder_is: Orientation) -> FloatArray:
    """Running minimum over exits of the scores [N, M-1], oriented so that larger is harder and NaN hardest."""
    oriented = hardness(scores, harder_is)
    return np.minimum.accumulate(np.where(np.isnan(oriented), np.inf, oriented), axis=1)


def _between(values: FloatArray) -> FloatArray:
    """Thresholds [P] before, between and beyond the P-1 distinct ascending values; "value < threshold" splits them."""
    if not values.size:
        return np.array([np.nan])  # no example can exit early, whatever the threshold
    low, high = values[:-1], values[1:]
    with np.errstate(invalid="ignore", over="ignore"):
        middle = low + (high - low) / 2
    # Between neighbouring floats there is no midpoint; the upper one separates them just as well.
    middle = np.where((low < middle) & (middle < high), middle, high)
    return np.concatenate([values[:1], middle, [np.nextafter(values[-1], np.inf)]])


def speedup_ratio(exit_layers: ArrayLike, num_layers: int) -> Float:
    """Layers of the full model over layers executed (Eq. 12): a ratio of means, not a mean of ratios.

    Args:
        exit_layers: exit layers [N] or [K, N], 0-based.
        num_layers: depth M of the full model.

    Returns:
        Speed-up in [1, M], a number or [K].
    """
    return num_layers / (np.asarray(exit_layers) + 1).mean(axis=-1)


def hardness(values: ArrayLike, harder_is: Orientation) -> NDArray[np.float64]:
    """Scores or thresholds of a signal, with the sign turned if need be so that larger means harder."""
    values = np.asarray(values, dtype=np.float64)
    return values if harder_is == "larger" else 0.0 - values  # unlike -values, never gives -0.0
