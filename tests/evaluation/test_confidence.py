"""Calibration of answers against plain loops and cases by hand."""

import numpy as np
import pytest

from cosee.evaluation.confidence import (
    BINS,
    answer_calibration,
    confidences,
    exit_bias,
    expected_calibration_error,
)


def test_confidence_is_the_largest_probability():
    logits = np.random.default_rng(0).normal(0, 3, (5, 4, 3))
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(confidences(logits), p.max(-1))
    assert confidences([1e4, -1e4]) == 1 and confidences([0.0, 0.0]) == pytest.approx(0.5)


def test_exit_bias_is_that_of_early_examples_alone():
    confidence, correct = [0.9, 0.8, 0.6, 1.0], [True, False, True, False]
    assert exit_bias(confidence, correct, [True, True, False, False]) == pytest.approx(0.85 - 0.5)
    assert exit_bias(confidence, correct, [False, False, True, False]) == pytest.approx(0.6 - 1)
    assert np.isnan(exit_bias(confidence, correct, [False] * 4))


def ece_by_loop(confidence, correct, bins):
    total = 0.0
    for b in range(bins):
        here = [i for i, c in enumerate(confidence) if b / bins < c <= (b + 1) / bins]
        if here:
            accuracy = sum(bool(correct[i]) for i in here) / len(here)
            total += len(here) * abs(accuracy - sum(confidence[i] for i in here) / len(here))
    return total / len(confidence)


@pytest.mark.parametrize("bins", [1, 7, BINS])
def test_the_expected_calibration_error_equals_a_plain_loop(bins):
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.34, 1, 500)
    correct = rng.random(500) < confidence**2
    assert expected_calibration_error(confidence, correct, bins) == pytest.approx(
        ece_by_loop(confidence, correct, bins)
    )


def test_certain_answers_are_as_wrong_as_they_are():
    assert expected_calibration_error([1.0, 1.0, 1.0, 1.0], [1, 1, 1, 0]) == pytest.approx(0.25)
    assert expected_calibration_error([1.0, 1.0], [1, 1]) == 0


def test_answers_drawn_from_their_own_probabilities_are_calibrated():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 1.5, (40_000, 2, 3))
    p = np.exp(logits[:, 1]) / np.exp(logits[:, 1]).sum(-1, keepdims=True)
    labels = (rng.random((40_000, 1)) > p.cumsum(1)).sum(1)
    found = answer_calibration(logits, labels, np.ones(40_000, int))
    assert found["ece"] == found["ece_last"] < 0.01 and np.isnan(found["exit_bias"]) and found["early"] == 0


def test_measures_are_those_of_the_exits_that_are_taken():
    rng = np.random.default_rng(3)
    labels, layers, index = rng.integers(2, size=300), rng.integers(4, size=300), np.arange(300)
    logits = rng.normal(0, 1, (300, 4, 2))
    found = answer_calibration(logits, labels, layers)
    taken = logits[index, layers]
    p = np.exp(taken) / np.exp(taken).sum(1, keepdims=True)
    correct, early = taken.argmax(1) == labels, layers < 3
    assert found["early"] == early.mean() and 0.6 < found["early"] < 0.9
    assert found["exit_bias"] == pytest.approx(p.max(1)[early].mean() - correct[early].mean())
    assert found["ece"] == pytest.approx(ece_by_loop(p.max(1), correct, BINS))
    assert found["nll"] == pytest.approx(-np.log(p[index, labels]).mean())
    last = answer_calibration(logits, labels, np.full(300, 3))
    assert (found["ece_last"], found["nll_last"]) == (last["ece"], last["nll"])
    assert found["nll"] != found["nll_last"]
