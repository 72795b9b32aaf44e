"""EENet (Ilhan et al. 2024): a schedule of exits, fitted to stored logits, for a given mean cost.

Every exit has a scorer, which estimates whether the exit is right, and a threshold. A scorer is linear, as in the
released code: it reads the probabilities of the classes, the highest of them, one minus their normalized entropy, and
the scores of the exits before it. Scorers and the shares of the exits are fitted in turn: a scorer learns by a
cross-entropy whose weights are the shares of its exit, and the shares follow scores and budget
(`cosee.exiting.assignment`). Nothing is drawn at random.

Differences from the released code are listed in docs/choices.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import ArrayLike, NDArray

from cosee.errors import InputError
from cosee.exiting.assignment import quantile_thresholds, shares_within_budget
from cosee.exiting.signals import Array, log_softmax, normalized_entropy, softmax_score

FloatArray = NDArray[np.float64]

SPEEDUPS = (1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0)
"""Speed-ups in layers for which a model gets a schedule, if it has more layers than that."""

RIDGE = 1e-2
"""Weight decay of the scorers, that of the released code."""

TURNS = 2
"""How often scorers and shares are fitted in turn, after scorers that were fitted with equal shares."""


@dataclass(frozen=True)
class Schedule:
    """Scorers and thresholds of the internal exits of a model, for one budget.

    Attributes:
        speedup: the budget, as layers of the full model over mean exit layer.
        weights: weights of every scorer [M-1, C+2+M-2]: of C probabilities, the highest, the certainty, and the scores
            of earlier exits; those of later exits are 0.
        thresholds: an example exits where its score is above [M-1].
    """

    speedup: float
    weights: tuple[tuple[float, ...], ...]
    thresholds: tuple[float, ...]


def read_schedule(row: Mapping[str, Any]) -> Schedule:
    """A schedule from its fields, such as those of a config.json.

    Raises:
        InputError: a field is missing, or is something else than numbers of the shapes of a schedule.
    """
    try:
        weights, thresholds = (np.array(row[name], dtype=np.float64) for name in ("weights", "thresholds"))
        speedup = float(row["speedup"])
        is_whole = weights.ndim == 2 and thresholds.shape == weights.shape[:1]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"schedule: {error} is missing or no number; export the model again.") from error
    if not (is_whole and np.isfinite(weights).all() and np.isfinite([*thresholds, speedup]).all()):
        raise InputError("schedule: its weights and thresholds are none of a model; export the model again.")
    return Schedule(speedup, tuple(map(tuple, weights.tolist())), tuple(thresholds.tolist()))


def exit_features(logits: Array) -> Array:
    """What a scorer reads of its own exit: logits [N, m, C] -> probabilities, highest one and certainty [N, m, C+2]."""
    xp = array_namespace(logits)
    certainty = 1 - normalized_entropy(logits)
    return xp.concat([xp.exp(log_softmax(logits)), softmax_score(logits)[..., None], certainty[..., None]], axis=-1)


def correctness(logits: Array, schedule: Schedule) -> Array:
    """Estimated probabilities that the first m exits are right [N, m], from their logits [N, m, C]; 1 at the last exit.

    Row by row and exit by exit the same operations, whatever other examples and later exits there are: so stepping
    through the layers gives the very numbers of the simulation. At the last exit nothing is decided.
    """
    xp, features = array_namespace(logits), exit_features(logits)
    own, scores = features.shape[-1], []
    for exit in range(features.shape[1]):
        if exit == len(schedule.weights):
            scores.append(xp.ones_like(features[:, exit, 0]))
            break
        weights = xp.asarray(schedule.weights[exit], dtype=features.dtype, device=features.device)
        log_odds = xp.sum(features[:, exit] * weights[:own], axis=-1)
        for earlier, score in enumerate(scores):
            log_odds = log_odds + weights[own + earlier] * score
        scores.append(_sigmoid(log_odds))
    return xp.stack(scores, axis=-1)


def margins(logits: Array, schedule: Schedule) -> Array:
    """How far the scores of the first m exits lie above their thresholds [N, m]; an example exits where above 0."""
    scores = correctness(logits, schedule)
    xp = array_namespace(scores)
    limits = xp.asarray([*schedule.thresholds, 0.0][: scores.shape[1]], dtype=scores.dtype, device=scores.device)
    return scores - limits


def fit_schedules(logits: ArrayLike, labels: ArrayLike, speedups: Iterable[float] = SPEEDUPS) -> tuple[Schedule, ...]:
    """A schedule for every speed-up that the model can have, each fitted by itself.

    Args:
        logits: of all exits, on examples that the exits have not learned from [N, M, C].
        labels: label ids [N].
        speedups: layers of the full model over mean exit layer.

    Raises:
        InputError: an example has no label, or no speed-up is between 1 and M.
    """
    logits, labels = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    possible = [speedup for speedup in speedups if 1 < speedup < logits.shape[1]]
    if (labels < 0).any():
        raise InputError("a schedule is fitted to labels, which some examples lack; choose a split with labels.")
    if not possible:
        raise InputError(f"a schedule for a model of {logits.shape[1]} layers needs a speed-up between 1 and that.")
    is_right = (logits.argmax(axis=-1) == labels[:, None]).astype(np.float64)
    features = exit_features(logits)
    num_exits, num_features = logits.shape[1], features.shape[-1] + logits.shape[1] - 1
    equal = np.full(is_right.shape, 1 / num_exits)
    first = _fit_scorers(features, is_right, equal, np.zeros((num_exits, num_features)))
    return tuple(_fit(features, is_right, *first, speedup) for speedup in possible)


def _fit(
    features: FloatArray, is_right: FloatArray, weights: FloatArray, scores: FloatArray, speedup: float
) -> Schedule:
    """The schedule for one speed-up, from scorers and scores that are fitted with equal shares.

    Args:
        features: [N, M, C+2].
        is_right: whether the exits are right [N, M].
        weights: of the scorers [M, C+2+M-1].
        scores: their scores [N, M].
        speedup: the budget.
    """
    num_exits = is_right.shape[1]

    def shares() -> FloatArray:
        target = scores / scores.sum(axis=1, keepdims=True)
        return shares_within_budget(target, np.arange(1, num_exits + 1), num_exits / speedup)

    for _ in range(TURNS):
        weights, scores = _fit_scorers(features, is_right, shares(), weights)
    thresholds = quantile_thresholds(scores[:, :-1], shares().mean(axis=0))
    internal = weights[:-1, :-1]  # at the last exit nothing is decided
    return Schedule(float(speedup), tuple(map(tuple, internal.tolist())), tuple(thresholds.tolist()))


def _fit_scorers(
    features: FloatArray, is_right: FloatArray, shares: FloatArray, start: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Weights [M, D] and scores [N, M] of all scorers, exit by exit, as each reads the scores before it."""
    weights, scores = start.copy(), np.empty_like(is_right)
    for exit in range(is_right.shape[1]):
        inputs = np.concatenate([features[:, exit], scores[:, :exit]], axis=1)
        emphasis, used = shares[:, exit] / shares[:, exit].sum(), inputs.shape[1]
        weights[exit, :used] = fit_scorer(inputs, is_right[:, exit], emphasis, weights[exit, :used])
        scores[:, exit] = _sigmoid(inputs @ weights[exit, :used])
    return weights, scores


