"""EENet-style schedules: scores by their definition, budgets that are met, fits that repeat."""

from math import exp, log

import numpy as np
import pytest
import torch

from cosee.errors import InputError
from cosee.exiting import schedules
from cosee.exiting.rules import RULES, scheduled
from cosee.exiting.schedules import SPEEDUPS, correctness, fit_schedules, fit_scorer, read_schedule
from cosee.exiting.simulation import exit_layers, speedup_ratio

NUM_EXITS = 6


def examples(seed, num_examples=400, num_exits=NUM_EXITS, classes=3):
    """Logits that become more right with depth, sooner for easy examples."""
    rng = np.random.default_rng(seed)
    labels, ease = rng.integers(0, classes, num_examples), rng.normal(0, 1.5, num_examples)
    logits = rng.normal(size=(num_examples, num_exits, classes))
    logits[np.arange(num_examples), :, labels] += ease[:, None] + np.linspace(0, 3, num_exits)
    return logits, labels


@pytest.fixture(scope="module")
def fitted():
    return fit_schedules(*examples(0))


def exits_of(schedule, logits):
    rule = scheduled(schedule)
    return exit_layers(rule.score(logits[:, :-1], None), rule.thresholds[0], rule.harder_is)


def defined(exits, schedule):
    """Scores of one example, number by number."""
    scores = []
    for weights, row in zip(schedule.weights, exits, strict=False):
        shares = [exp(x) / sum(exp(y) for y in row) for x in row]
        certainty = 1 + sum(p * log(p) for p in shares) / log(len(row))
        inputs = [*shares, max(shares), certainty, *scores]
        scores.append(1 / (1 + exp(-sum(w * x for w, x in zip(weights, inputs, strict=False)))))
    return scores


def test_scores_equal_their_definition_and_are_probabilities(fitted):
    logits, _ = examples(1, num_examples=20)
    for schedule in fitted:
        scores = correctness(logits[:, :-1], schedule)
        assert ((scores > 0) & (scores < 1)).all()
        np.testing.assert_allclose(scores, [defined(row, schedule) for row in logits[:, :-1].tolist()], rtol=1e-9)


def test_the_score_of_an_exit_depends_neither_on_later_exits_nor_on_other_examples(fitted):
    logits, _ = examples(2, num_examples=30)
    whole = correctness(logits[:, :-1], fitted[3])
    for exit in range(1, NUM_EXITS - 1):
        np.testing.assert_array_equal(correctness(logits[7:9, :exit], fitted[3]), whole[7:9, :exit])


