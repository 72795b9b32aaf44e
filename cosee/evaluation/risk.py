"""Risk of exiting early: losses of an example, and the risk of a threshold with its confidence limits.

With the answers of the exit taken, of the last exit, and the label y, the loss of an example is 0 or 1:

    same    the answer differs from that of the last exit (needs no labels)
    harm    the last exit is right, and the answer is wrong
    error   the answer is wrong

The risk is its mean over the population. `cosee.evaluation.risk_procedures` chooses thresholds that keep a risk below a
level.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainccinv, betaincinv

from cosee.errors import InputError
from cosee.exiting.signals import Orientation
from cosee.exiting.simulation import exit_layers, reachable_exits

IntArray = NDArray[np.int64]

LOSSES = ("same", "harm", "error")
"""Kinds of loss."""

REALIZED_LEVEL = 0.95
"""Level of the two-sided limits of a realized risk."""


@dataclass(frozen=True)
class Realized:
    """Risk of a threshold on some examples.

    Attributes:
        risk: mean loss.
        low: lower Clopper-Pearson limit of the population's risk, at `REALIZED_LEVEL`.
        high: upper limit.
    """

    risk: float
    low: float
    high: float


def losses(predicted: ArrayLike, labels: ArrayLike, kind: str) -> IntArray:
    """Loss of every example at every exit, 0 or 1 [N, M].

    Args:
        predicted: predicted label ids of all exits [N, M].
        labels: label ids [N]; not read for `same`.
        kind: one of `LOSSES`.

    Raises:
        InputError: there is no such loss.
    """
    predicted = np.asarray(predicted)
    right = predicted == np.asarray(labels)[:, None]
    match kind:
        case "same":
            return (predicted != predicted[:, -1:]).astype(np.int64)
        case "harm":
            return (right[:, -1:] & ~right).astype(np.int64)
        case "error":
            return (~right).astype(np.int64)
    raise InputError(f"loss {kind!r}: unknown; expected one of {', '.join(LOSSES)}.")


def worst_so_far(loss: ArrayLike, scores: ArrayLike, harder_is: Orientation) -> IntArray:
    """Largest loss of an example on its way from the last exit to each exit, as the threshold loosens [N, M].

    An example may exit wrongly at exit 5 and, one threshold further, at exit 3, which is right by luck. The loss at its
    exit then falls; this one never does. At exits that the example takes at no threshold it has no meaning.

    Args:
        loss: losses [N, M].
        scores: scores of the internal exits [N, M-1].
        harder_is: orientation of the scores.
    """
    loss = np.asarray(loss, dtype=np.int64)
    met = np.concatenate([np.where(reachable_exits(scores, harder_is), loss[:, :-1], 0), loss[:, -1:]], axis=1)
    return np.maximum.accumulate(met[:, ::-1], axis=1)[:, ::-1]


def taken_exits(scores: ArrayLike, threshold: float | None, harder_is: Orientation) -> IntArray:
    """Exit of every example [N], 0-based; the last one for the threshold None."""
    num_examples, num_internal = np.shape(scores)
    if threshold is None:
        return np.full(num_examples, num_internal, dtype=np.int64)
    return exit_layers(scores, threshold, harder_is)


def realized(loss: ArrayLike, exits: ArrayLike) -> Realized:
    """Risk of examples that take some exits.

    Args:
        loss: losses [N, M], 0 or 1.
        exits: exit of every example [N], 0-based.
    """
    loss, exits = np.asarray(loss), np.asarray(exits)
    count, num_examples = int(loss[np.arange(len(exits)), exits].sum()), len(exits)
    tail = (1 - REALIZED_LEVEL) / 2
    low = betaincinv(count, num_examples - count + 1, tail) if count else 0.0
    high = betainccinv(count + 1, num_examples - count, tail) if count < num_examples else 1.0
    return Realized(count / num_examples, float(low), float(high))
