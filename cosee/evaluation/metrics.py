"""Measures of accuracy, of speed and of exit signals, in float64 NumPy."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosee.data.tasks import Task
from cosee.exiting.signals import Orientation, log_softmax
from cosee.exiting.simulation import Float, hardness


def difficulty_inversion_score(
    signal: ArrayLike, correct: ArrayLike, harder_is: Orientation, ties: float = 0.5
) -> Float:
    """Difficulty inversion score (Li et al., 2021): how often the signal calls the harder of two examples harder.

    Over all pairs of an easy (right) and a hard (wrong) example, the percentage that the signal orders correctly, which
    with `ties=0.5` is 100 times the AUROC of the signal as a detector of errors. Sorting makes it O(N log N).

    Args:
        signal: exit signal [N], or of several exits [N, M-1]. Derive it from logits in float64: rounding makes ties.
        correct: whether the prediction is right, of the signal's shape; or [N, 1], one partition for every exit.
        harder_is: "larger" if a larger signal means a harder example.
        ties: weight of a pair with equal signals: 0.5 as in the AUROC, 0 for strict counting.

    Returns:
        Percentage, a number or [M-1]; NaN where there is no easy or no hard example, or where a signal is NaN.
    """
    scores = hardness(signal, harder_is)
    easy = np.broadcast_to(np.asarray(correct, dtype=bool), scores.shape)
    if scores.ndim == 1:
        return _concordance(scores[easy], scores[~easy], ties)
    return np.array([_concordance(s[e], s[~e], ties) for s, e in zip(scores.T, easy.T, strict=True)])


def _concordance(easy: NDArray[np.float64], hard: NDArray[np.float64], ties: float) -> float:
    """Percentage of pairs with easy < hard, plus `ties` times those with easy == hard."""
    if not easy.size or not hard.size or np.isnan(easy).any() or np.isnan(hard).any():
        return float("nan")
    easy = np.sort(easy)
    lower = np.searchsorted(easy, hard, side="left")
    equal = np.searchsorted(easy, hard, side="right") - lower
    return float(100 * (lower.sum() + ties * equal.sum()) / (easy.size * hard.size))


def glue_scores(predictions: ArrayLike, labels: ArrayLike, task: Task) -> dict[str, Float]:
    """Accuracy, F1 of class 1 and the task's GLUE score, all in 0..1.

    Args:
        predictions: predicted label ids [N] or [K, N].
        labels: label ids [N].
        task: decides whether there is an F1; the score is the mean of the task's metrics.

    Returns:
        `score`, `accuracy` and `f1` (NaN where the task has none), each a number or [K].
    """
    labels = np.asarray(labels)
    right = np.asarray(predictions) == labels
    return glue_scores_from_counts(right.sum(axis=-1), (right & (labels == 1)).sum(axis=-1), labels.size, task)


def glue_scores_from_counts(correct: ArrayLike, true_positives: ArrayLike, total: int, task: Task) -> dict[str, Float]:
    """The same scores from counts, which a sweep over thresholds can accumulate.

    The two counts suffice because F1 is only asked of binary tasks, where every error is a false positive or a false
    negative: F1 = 2 TP / (2 TP + FP + FN) = 2 TP / (2 TP + errors). Without any positive it is 0, as in scikit-learn.

    Args:
        correct: right predictions, a number or [K].
        true_positives: right predictions of class 1, a number or [K].
        total: number of examples N.
        task: as in `glue_scores`.
    """
    correct, doubled = np.asarray(correct), 2 * np.asarray(true_positives)
    values = {"accuracy": correct / total, "f1": np.full(correct.shape, np.nan)[()]}
    if "f1" in task.metrics:
        values["f1"] = doubled / np.maximum(doubled + total - correct, 1)
    return {"score": sum(values[metric] for metric in task.metrics) / len(task.metrics), **values}


def cross_entropy(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Cross-entropy in nats of logits [N, ..., C] against label ids [N] -> [N, ...]; stable for any finite logits."""
    log_p = log_softmax(np.asarray(logits, dtype=np.float64))
    index = np.asarray(labels).reshape(-1, *[1] * (log_p.ndim - 1))
    return -np.take_along_axis(log_p, index, axis=-1)[..., 0]
