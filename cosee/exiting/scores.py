"""Scores of exit rules: one number per exit from the outputs of the first m exits.

The score of an exit depends on this exit and those before it alone. Written for torch tensors and NumPy arrays alike,
through the array API.
"""

from collections.abc import Callable
from math import inf, log

from array_api_compat import array_namespace

from cosee.exiting.signals import Array, log_softmax

Score = Callable[[Array, Array | None], Array]
"""Logits [N, m, C] and learned scores [N, m] (or None) of the first m exits -> exit scores [N, m]."""

GOLDEN = (5**0.5 - 1) / 2
"""The inverse golden ratio, whose multiples modulo 1 cover [0, 1) most evenly."""


def agreements(logits: Array, scores: Array | None = None) -> Array:
    """Number of consecutive exits, up to each, that agree with the exit before them [N, m]; minus infinity for none.

    PABEE (Zhou et al. 2020) exits when the count reaches its patience P, at exit P+1 at the earliest. P is 1 or more:
    no threshold lets an example exit where the prediction has just changed. As the comparison is strict, a threshold of
    P - 1 is a patience of P.
    """
    xp = array_namespace(logits)
    predicted = xp.argmax(logits, axis=-1)
    counts = xp.zeros_like(logits[..., 0])
    for m in range(1, counts.shape[1]):
        counts[:, m] = (predicted[:, m] == predicted[:, m - 1]) * (counts[:, m - 1] + 1)
    return xp.where(counts > 0, counts, -inf)


def divergences(logits: Array, scores: Array | None = None) -> Array:
    """Jensen-Shannon divergence of each exit's prediction from the one before, over log 2: 0 to 1 [N, m].

    Infinity at the first exit. F-PABEE (Gao et al. 2023).
    """
    xp, log_p = array_namespace(logits), log_softmax(logits)
    before, here = log_p[:, :-1], log_p[:, 1:]
    middle = xp.logaddexp(before, here) - log(2)
    divergence = xp.exp(before) * (before - middle) + xp.exp(here) * (here - middle)
    divergence = xp.clip(xp.sum(divergence, axis=-1) / (2 * log(2)), min=0)  # rounding may give tiny negative values
    return xp.concat([xp.full_like(logits[:, :1, 0], inf), divergence], axis=1)


def consecutive(score: Score, patience: int) -> Score:
    """Hardest of the last `patience` scores, for a score where harder is larger; infinity before there are as many.

    It lies below a threshold if and only if the last `patience` scores all do: the counter of PCEE-BERT (Zhang et al.
    2022) and F-PABEE.
    """

    def hardest(logits: Array, scores: Array | None = None) -> Array:
        values = score(logits, scores)
        xp, length = array_namespace(values), values.shape[1]
        padded = xp.concat([xp.full_like(values[:, :1], inf)] * (patience - 1) + [values], axis=1)
        return xp.max(xp.stack([padded[:, i : i + length] for i in range(patience)]), axis=0)

    return hardest


def learned(logits: Array, scores: Array | None) -> Array:
    """Learned scores of the method, unchanged [N, m]."""
    return scores


def halted(logits: Array, scores: Array | None) -> Array:
    """Probability of having halted by each exit [N, m], from conditional halting probabilities.

    1 - prod_j (1 - lambda_j): the cumulative distribution that PALBERT's Q-exit (Balagansky & Gavrilov 2022) compares
    with a quantile.
    """
    return 1 - array_namespace(scores).cumulative_prod(1 - scores, axis=1)


def sampled(logits: Array, scores: Array | None) -> Array:
    """Probability of having halted by each exit minus the example's own number u in [0, 1); above 0 once halted [N, m].

    PonderNet (Banino et al. 2021) flips a coin with probability lambda at every exit. One uniform number per example
    gives the same distribution of exits (inverse-transform sampling). The numbers are multiples of the golden ratio
    modulo 1: they cover [0, 1) more evenly than random ones and are the same every time, which reduces the variance of
    results.

    The n-th example has the n-th number, so the examples must be those of a whole split.
    """
    xp = array_namespace(scores)
    numbers = xp.arange(1, scores.shape[0] + 1, dtype=xp.float64, device=scores.device)
    return halted(logits, scores) - (numbers * GOLDEN % 1)[:, None]


def gated(logits: Array, scores: Array | None) -> Array:
    """Probability of exiting at each exit, if none before was taken [N, m], of gates that share a stick of length 1.

    JEI-DNN (Regol et al. 2024): the stick's parts P_l = max(0, min(g_l, 1 - sum_{j<l} g_j)) are the probabilities of
    exiting, so gates of 0.4 and 0.4 exit at the second exit, with 0.4 / 0.6, although none of them is above one half.
    Once the stick is used up the value is 1.
    """
    xp = array_namespace(scores)
    until = xp.clip(xp.cumulative_sum(scores, axis=1), max=1)
    before = xp.concat([xp.zeros_like(until[:, :1]), until[:, :-1]], axis=1)
    left = 1 - before
    return xp.where(left > 0, (until - before) / xp.where(left > 0, left, 1), 1.0)
