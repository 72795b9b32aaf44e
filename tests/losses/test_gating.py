"""Targets, exact gates and head losses of JEI-DNN against plain loops and autograd."""

from math import log

import pytest
import torch
from torch.nn import functional as F

from cosee.losses.gating import (
    RIDGE,
    best_exits,
    exit_probabilities,
    gate_features,
    gate_loss,
    gate_targets,
    head_loss,
    positive_weights,
    solve_gates,
)
from cosee.losses.per_exit import exit_cross_entropies

N, M = 40, 5


def uniform(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def normal(*shape, seed=0):
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("classes", [2, 3])
def test_features_are_the_four_numbers_of_the_release(classes):
    logits = normal(6, classes).requires_grad_()
    found = gate_features(logits)
    for row, p in zip(found.tolist(), logits.double().softmax(-1).tolist(), strict=True):
        squares = [q * q / sum(x * x for x in p) for q in p]
        first, second = sorted(p)[-1:-3:-1]
        entropies = [-sum(q * log(q) for q in each) for each in (p, squares)]
        assert row == pytest.approx([first, entropies[0], first - second, entropies[1]], abs=1e-6)
    assert not found.requires_grad
    saturated = gate_features(torch.tensor([[300.0, -300.0]]))
    torch.testing.assert_close(saturated, torch.tensor([[1.0, 0.0, 1.0, 0.0]]))


def test_exit_probabilities_share_a_stick():
    found = exit_probabilities(torch.tensor([[0.4, 0.4, 0.4], [0.1, 0.2, 0.3], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    expected = [[0.4, 0.4, 0.2, 0.0], [0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    torch.testing.assert_close(found, torch.tensor(expected))
    gates = uniform(200, 6)
    found = exit_probabilities(gates)
    assert (found >= 0).all()
    torch.testing.assert_close(found.sum(1), torch.ones(200))
    for row, parts in zip(gates.tolist(), found.tolist(), strict=True):
        expected = [max(0.0, min(g, 1 - sum(row[:m]))) for m, g in enumerate(row)]
        assert parts == pytest.approx([*expected, 1 - sum(expected)], abs=1e-5)


def test_the_best_exit_is_the_cheapest_of_a_plain_loop():
    cross_entropy, costs = uniform(N, M), torch.linspace(1 / M, 1, M)

    def by_loop(price):
        totals = [[ce + price * k for ce, k in zip(row, costs.tolist(), strict=True)] for row in cross_entropy.tolist()]
        return [row.index(min(row)) for row in totals]

    for price in (0.0, 0.3, 1.0):
        assert best_exits(cross_entropy, costs, price).tolist() == by_loop(price)
    assert len(set(by_loop(0.3))) == M  # the last exit is among them
    assert best_exits(cross_entropy, costs, 0.0).tolist() == cross_entropy.argmin(1).tolist()
    assert not best_exits(cross_entropy, costs, 1e6).any()
    assert best_exits(torch.tensor([[0.5, 0.25, 0.25, 0.25]]), torch.ones(4), 1.0).tolist() == [1]


def test_targets_are_cumulative_and_none_where_the_last_exit_is_best():
    found = gate_targets(torch.tensor([0, 2, 3, 4]), M)
    assert found.tolist() == [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_positive_weights_count_examples_whose_best_exit_is_exactly_theirs():
    best = torch.tensor([0] * 4 + [1] * 10 + [3] + [4] * 5)  # none at exit 2
    assert positive_weights(best, M, 100.0).tolist() == pytest.approx([16 / 4, 10 / 10, 20, 19])
    assert positive_weights(best, M, 5.0).tolist() == pytest.approx([4, 1, 5, 5])
    everyone = positive_weights(torch.zeros(8, dtype=torch.int64), M, 5.0)
    assert (everyone > 0).all() and (everyone <= 5).all()


def problem(seed=0):
    """Features, cumulative targets and weights that a random model could have."""
    logits, labels = normal(N, M, 3, seed=seed), torch.randint(3, (N,), generator=torch.Generator().manual_seed(seed))
    best = best_exits(exit_cross_entropies(logits, labels), torch.linspace(1 / M, 1, M), 0.3)
    return gate_features(logits[:, :-1]), gate_targets(best, M), positive_weights(best, M, 5.0)


def gradient_at(weight, bias, features, targets, weights):
    weight, bias = weight.double().requires_grad_(), bias.double().requires_grad_()
    log_odds = (features.double() * weight).sum(-1) + bias
    loss = gate_loss(log_odds, targets.double(), weights.double()).sum()
    loss = loss + RIDGE / 2 * (weight.square().sum() + bias.square().sum())
    return torch.cat([part.flatten() for part in torch.autograd.grad(loss, (weight, bias))])


@pytest.mark.parametrize("seed", range(4))
def test_solved_gates_have_no_gradient_left_and_do_not_depend_on_the_start(seed):
    given = problem(seed)
    weight, bias = solve_gates(*given)
    assert gradient_at(torch.zeros_like(weight), torch.zeros_like(bias), *given).norm() > 0.1
    assert gradient_at(weight, bias, *given).norm() < 1e-8
    start = 5 * normal(M - 1, 5, seed=seed + 9)
    again = solve_gates(*given, start=start)
    torch.testing.assert_close(again[0], weight, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(again[1], bias, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_gates_whose_targets_are_all_equal_stay_finite(value):
    features, targets, weights = problem()
    weight, bias = solve_gates(features, torch.full_like(targets, value), weights)
    assert weight.isfinite().all() and bias.isfinite().all()
    probability = ((features * weight).sum(-1) + bias).sigmoid()
    assert (probability - value).abs().max() < 0.1


def test_targets_that_one_feature_separates_are_learned():
    features, _, weights = problem()
    targets = (features[..., 0] > features[..., 0].median(dim=0).values).float()
    weight, bias = solve_gates(features, targets, weights.clamp(max=1))
    assert gradient_at(weight, bias, features, targets, weights.clamp(max=1)).norm() < 1e-8
    assert ((((features * weight).sum(-1) + bias) > 0) == targets.bool()).float().mean() > 0.9


def test_the_gate_loss_is_weighted_binary_cross_entropy():
    log_odds, (_, targets, weights) = normal(N, M - 1), problem()
    p = log_odds.sigmoid()
    expected = -(weights * targets * p.log() + (1 - targets) * (1 - p).log()).mean(0)
    torch.testing.assert_close(gate_loss(log_odds, targets, weights), expected)


def head_gradient(weights):
    logits = normal(N, M, 2).requires_grad_()
    labels = torch.randint(2, (N,), generator=torch.Generator().manual_seed(1))
    cross_entropy, probabilities = exit_cross_entropies(logits, labels), exit_probabilities(uniform(N, M - 1) / 2)
    return torch.autograd.grad(head_loss(cross_entropy, probabilities, weights), logits)[0], logits, labels


def test_the_released_weights_cancel():
    released, logits, labels = head_gradient("released")
    each = F.cross_entropy(logits.flatten(0, 1), labels.repeat_interleave(M))
    unweighted = torch.autograd.grad(each, logits)[0]
    torch.testing.assert_close(released, unweighted, rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(head_gradient("none")[0], unweighted, rtol=1e-5, atol=1e-9)
    assert (head_gradient("paper")[0] - unweighted).abs().max() > 10 * (released - unweighted).abs().max()


def test_the_paper_s_weights_are_the_probabilities_of_exiting_there():
    found, logits, labels = head_gradient("paper")
    probabilities = exit_probabilities(uniform(N, M - 1) / 2)
    cross_entropy = exit_cross_entropies(logits, labels)
    ratio = cross_entropy.sum(1) / (probabilities * cross_entropy).sum(1)
    constant = (probabilities * ratio[:, None]).detach()
    expected = torch.autograd.grad((constant * cross_entropy).sum() / (N * M), logits)[0]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("weights", ["paper", "released", "none"])
def test_all_weights_have_the_same_loss_and_are_finite_where_nobody_exits(weights):
    cross_entropy, probabilities = uniform(N, M, seed=2), exit_probabilities(uniform(N, M - 1))
    torch.testing.assert_close(head_loss(cross_entropy, probabilities, weights), cross_entropy.mean())
    nobody = head_loss(cross_entropy.requires_grad_(), torch.zeros(N, M), weights)
    nobody.backward()
    assert nobody.isfinite() and cross_entropy.grad.isfinite().all()