def test_torch_and_numpy_agree(fitted):
    logits, rule = examples(3, num_examples=30)[0], scheduled(fitted[0])
    np.testing.assert_allclose(rule.score(torch.from_numpy(logits), None), rule.score(logits, None), rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_budgets_are_met_on_the_examples_that_schedules_are_fitted_to(seed):
    logits, labels = examples(seed)
    fitted = fit_schedules(logits, labels)
    assert [schedule.speedup for schedule in fitted] == list(SPEEDUPS)
    for schedule in fitted:
        mean_layer = exits_of(schedule, logits).mean() + 1
        assert abs(mean_layer - NUM_EXITS / schedule.speedup) <= (NUM_EXITS - 1) / (2 * len(labels)) + 1e-6


def test_on_further_examples_budgets_are_met_nearly_and_answers_are_better_than_of_random_exits(fitted):
    logits, labels = examples(9, num_examples=4000)
    right = logits.argmax(axis=-1) == labels[:, None]
    for schedule in fitted:
        exits = exits_of(schedule, logits)
        assert speedup_ratio(exits, NUM_EXITS) == pytest.approx(schedule.speedup, rel=0.12)
        shuffled = np.random.default_rng(0).permutation(exits)
        at_random = right[np.arange(len(exits)), shuffled].mean()
        assert right[np.arange(len(exits)), exits].mean() > at_random + 0.02


def test_fits_repeat_whatever_the_order_of_examples_is(fitted):
    logits, labels = examples(0)
    assert fit_schedules(logits, labels) == fitted
    order = np.random.default_rng(5).permutation(len(labels))
    for ours, theirs in zip(fit_schedules(logits[order], labels[order]), fitted, strict=True):
        np.testing.assert_allclose(ours.weights, theirs.weights, atol=1e-6)
        assert (exits_of(ours, logits) == exits_of(theirs, logits)).all()


def test_further_turns_change_little(fitted, monkeypatch):
    monkeypatch.setattr(schedules, "TURNS", 6)
    for schedule, more in zip(fitted, fit_schedules(*examples(0)), strict=True):
        np.testing.assert_allclose(schedule.thresholds, more.thresholds, atol=0.01)


def test_a_scorer_is_the_minimum_from_any_start():
    rng = np.random.default_rng(0)
    inputs, emphasis = rng.random((50, 4)), rng.dirichlet(np.ones(50))
    is_right = (rng.random(50) < inputs[:, 0]).astype(float)
    weights = fit_scorer(inputs, is_right, emphasis, np.zeros(4))
    np.testing.assert_allclose(fit_scorer(inputs, is_right, emphasis, rng.normal(0, 5, 4)), weights, atol=1e-6)
    probability = 1 / (1 + np.exp(-inputs @ weights))
    gradient = inputs.T @ (emphasis * (probability - is_right)) + schedules.RIDGE * weights
    assert np.abs(gradient).max() < 1e-8
    assert np.isfinite(fit_scorer(inputs, np.ones(50), emphasis, np.zeros(4))).all()


def test_a_model_has_schedules_for_the_speedups_that_it_can_have():
    logits, labels = examples(4, num_exits=3)
    assert [each.speedup for each in fit_schedules(logits, labels)] == [s for s in SPEEDUPS if s < 3]
    with pytest.raises(InputError, match=r"a model of 3 layers needs a speed-up between 1 and that\."):
        fit_schedules(logits, labels, [3.0])
    with pytest.raises(InputError, match=r"which some examples lack; choose a split with labels\."):
        fit_schedules(logits, np.full(len(labels), -1))


def test_a_schedule_survives_its_fields(fitted):
    assert read_schedule(vars(fitted[0])) == fitted[0]
    for wrong in ({}, vars(fitted[0]) | {"weights": "x"}, vars(fitted[0]) | {"thresholds": [0.5]}):
        with pytest.raises(InputError, match=r"^schedule: .*; export the model again\.$"):
            read_schedule(wrong)


def test_the_unfitted_rule_has_no_scores_and_its_members_say_which_they_are(fitted):
    logits, labels = examples(0)
    with pytest.raises(InputError, match=r"^exit rule eenet: its schedules have to be fitted"):
        RULES["eenet"].score(logits, None)
    members = RULES["eenet"].fit(logits, labels)
    assert [rule.name for rule in members[:3]] == ["eenet-1.25", "eenet-1.5", "eenet-1.75"]
    assert [rule.thresholds for rule in members] == [(schedule.speedup,) for schedule in fitted]
    assert {rule.family for rule in members} == {"eenet"}
    assert all(rule.is_adjustable for rule in members) and not RULES["jeidnn"].is_adjustable


def test_the_released_shares_cannot_meet_budgets_that_these_meet():
    """The released ones are a softmax over exits of numbers between 0 and 1: at most e times as many here as there."""
    layers, extremes = np.arange(1, 13), np.tril(np.ones((12, 12)))  # 1 at the first exits, 0 after them
    shares = np.exp(extremes) / np.exp(extremes).sum(axis=1, keepdims=True)
    fastest = 12 / (shares @ layers).min()
    assert fastest == pytest.approx(2.38, abs=0.01)
    logits, labels = examples(0, num_exits=12)
    (schedule,) = fit_schedules(logits, labels, [4.0])
    assert speedup_ratio(exits_of(schedule, logits), 12) == pytest.approx(4.0, abs=0.02)
