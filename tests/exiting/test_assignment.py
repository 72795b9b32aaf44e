"""Shares of exits under a budget, and the thresholds that realize them, against naive versions."""

import numpy as np
import pytest

from cosee.errors import InputError
from cosee.exiting.assignment import CLOSED, quantile_thresholds, shares_within_budget


def targets_of(seed, num_examples=40, num_exits=6):
    return np.random.default_rng(seed).dirichlet(np.ones(num_exits) * 4, num_examples)


def bisected(low, high, is_above):
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if is_above(middle) else (low, middle)
    return (low + high) / 2


def naive_shares(target, costs, budget):
    """Example by example, by two nested bisections of the Lagrange conditions."""
    is_faster = budget < np.mean([sum(t * c for t, c in zip(row, costs, strict=True)) for row in target])
    relative = [c - costs[0] if is_faster else costs[-1] - c for c in costs]
    wanted = budget - costs[0] if is_faster else costs[-1] - budget

    def at(price):
        rows = []
        for row in target.tolist():
            base = bisected(
                1e-15, 1.0, lambda b, row=row: sum(t / (b + price * c) for t, c in zip(row, relative, strict=True)) > 1
            )
            rows.append([t / (base + price * c) for t, c in zip(row, relative, strict=True)])
        return rows

    def mean_cost(price):
        return np.mean([sum(p * c for p, c in zip(row, relative, strict=True)) for row in at(price)])

    return np.array(at(bisected(0.0, 100.0, lambda price: mean_cost(price) > wanted)))


def divergence(target, shares):
    return (target * np.log(target / shares)).sum(axis=1).mean()


@pytest.mark.parametrize("budget", [1.2, 2.0, 3.0, 5.0, 5.8])
def test_shares_meet_the_budget_and_are_those_of_the_naive_version(budget):
    target, costs = targets_of(0, num_examples=5), [1, 2, 3, 4, 5, 6]
    shares = shares_within_budget(target, costs, budget)
    assert (shares > 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    assert (shares @ costs).mean() == pytest.approx(budget, abs=1e-6)
    np.testing.assert_allclose(shares, naive_shares(target, costs, budget), atol=1e-6)


@pytest.mark.parametrize("budget", [2.0, 5.0])
def test_no_other_shares_with_this_cost_are_closer_to_the_target(budget):
    target, costs = targets_of(1), np.arange(1, 7)
    shares = shares_within_budget(target, costs, budget)
    best, rng, plane = divergence(target, shares), np.random.default_rng(2), np.stack([np.ones(6), costs])
    for size in (1e-3, 1e-2):
        step = rng.normal(0, size, shares.shape) * shares.min()
        step -= step @ np.linalg.pinv(plane) @ plane  # keeps the sum and the cost of every example
        assert (shares + step > 0).all()
        assert divergence(target, shares + step) > best


def test_a_target_that_meets_the_budget_is_the_answer():
    target, costs = targets_of(3), np.arange(1, 7)
    np.testing.assert_allclose(shares_within_budget(target, costs, (target @ costs).mean()), target, atol=1e-6)


@pytest.mark.parametrize("budget", [0.5, 1, 6, 7])
def test_impossible_budgets_are_refused(budget):
    with pytest.raises(InputError, match=r"the exits cost 1 to 6; choose a mean cost between them\."):
        shares_within_budget(targets_of(4), np.arange(1, 7), budget)


def naive_exits(scores, shares):
    """Exit of every example: one exit after the other takes the best of those that are left."""
    count, num_internal = scores.shape
    exits, left, total = [num_internal] * count, set(range(count)), 0.0
    for exit in range(num_internal):
        total += shares[exit]
        due = round(total * count) - (count - len(left))
        for example in sorted(left, key=lambda n: -scores[n, exit])[:due]:
            exits[example] = exit
            left.remove(example)
    return exits


def exits_of(scores, thresholds):
    passed = np.pad(scores > thresholds, ((0, 0), (0, 1)), constant_values=True)
    return passed.argmax(axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_give_the_exits_of_the_naive_version_and_the_cost_of_the_shares(seed):
    rng = np.random.default_rng(seed)
    scores, shares = rng.random((200, 5)), rng.dirichlet(np.ones(6))
    exits = exits_of(scores, quantile_thresholds(scores, shares))
    assert exits.tolist() == naive_exits(scores, shares)
    assert abs(exits.mean() - shares @ np.arange(6)) <= 5 / (2 * 200) + 1e-9


def test_equal_scores_exit_together_and_later_exits_make_up_for_it():
    scores = np.array([[0.5, 0.9], [0.5, 0.1], [0.5, 0.3], [0.2, 0.8]])
    thresholds = quantile_thresholds(scores, [0.25, 0.5, 0.25])
    assert exits_of(scores, thresholds).tolist() == [0, 0, 0, 2] and thresholds[1] == CLOSED


def test_an_exit_without_a_share_takes_nobody_and_one_with_all_takes_all():
    scores = np.random.default_rng(0).random((30, 2))
    assert quantile_thresholds(scores, [0, 0, 1]).tolist() == [CLOSED, CLOSED]
    assert quantile_thresholds(scores, [0, 1, 0])[1] < scores[:, 1].min()
