"""Calibration of answers: how well the probability of a predicted class tells how often it is right.

The answer of an example is that of the exit which it takes. Exiting where confidence is high selects examples whose
confidence is too high by luck; JEI-DNN (Regol et al. 2024) claims to mend that. Pure functions in float64 NumPy.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosee.evaluation.metrics import cross_entropy
from cosee.exiting.signals import log_softmax

BINS = 15
"""Bins of the expected calibration error, as in Guo et al. (2017)."""

CALIBRATION = ("early", "exit_bias", "ece", "nll", "ece_last", "nll_last")
"""Measures of `answer_calibration`."""


def confidences(logits: ArrayLike) -> NDArray[np.float64]:
    """Probability of the predicted class [...], of logits [..., C]."""
    return np.exp(log_softmax(np.asarray(logits, dtype=np.float64)).max(axis=-1))


def exit_bias(confidence: ArrayLike, correct: ArrayLike, early: ArrayLike) -> float:
    """Mean confidence minus accuracy of the examples that exit early; above 0: too sure; NaN if none exits early.

    Args:
        confidence: probability of the predicted class [N].
        correct: whether the answer is right [N].
        early: whether the example exits before the last exit [N].
    """
    early = np.asarray(early, dtype=bool)
    if not early.any():
        return float("nan")
    return float((np.asarray(confidence, dtype=np.float64) - np.asarray(correct))[early].mean())


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = BINS) -> float:
    """Expected calibration error: distance of accuracy and mean confidence, mean over bins weighted by examples.

    Args:
        confidence: probability of the predicted class [N].
        correct: whether the answer is right [N].
        bins: bins of equal width over (0, 1], each with its upper edge.
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    bin_of = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    excess = np.bincount(bin_of, confidence - np.asarray(correct, dtype=np.float64), minlength=bins)
    return float(np.abs(excess).sum() / confidence.size)


def answer_calibration(logits: ArrayLike, labels: ArrayLike, layers: ArrayLike) -> dict[str, float]:
    """Calibration of the answers at one operating point, and of the last exit for comparison.

    Args:
        logits: of every exit [N, M, C].
        labels: label ids [N].
        layers: exit of every example [N], 0-based.

    Returns:
        `CALIBRATION`: share of the examples that exit before the last exit, bias of these, expected calibration error
        and mean negative log-likelihood (nats) of all answers, and both of all examples at the last exit.
    """
    logits, labels, layers = np.asarray(logits), np.asarray(labels), np.asarray(layers)
    early = layers < logits.shape[1] - 1
    answers, last = logits[np.arange(len(labels)), layers], logits[:, -1]
    found = {"early": float(early.mean())}
    for given, suffix in ((answers, ""), (last, "_last")):
        confidence, correct = confidences(given), given.argmax(axis=-1) == labels
        if not suffix:
            found["exit_bias"] = exit_bias(confidence, correct, early)
        found[f"ece{suffix}"] = expected_calibration_error(confidence, correct)
        found[f"nll{suffix}"] = float(cross_entropy(given, labels).mean())
    return found
