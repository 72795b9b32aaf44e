"""Thresholds that keep a risk below a level, chosen on calibration examples on which nothing else was chosen.

Operating points are tried from the slowest (nobody exits early) to the fastest. With n calibration examples, level ε,
confidence 1 - δ, mean loss R at a point, and Lmax the largest loss of an example up to a point:

    naive    the fastest point with R <= ε. Promises nothing.
    crc      the fastest with (sum Lmax + 1)/(n + 1) <= ε. The mean of the risk over calibration sets is at most ε.
    ltt      the last before p = P(Binomial(n, ε) <= n R) first exceeds δ. The risk is at most ε with probability 1 - δ.
    shared   the ε-quantile of each example's easiest unsafe exit. P(exits unsafely | has an unsafe exit) <= ε.
    lynx     the ε-quantile of all unsafe exits of all examples. P(passes | the exit is unsafe) <= ε, for single exits.

An exit is unsafe where its loss is 1. Only `crc` and `ltt` promise anything about the risk itself that is not more
than asked for: `shared` (CATs, Schuster et al. 2021) promises more, `lynx` (Akgül et al. 2025) less, as an example with
several unsafe exits has several chances to take one.

`crc` is conformal risk control (Angelopoulos et al. 2024); it needs losses that never fall, hence Lmax. `ltt` is Learn
then Test (Angelopoulos et al. 2021) with fixed-sequence testing: the points are tested in order until one fails, and
the last that passed is taken. Its points come from the calibration examples, and the promise holds all the same,
because every distinct point is tested: let λ be the first threshold beyond which the risk exceeds ε, a number that
no example decides. If the chosen threshold is at fault, thresholds arbitrarily close to λ passed, which each does with
probability δ at most. A sweep that leaves points out has no such promise.

Each level holds by itself; nothing is promised about several levels at once, or about one chosen by its result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, log

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainccinv

from cosee.errors import InputError
from cosee.evaluation.risk import worst_so_far
from cosee.exiting.signals import Orientation
from cosee.exiting.simulation import exit_layers, hardness, sweep

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PROCEDURES = ("naive", "crc", "ltt", "shared", "lynx")
"""The procedures by name."""

QUANTILES = ("shared", "lynx")
"""Those that take a quantile of scores, and so need one model and its scores."""


@dataclass(frozen=True)
class CalibrationPoints:
    """Operating points from the slowest to the fastest, with their losses on the calibration examples.

    Attributes:
        model: number of the model that each belongs to [P]; a curve may consist of several models.
        thresholds: threshold of each [P].
        total: sum of the losses over examples at each [P].
        worst_total: sum of each example's largest loss up to each [P].
        num_examples: calibration examples.
    """

    model: IntArray
    thresholds: FloatArray
    total: IntArray
    worst_total: IntArray
    num_examples: int


def swept_points(scores: ArrayLike, loss: ArrayLike, harder_is: Orientation) -> CalibrationPoints:
    """Every distinct operating point of one model.

    Args:
        scores: scores of the internal exits [N, M-1].
        loss: losses [N, M].
        harder_is: orientation of the scores.
    """
    points = sweep(scores, harder_is)
    worst = points.total(worst_so_far(loss, scores, harder_is))
    model = np.zeros(len(points.thresholds), dtype=np.int64)
    return CalibrationPoints(model, points.thresholds, points.total(loss), worst, len(loss))


def given_points(
    models: Sequence[tuple[ArrayLike, ArrayLike]], thresholds: Sequence[float], harder_is: Orientation
) -> CalibrationPoints:
    """The points of one or more models at given thresholds.

    Args:
        models: scores [N, M-1] and losses [N, M] of each, from the slowest model to the fastest by an order that the
            calibration examples do not decide.
        thresholds: the method's own.
        harder_is: orientation of the scores.
    """
    ordered = np.asarray(thresholds, dtype=np.float64)
    ordered = ordered[np.argsort(hardness(ordered, harder_is), kind="stable")]
    taken = []
    for scores, loss in models:
        exits = exit_layers(scores, ordered, harder_is)
        taken.append(np.asarray(loss)[np.arange(exits.shape[1]), exits])
    losses = np.concatenate(taken)  # [P, N]
    worst = np.maximum.accumulate(losses, axis=0)
    model = np.repeat(np.arange(len(models)), len(ordered))
    return CalibrationPoints(
        model, np.tile(ordered, len(models)), losses.sum(axis=1), worst.sum(axis=1), losses.shape[1]
    )


def certified_point(points: CalibrationPoints, level: float, confidence: float, procedure: str) -> int | None:
    """Index of the point that a procedure chooses; None if it certifies none, so that nobody may exit early.

    Args:
        points: operating points with losses on the calibration examples.
        level: largest risk ε.
        confidence: 1 - δ, for `ltt` alone.
        procedure: `naive`, `crc` or `ltt`.

    Raises:
        InputError: there is no such procedure, or it takes a quantile.
    """
    match procedure:
        case "naive":
            passing = np.flatnonzero(points.total / points.num_examples <= level)
            return int(passing[-1]) if passing.size else None
        case "crc":
            passes = (points.worst_total + 1) / (points.num_examples + 1) <= level
        case "ltt":
            passes = smallest_levels(points, confidence) <= level
        case _:
            raise InputError(f"procedure {procedure!r}: chooses no operating point; expected naive, crc or ltt.")
    first_failure = len(passes) if passes.all() else int(np.argmin(passes))
    return first_failure - 1 if first_failure else None


def smallest_levels(points: CalibrationPoints, confidence: float) -> FloatArray:
    """Smallest level for which `ltt` takes each point or a faster one [P].

    The binomial test of a point passes at level ε if and only if ε is at least the one-sided Clopper-Pearson limit of
    its losses, and all slower points have to pass too.
    """
    return np.maximum.accumulate(_upper_limits(points.total, points.num_examples, confidence))


def calibrate(
    scores: ArrayLike,
    loss: ArrayLike,
    harder_is: Orientation,
    level: float,
    confidence: float = 0.9,
    procedure: str = "ltt",
    thresholds: Sequence[float] | None = None,
) -> float | None:
    """Threshold of one model that a procedure chooses on calibration examples; None: no early exit.

    Args:
        scores: scores of the internal exits [N, M-1].
        loss: losses [N, M].
        harder_is: orientation of the scores.
        level: largest risk ε.
        confidence: 1 - δ, for `ltt` alone.
        procedure: one of `PROCEDURES`.
        thresholds: the ones to choose from; None: all.

    Raises:
        InputError: there is no such procedure.
    """
    if procedure not in PROCEDURES:
        raise InputError(f"procedure {procedure!r}: unknown; expected one of {', '.join(PROCEDURES)}.")
    if thresholds is None:
        points = swept_points(scores, loss, harder_is)
    else:
        points = given_points([(scores, loss)], thresholds, harder_is)
    if procedure in QUANTILES:
        limit = unsafe_quantile(scores, loss, harder_is, level, per_example=procedure == "shared")
        fitting = np.flatnonzero(hardness(points.thresholds, harder_is) <= limit)
        if limit == -inf or (thresholds is not None and not fitting.size):
            return None
        if thresholds is None and limit < inf:
            return float(hardness(limit, harder_is))  # turning the sign twice restores the scale
        return float(points.thresholds[fitting[-1]])
    chosen = certified_point(points, level, confidence, procedure)
    return None if chosen is None else float(points.thresholds[chosen])


def unsafe_quantile(
    scores: ArrayLike, loss: ArrayLike, harder_is: Orientation, level: float, per_example: bool
) -> float:
    """Largest threshold, as a hardness, that a new unsafe score passes with probability `level` at most.

    The floor(ε (n + 1))-th smallest hardness of n unsafe scores; minus infinity if that is below the first (too few
    are known, and nobody may exit early), infinity if it is beyond the last.

    Args:
        scores: scores of the internal exits [N, M-1].
        loss: losses [N, M]; an exit is unsafe where it is 1.
        harder_is: orientation of the scores.
        level: largest probability ε.
        per_example: one score for each example that has an unsafe exit, its easiest; else those of all unsafe exits.
    """
    hard = hardness(scores, harder_is)
    unsafe = np.where((np.asarray(loss)[:, :-1] == 1) & ~np.isnan(hard), hard, inf)
    values = unsafe.min(axis=1) if per_example else unsafe.ravel()
    values = np.sort(values[values < inf])  # an infinite hardness passes no threshold
    rank = _floor(level * (len(values) + 1))
    if rank < 1:
        return -inf
    return inf if rank > len(values) else float(values[rank - 1])


def examples_needed(level: float, confidence: float = 0.9, procedure: str = "ltt") -> float:
    """Fewest calibration examples with which a procedure can certify a level at all, none of them having a loss.

    `ltt`: (1 - ε)^n <= δ. `crc`: 1/(n + 1) <= ε. Infinity for a level of 0.
    """
    if level >= 1:
        return 1
    if level <= 0:
        return inf
    if procedure == "crc":
        return max(1, ceil(1 / level - 1e-9) - 1)
    if procedure == "ltt":
        return max(1, ceil(log(1 - confidence) / log(1 - level)))
    return 1


def _upper_limits(counts: IntArray, num_examples: int, confidence: float) -> FloatArray:
    """One-sided Clopper-Pearson limits: the levels ε at which P(Binomial(n, ε) <= count) is 1 - confidence."""
    open_above = counts >= num_examples
    limits = betainccinv(counts + 1, np.where(open_above, 1, num_examples - counts), 1 - confidence)
    return np.where(open_above, 1.0, limits)


def _floor(value: float) -> int:
    """Largest whole number up to a product that is a whole number but for rounding."""
    return int(np.floor(value + 1e-9))
