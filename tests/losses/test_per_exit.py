from math import exp, log

import pytest
import torch
from torch.nn import functional as F

from cosee.losses.per_exit import exit_cross_entropies, mutual_distillation, weighted_mean


def random_logits(*shape, seed=0):
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def probabilities(logits, temperature=1.0):
    total = sum(exp(x / temperature) for x in logits)
    return [exp(x / temperature) / total for x in logits]


def test_cross_entropies_are_those_of_every_sample_at_every_exit():
    logits, labels = random_logits(5, 4, 3), torch.tensor([0, 2, 1, 1, 0])
    expected = [
        [-log(probabilities(exit_logits)[label]) for exit_logits in row]
        for row, label in zip(logits.tolist(), labels.tolist(), strict=True)
    ]
    torch.testing.assert_close(exit_cross_entropies(logits, labels), torch.tensor(expected))


def test_a_weighted_mean_does_not_depend_on_the_scale_of_its_weights():
    losses, weights = torch.tensor([1.0, 4.0, 0.5]), torch.tensor([1, 2, 5])
    assert weighted_mean(losses, weights).item() == pytest.approx((1 * 1.0 + 2 * 4.0 + 5 * 0.5) / 8)
    torch.testing.assert_close(weighted_mean(losses, 7 * weights), weighted_mean(losses, weights))
    torch.testing.assert_close(weighted_mean(losses, torch.ones(3)), losses.mean())


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_distillation_is_the_divergence_of_every_exit_from_every_other(temperature):
    logits = random_logits(5, 4, 3)
    found = mutual_distillation(logits, temperature)
    assert found.shape == (5, 4, 4)
    for n, row in enumerate(logits.tolist()):
        for i, student in enumerate(row):
            for j, teacher in enumerate(row):
                pairs = zip(probabilities(teacher, temperature), probabilities(student, temperature), strict=True)
                divergence = sum(p * log(p / q) for p, q in pairs)
                assert found[n, i, j].item() == pytest.approx(temperature**2 * divergence, rel=1e-4, abs=1e-5)


def test_only_the_student_learns_from_a_distillation():
    logits = random_logits(1, 3, 2).requires_grad_()
    distances = mutual_distillation(logits, 2.0)[0]
    for i in range(3):
        for j in range(3):
            (gradient,) = torch.autograd.grad(distances[i, j], logits, retain_graph=True)
            p = F.softmax(logits.detach()[0] / 2.0, dim=-1)
            expected = torch.zeros(1, 3, 2)
            expected[0, i] = 2.0 * (p[i] - p[j])  # T^2 from the loss, 1/T from the softening
            torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)


def test_an_exit_is_no_teacher_of_its_own():
    logits = random_logits(8, 1, 2).requires_grad_()
    distances = mutual_distillation(logits, 3.0)
    assert distances.shape == (8, 1, 1) and (distances == 0).all()
    (gradient,) = torch.autograd.grad(distances.sum(), logits)
    assert gradient.abs().max() < 1e-6


def test_losses_of_saturated_logits_are_finite_in_every_precision():
    logits = torch.tensor([[[1e4, -1e4], [-1e4, 1e4], [0.0, 0.0]]]).requires_grad_()
    for given in (logits, logits.bfloat16()):
        for loss in (mutual_distillation(given, 1.0), exit_cross_entropies(given, torch.tensor([1]))):
            (gradient,) = torch.autograd.grad(loss.sum(), logits, retain_graph=True)
            assert loss.dtype == torch.float32
            assert loss.isfinite().all() and gradient.isfinite().all()