def fit_scorer(inputs: ArrayLike, is_right: ArrayLike, emphasis: ArrayLike, start: ArrayLike) -> FloatArray:
    """Weights [D] of a logistic scorer: the minimum of the weighted cross-entropy with weight decay, by Newton.

    Args:
        inputs: [N, D].
        is_right: 1 or 0 [N].
        emphasis: weights of the examples, of sum 1 [N].
        start: weights to start from [D].
    """
    inputs, is_right, emphasis = np.asarray(inputs), np.asarray(is_right), np.asarray(emphasis)

    def loss(weights: FloatArray) -> float:
        log_odds = inputs @ weights
        return emphasis @ (np.logaddexp(0, log_odds) - is_right * log_odds) + RIDGE / 2 * weights @ weights

    weights = np.array(start, dtype=np.float64)
    for _ in range(50):
        probability = _sigmoid(inputs @ weights)
        gradient = inputs.T @ (emphasis * (probability - is_right)) + RIDGE * weights
        if np.abs(gradient).max() < 1e-9:
            break
        curvature = (inputs * (emphasis * probability * (1 - probability))[:, None]).T @ inputs
        step = np.linalg.solve(curvature + RIDGE * np.eye(len(weights)), gradient)
        length, before = 1.0, loss(weights)
        while length > 1e-6 and loss(weights - length * step) > before:
            length /= 2
        weights = weights - length * step
    return weights


def _sigmoid(log_odds: Array) -> Array:
    """Logistic function, without overflow."""
    xp = array_namespace(log_odds)
    small = xp.exp(-xp.abs(log_odds))
    return xp.where(log_odds < 0, small, 1.0) / (1 + small)
