"""Targets, class weights and loss of probes against plain loops."""

import math

import pytest
import torch

from cosee.losses.probing import balanced_weights, masked_mean, probe_loss, safe_answers

B, M = 30, 4


def logits_and_labels(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, M, 3, generator=generator), torch.randint(3, (B,), generator=generator)


@pytest.mark.parametrize("target", ["right", "same"])
def test_an_answer_is_safe_if_it_is_right_or_that_of_the_last_exit(target):
    logits, labels = logits_and_labels()
    found = safe_answers(logits, labels, target)
    for n in range(B):
        answers = [row.index(max(row)) for row in logits[n].tolist()]
        reference = labels[n].item() if target == "right" else answers[-1]
        assert found[n].tolist() == [answer == reference for answer in answers[:-1]]
    assert 0 < found.float().mean() < 1


def test_the_answer_of_the_last_exit_needs_no_labels():
    logits, labels = logits_and_labels()
    assert torch.equal(safe_answers(logits, labels, "same"), safe_answers(logits, labels * 0 - 1, "same"))
    assert not safe_answers(logits, labels * 0 - 1, "right").any()


def test_both_classes_weigh_the_same():
    positives = torch.tensor([3.0, 15.0, 30.0, 0.0])
    weights = balanced_weights(positives, 30)
    torch.testing.assert_close(weights, torch.tensor([[30 / 54, 1, 15, 0.5], [5, 1, 0.5, 15]]))
    of_classes = weights * torch.stack([30 - positives, positives])
    torch.testing.assert_close(of_classes[0, :2], of_classes[1, :2])


def test_the_loss_is_the_weighted_mean_over_examples_that_count():
    logits, labels = logits_and_labels()
    safe, odds = safe_answers(logits, labels, "right"), 2 * logits_and_labels(1)[0][:, : M - 1, 0]
    counted = (torch.arange(B) % 3 == 0).float()
    weights = balanced_weights(safe.float().sum(0), B)
    total = 0.0
    for n in range(0, B, 3):
        for a in range(M - 1):
            p = 1 / (1 + math.exp(-odds[n, a].item()))
            total -= weights[int(safe[n, a]), a].item() * math.log(p if safe[n, a] else 1 - p)
    assert probe_loss(odds, safe, weights, counted).item() == pytest.approx(total / 10 / (M - 1), rel=1e-5)
    assert probe_loss(odds, safe, weights, torch.zeros(B)) == 0


def test_losses_of_examples_that_do_not_count_change_nothing():
    losses = torch.tensor([1.0, 2.0, 7.0])
    assert masked_mean(losses, torch.tensor([1.0, 1.0, 0.0])) == 1.5
    assert masked_mean(losses, torch.zeros(3)) == 0
