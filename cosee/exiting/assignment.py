"""Assignment of examples to exits under a budget: shares of every example, and the thresholds that realize them.

EENet (Ilhan et al. 2024) learns shares p [N, M] that stay close to a target distribution t over the exits, by
KL(t || p), while their mean cost meets a budget. In the released objective the weight of the budget is 10 M times that
of the divergence, so it is a condition here, and the shares are the exact solution instead of a network's.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from cosee.errors import InputError

FloatArray = NDArray[np.float64]

CLOSED = 2.0
"""Threshold of an exit that nobody takes: no probability surpasses it."""

_NEWTON_STEPS = 100


def shares_within_budget(target: ArrayLike, costs: ArrayLike, budget: float) -> FloatArray:
    """The shares p [N, M] with the least mean KL(t || p) among those whose mean cost is the budget.

    By Lagrange they have the form p = t / (λ_n + μ c_k): one price μ for all examples is set by the budget, and λ_n by
    the sum of an example's shares, which is 1. With costs relative to the exit that shares move to, both are positive.

    Args:
        target: t, positive, sums of 1 [N, M].
        costs: ascending costs of the exits [M].
        budget: mean cost, between the lowest and the highest.

    Raises:
        InputError: no shares have this mean cost.
    """
    target, costs = np.asarray(target, dtype=np.float64), np.asarray(costs, dtype=np.float64)
    if not costs[0] < budget < costs[-1]:
        raise InputError(
            f"budget {budget:g}: the exits cost {costs[0]:g} to {costs[-1]:g}; choose a mean cost between them."
        )
    is_faster = budget < (target @ costs).mean()
    relative = costs - costs[0] if is_faster else costs[-1] - costs
    wanted = budget - costs[0] if is_faster else costs[-1] - budget

    target, relative = np.ascontiguousarray(target.T), relative[:, None]  # sums over exits are then sums of long rows

    def excess(price: float) -> float:
        return float((_shares(target, relative, price) * relative).sum(axis=0).mean() - wanted)

    if excess(0.0) <= 0:  # the target meets the budget, up to rounding
        return target.T
    highest = 1.0
    while excess(highest) > 0:
        highest *= 4
    return _shares(target, relative, brentq(excess, 0.0, highest, xtol=1e-10 * highest, rtol=1e-10)).T


def _shares(target: FloatArray, costs: FloatArray, price: float) -> FloatArray:
    """Shares t / (λ_n + μ c) of sum 1 [M, N] for a price μ; costs [M, 1] are 0 at one exit and more at the others.

    The sum is convex and falls in λ_n. Newton's steps from the share of the free exit, where the sum is 1 or more,
    never go beyond the root.
    """
    base, priced = target[(costs == 0)[:, 0]], price * costs
    for _ in range(_NEWTON_STEPS):
        divisor = base + priced
        shares = target / divisor
        step = (shares.sum(axis=0) - 1) / (shares / divisor).sum(axis=0)
        base = base + step
        if (step < 1e-11 * base).all():
            break
    shares = target / (base + priced)
    return shares / shares.sum(axis=0)


def quantile_thresholds(scores: ArrayLike, shares: ArrayLike) -> FloatArray:
    """Thresholds [M-1] with which exit after exit takes its share of the examples, those with the highest scores.

    The number of examples that exit up to k is the sum of the shares up to k, rounded. So the mean exit layer misses
    that of the shares by at most (M - 1) / 2N, but for examples with equal scores, which exit together. Thresholds lie
    midway between two scores, so that "above" and "at least" are the same here.

    Args:
        scores: of the internal exits, between 0 and 1 [N, M-1].
        shares: mean shares of all exits [M].

    Returns:
        `CLOSED` at exits that take nobody.
    """
    scores, remaining = np.asarray(scores, dtype=np.float64), np.arange(len(scores))
    gone = np.rint(np.cumsum(shares)[:-1] * len(scores)).astype(np.int64)
    thresholds = np.full(scores.shape[1], CLOSED)
    for exit, number in enumerate(gone):
        due = number - (len(scores) - len(remaining))  # where equal scores have exited together, fewer are due
        if due <= 0:
            continue
        here = scores[remaining, exit]
        lowest = np.sort(here)[-due]
        below = here[here < lowest].max(initial=0.0)
        middle = (below + lowest) / 2
        thresholds[exit] = middle if below < middle < lowest else below
        remaining = remaining[here <= thresholds[exit]]
    return thresholds
