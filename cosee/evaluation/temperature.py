"""Temperature per exit (Guo et al. 2017): the one that makes the labels of a split most likely."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosee.errors import InputError
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.signals import log_softmax

BOUNDS = (0.01, 100.0)
"""Lowest and highest temperature; that of an exit without an error, or without any skill, would lie beyond."""

_STEPS = 60


def fit_temperatures(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Temperatures [M] that minimize the mean cross-entropy of logits [N, M, C] / temperature against labels [N].

    The cross-entropy is convex in the inverse temperature b, with the derivative mean_n (E_p[f] - f_label), where p is
    the softmax of b f. Its root is bisected for all exits at once.
    """
    logits, labels = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    of_label = np.take_along_axis(logits, labels[:, None, None], axis=-1)[..., 0]
    low, high = (np.full(logits.shape[1], np.log(1 / bound)) for bound in reversed(BOUNDS))
    for _ in range(_STEPS):
        middle = (low + high) / 2
        p = np.exp(log_softmax(np.exp(middle)[:, None] * logits))
        too_sure = ((p * logits).sum(axis=-1) - of_label).mean(axis=0) > 0
        low, high = np.where(too_sure, low, middle), np.where(too_sure, middle, high)
    return np.exp(-(low + high) / 2)


def temperatures_of(outputs: ExitOutputs) -> tuple[float, ...]:
    """Temperatures of a model's exits, from its outputs on a split with labels on which nothing is reported.

    Raises:
        InputError: the split has no public labels.
    """
    if (outputs.labels < 0).any():
        raise InputError("temperatures: the split has examples without a label; choose one with labels, such as sel.")
    return tuple(fit_temperatures(outputs.logits, outputs.labels).tolist())
