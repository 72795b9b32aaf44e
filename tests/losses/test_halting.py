import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cosee.exiting.rules import halted
from cosee.losses.halting import kl_divergence, log_geometric_prior, log_halting_distribution

LAMBDAS = st.lists(st.floats(1e-4, 1 - 1e-4), min_size=1, max_size=13)


def naive_distribution(lambdas, last_takes_rest):
    """One exit after the other, in probabilities."""
    stay, p = 1.0, []
    for probability in lambdas:
        p.append(stay * probability)
        stay *= 1 - probability
    return [*p[:-1], p[-1] + stay] if last_takes_rest else p


def distribution(lambdas, last_takes_rest=True):
    return log_halting_distribution(torch.tensor([lambdas], dtype=torch.float64), last_takes_rest).exp()


@given(LAMBDAS, st.booleans())
def test_the_distribution_is_that_of_a_loop(lambdas, last_takes_rest):
    expected = naive_distribution(lambdas, last_takes_rest)
    np.testing.assert_allclose(distribution(lambdas, last_takes_rest)[0], expected, rtol=1e-9)


@given(LAMBDAS)
def test_it_sums_to_one_or_lacks_the_tail(lambdas):
    tail = math.prod(1 - probability for probability in lambdas)
    assert distribution(lambdas, True).sum().item() == pytest.approx(1, abs=1e-12)
    assert distribution(lambdas, False).sum().item() == pytest.approx(1 - tail, abs=1e-12)


@given(LAMBDAS)
def test_summed_up_it_is_what_the_exit_rules_read(lambdas):
    summed = distribution(lambdas, False).cumsum(dim=-1)
    np.testing.assert_allclose(halted(None, np.array([lambdas])), summed, atol=1e-12)


@pytest.mark.parametrize("num_exits", [1, 4, 12])
@pytest.mark.parametrize("lambda_p", [0.1, 0.5, 0.9])
def test_the_prior_is_geometric_and_its_last_exit_takes_the_rest(num_exits, lambda_p):
    prior = log_geometric_prior(lambda_p, torch.empty(3, num_exits, dtype=torch.float64)).exp()
    expected = [lambda_p * (1 - lambda_p) ** m for m in range(num_exits - 1)]
    expected.append(1 - sum(expected))
    np.testing.assert_allclose(prior, [expected] * 3, atol=1e-12)
    np.testing.assert_allclose(prior.sum(dim=-1), 1, rtol=1e-12)


@given(LAMBDAS, st.randoms(use_true_random=False))
def test_the_divergence_is_that_of_a_loop_in_both_directions(lambdas, random):
    others = [random.uniform(0.01, 0.99) for _ in lambdas]
    p, q = naive_distribution(lambdas, True), naive_distribution(others, True)
    log_p, log_q = distribution(lambdas).log(), distribution(others).log()
    for (first, log_first), (second, log_second) in [((p, log_p), (q, log_q)), ((q, log_q), (p, log_p))]:
        naive = sum(a * math.log(a / b) for a, b in zip(first, second, strict=True))
        assert kl_divergence(log_first, log_second).item() == pytest.approx(naive, abs=1e-9)
        assert kl_divergence(log_first, log_second).item() >= -1e-12


def test_the_two_directions_differ_and_vanish_where_the_distributions_agree():
    log_p = log_halting_distribution(torch.tensor([[0.3, 0.6, 0.2]]), True)
    log_q = log_geometric_prior(0.1, log_p)
    assert abs(kl_divergence(log_p, log_q) - kl_divergence(log_q, log_p)).item() > 0.05
    assert kl_divergence(log_p, log_p).item() == 0


def test_the_gradient_is_that_of_finite_differences():
    lambdas = torch.tensor([[0.2, 0.7, 0.4], [0.5, 0.1, 0.9]], dtype=torch.float64, requires_grad=True)

    def both(last_takes_rest):
        def loss(lambdas):
            log_p = log_halting_distribution(lambdas, last_takes_rest)
            log_q = log_geometric_prior(0.1, log_p)
            return kl_divergence(log_p, log_q), kl_divergence(log_q, log_p)

        return loss

    assert torch.autograd.gradcheck(both(True), lambdas)
    assert torch.autograd.gradcheck(both(False), lambdas)


def test_the_last_lambda_matters_only_where_the_tail_is_missing():
    lambdas = torch.full((2, 4), 0.3, requires_grad=True)
    for last_takes_rest in (True, False):
        log_p = log_halting_distribution(lambdas, last_takes_rest)
        (gradient,) = torch.autograd.grad((log_p.exp() * torch.arange(4)).sum(), lambdas)
        assert (gradient[:, -1] == 0).all() == last_takes_rest
        assert (gradient[:, :-1] != 0).all()


def test_the_divergence_pulls_lambdas_towards_the_prior():
    lambdas = torch.tensor([[0.05, 0.5, 0.9]], requires_grad=True)
    log_p = log_halting_distribution(lambdas, True)
    log_q = log_geometric_prior(0.3, log_p)
    for loss in (kl_divergence(log_p, log_q), kl_divergence(log_q, log_p)):
        (gradient,) = torch.autograd.grad(loss.sum(), lambdas, retain_graph=True)
        assert gradient[0, 0] < 0 < gradient[0, 1]  # the first is too small, the second too large


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("last_takes_rest", [True, False])
def test_saturated_lambdas_give_finite_losses_and_gradients(dtype, value, last_takes_rest):
    lambdas = torch.full((1, 12), value, dtype=dtype, requires_grad=True)
    log_p = log_halting_distribution(lambdas, last_takes_rest)
    log_q = log_geometric_prior(0.1, log_p)
    loss = kl_divergence(log_p, log_q) + kl_divergence(log_q, log_p)
    (gradient,) = torch.autograd.grad(loss.sum(), lambdas)
    assert loss.isfinite().all() and gradient.isfinite().all()
