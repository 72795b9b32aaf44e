"""Trade-off curves: score against speed-up at every operating point of stored outputs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cosee.data.tasks import Task
from cosee.evaluation.metrics import glue_scores, glue_scores_from_counts
from cosee.exiting.signals import Orientation
from cosee.exiting.simulation import FloatArray, exit_layers, sweep


def tradeoff_curve(
    scores: ArrayLike,
    predictions: ArrayLike,
    labels: ArrayLike,
    harder_is: Orientation,
    task: Task,
    exit_costs: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Exact trade-off curve: one row for every distinct operating point, by increasing speed-up.

    Args:
        scores: scores of the internal exits [N, M-1].
        predictions: predicted label ids of all exits [N, M].
        labels: label ids [N].
        harder_is: orientation of the scores.
        task: decides the metrics.
        exit_costs: cost of each exit [M] in encoder layers; None: 1 to M.

    Returns:
        Columns threshold, mean_exit_layer (1-based), speedup (layers), speedup_flops (costs), score, accuracy, f1.
    """
    predictions, labels = np.asarray(predictions), np.asarray(labels)[:, None]
    points = sweep(scores, harder_is)
    right = predictions == labels
    correct, true_positives = points.total(right), points.total(right & (labels == 1))
    return _curve(
        points.thresholds,
        points.executed_layers(*predictions.shape) / len(labels),
        points.mean(_costs(exit_costs, predictions.shape[1]), len(labels)),
        predictions.shape[1],
        glue_scores_from_counts(correct, true_positives, len(labels), task),
    )


def points_curve(
    scores: ArrayLike,
    thresholds: ArrayLike,
    predictions: ArrayLike,
    labels: ArrayLike,
    harder_is: Orientation,
    task: Task,
    exit_costs: Sequence[float] | None = None,
) -> pd.DataFrame:
    """The operating points of given thresholds [K], as rows of `tradeoff_curve`."""
    predictions = np.asarray(predictions)
    num_examples, num_layers = predictions.shape
    layers = exit_layers(scores, np.atleast_1d(thresholds), harder_is)
    costs = _costs(exit_costs, num_layers)[layers].mean(axis=1)
    chosen = glue_scores(predictions[np.arange(num_examples), layers], labels, task)
    return _curve(thresholds, (layers + 1).mean(axis=1), costs, num_layers, chosen)


def oracle_curve(
    predictions: ArrayLike, labels: ArrayLike, task: Task, exit_costs: Sequence[float] | None = None
) -> pd.DataFrame:
    """Upper bound: for k = M..1, exit at the first correct exit from layer k on, at the last one if there is none.

    Args:
        predictions: predicted label ids of all exits [N, M].
        labels: label ids [N].
        task: decides the metrics.
        exit_costs: cost of each exit [M] in encoder layers; None: 1 to M.

    Returns:
        The columns of `tradeoff_curve`, M rows by increasing speed-up; the threshold is NaN.
    """
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    num_examples, num_layers = predictions.shape
    right = predictions == labels[:, None]
    right[:, -1] = True  # the exit taken if none is correct
    layers = np.stack([first + right[:, first:].argmax(axis=1) for first in reversed(range(num_layers))])
    chosen = predictions[np.arange(num_examples), layers]
    costs = _costs(exit_costs, num_layers)[layers].mean(axis=1)
    return _curve(np.nan, (layers + 1).mean(axis=1), costs, num_layers, glue_scores(chosen, labels, task))


def downsample_curve(curve: pd.DataFrame, max_points: int = 500) -> pd.DataFrame:
    """At most `max_points` (>= 2) rows of a curve, evenly spread in speed-up, with both ends."""
    if len(curve) <= max_points:
        return curve
    speedup = curve["speedup"].to_numpy()
    grid = np.linspace(speedup[0], speedup[-1], max_points)
    right = np.searchsorted(speedup, grid).clip(1, len(speedup) - 1)
    nearest = np.where(grid - speedup[right - 1] <= speedup[right] - grid, right - 1, right)
    return curve.iloc[np.unique(nearest)].reset_index(drop=True)


def _costs(exit_costs: Sequence[float] | None, num_exits: int) -> FloatArray:
    return np.arange(1.0, num_exits + 1) if exit_costs is None else np.asarray(exit_costs)


def _curve(
    thresholds: ArrayLike, mean_layers: FloatArray, mean_costs: FloatArray, num_layers: int, scores: dict
) -> pd.DataFrame:
    speedups = {"speedup": num_layers / mean_layers, "speedup_flops": num_layers / mean_costs}
    return pd.DataFrame({"threshold": thresholds, "mean_exit_layer": mean_layers, **speedups, **scores})
