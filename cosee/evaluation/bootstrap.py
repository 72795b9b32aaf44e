"""Paired bootstrap: how sure a difference between two methods is, given few seeds and few rows.

A score varies with the seed of the training and with the rows it is measured on. Both are drawn again, with
replacement: seeds and rows independently of each other, and the same ones for both methods, as what makes a seed or a
row hard for one makes it hard for the other: the pigeonhole bootstrap (Owen 2007). It counts chance in single answers
more than once, which widens intervals; a spread seen in few seeds is too small, which narrows them.
(`scipy.stats.bootstrap` draws along one axis only.)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosee.data.tasks import Task
from cosee.evaluation.metrics import glue_scores, glue_scores_from_counts
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import Rule
from cosee.exiting.simulation import exit_layers, speedup_ratio

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """What one model answers at one operating point: predicted label ids [N], labels [N], speed-up."""

    predicted: NDArray[np.int64]
    labels: NDArray[np.integer]
    speedup: float


def operating_point_at(outputs: ExitOutputs, rule: Rule | None, threshold: float) -> OperatingPoint:
    """The answers of a multi-exit model at a threshold; of a static model, which has no rule, those of its one exit."""
    if rule is None:
        (depth,) = outputs.exit_depths
        return OperatingPoint(outputs.predicted[:, 0], outputs.labels, outputs.num_layers / depth)
    layers = exit_layers(outputs.exit_scores(rule), threshold, rule.harder_is)
    chosen = outputs.predicted[np.arange(len(layers)), layers]
    return OperatingPoint(chosen, outputs.labels, float(speedup_ratio(layers, outputs.num_layers)))


def score_difference(method: ArrayLike, reference: ArrayLike, labels: ArrayLike, task: Task) -> float:
    """Score of a method minus that of the reference, mean over seeds; arguments as for `paired_bootstrap`."""
    ours, theirs = (glue_scores(predicted, labels, task)["score"].mean() for predicted in (method, reference))
    return float(ours - theirs)


def paired_bootstrap(
    method: ArrayLike,
    reference: ArrayLike,
    labels: ArrayLike,
    task: Task,
    rng: np.random.Generator,
    num_replicates: int = 2000,
) -> FloatArray:
    """The score difference in replicates [R] of the experiment with seeds and rows drawn again.

    Scores are counts of rows, and rows that all models answer alike are counted together: drawing N rows is one
    multinomial draw over the few distinct patterns of answers, exactly.

    Args:
        method: predicted label ids [S, N], one row per seed.
        reference: the same of the reference, for the same seeds and rows.
        labels: label ids [N].
        task: decides the score; F1 is that of the drawn rows.
        rng: decides the draws.
        num_replicates: R.
    """
    predicted, labels = np.stack([method, reference]), np.asarray(labels)  # [2, S, N]
    _, num_seeds, num_rows = predicted.shape
    right = predicted == labels
    flags = np.stack([right, right & (labels == 1)])  # [2, 2, S, N]: right at all, right in class 1
    patterns, counts = np.unique(flags.reshape(-1, num_rows), axis=1, return_counts=True)
    rows = rng.multinomial(num_rows, counts / num_rows, num_replicates)
    seeds = rng.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), num_replicates)
    totals = (rows @ patterns.T).reshape(num_replicates, *flags.shape[:-1])
    ours, theirs = np.moveaxis(glue_scores_from_counts(totals[:, 0], totals[:, 1], num_rows, task)["score"], 1, 0)
    return ((ours - theirs) * seeds).sum(axis=1) / num_seeds


def interval(replicates: FloatArray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval that holds the share `level` of the replicates [R]."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
