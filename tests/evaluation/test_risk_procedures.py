from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from cosee.errors import InputError
from cosee.evaluation.risk import worst_so_far
from cosee.evaluation.risk_procedures import (
    PROCEDURES,
    calibrate,
    certified_point,
    examples_needed,
    given_points,
    smallest_levels,
    swept_points,
    unsafe_quantile,
)
from cosee.exiting.simulation import exit_layers, sweep

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed, num_examples=60, num_exits=5, digits=2):
    """Scores with ties, and losses that are likelier where scores are hard and at the first exits."""
    rng = np.random.default_rng(seed)
    scores = rng.random((num_examples, num_exits - 1)).round(digits)
    unsafe = rng.random(scores.shape) < 0.4 * scores
    return scores, np.pad(unsafe, ((0, 0), (0, 1))).astype(int)


def by_plain_loop(scores, loss, level, confidence, procedure):
    """The threshold by the definition of a procedure, one operating point and one example at a time."""
    thresholds, num_examples = sweep(scores, "larger").thresholds, len(loss)
    rows, worst, chosen = np.arange(num_examples), np.zeros(num_examples, dtype=int), None
    stopped = False
    for threshold in thresholds:
        taken = loss[rows, exit_layers(scores, threshold, "larger")]
        worst = np.maximum(worst, taken)
        if procedure == "naive":
            if taken.mean() <= level:
                chosen = threshold
        elif procedure == "crc":
            if (worst.sum() + 1) / (num_examples + 1) <= level:
                chosen = threshold
        elif not stopped:
            if binom.cdf(taken.sum(), num_examples, level) <= 1 - confidence:
                chosen = threshold
            else:
                stopped = True
    return chosen


@given(SEEDS, st.sampled_from(["naive", "crc", "ltt"]), st.sampled_from([0.021, 0.052, 0.11, 0.33]))
def test_thresholds_equal_those_of_a_plain_loop(seed, procedure, level):
    scores, loss = drawn(seed)
    assert calibrate(scores, loss, "larger", level, 0.9, procedure) == by_plain_loop(
        scores, loss, level, 0.9, procedure
    )


def test_ltt_takes_the_point_before_the_first_that_fails():
    scores = np.linspace(0.1, 0.9, 100)[:, None]
    loss = np.zeros((100, 2), dtype=int)
    loss[50:60, 0] = 1  # later points would pass again if they were looked at
    points = swept_points(scores, loss, "larger")
    passes = binom.cdf(points.total, 100, 0.05) <= 0.1
    assert not passes.all() and points.total[int(np.argmin(passes)) - 1] == 1
    assert certified_point(points, 0.05, 0.9, "ltt") == int(np.argmin(passes)) - 1


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_thresholds_only_loosen_with_the_level(procedure):
    scores, loss = drawn(3, num_examples=400)
    found = [calibrate(scores, loss, "larger", level, 0.9, procedure) for level in np.linspace(0, 1, 41)]
    limits = [-inf if threshold is None else threshold for threshold in found]
    assert limits == sorted(limits) and len(set(limits)) > 3


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_a_level_of_one_gives_the_fastest_point_and_of_zero_no_early_exit(procedure):
    scores, loss = drawn(5)
    loss[0, 0], scores[0, 0] = 1, scores.min() / 2  # the easiest score of all is unsafe
    assert calibrate(scores, loss, "larger", 1.0, 0.9, procedure) == sweep(scores, "larger").thresholds[-1]
    if procedure != "naive":
        assert calibrate(scores, loss, "larger", 0.0, 0.9, procedure) is None


def test_too_few_examples_certify_nothing():
    for level, needed in ((0.01, 230), (0.02, 114), (0.05, 45)):
        assert examples_needed(level, 0.9) == needed
        for count, certified in ((needed - 1, False), (needed, True)):
            scores, loss = np.linspace(0, 1, count)[:, None], np.zeros((count, 2), dtype=int)
            assert (calibrate(scores, loss, "larger", level, 0.9) is not None) == certified
    for level in (0.01, 0.05, 0.1, 0.3):
        needed = examples_needed(level, procedure="crc")
        for count, certified in ((needed - 1, False), (needed, True)):
            scores, loss = np.linspace(0, 1, count)[:, None], np.zeros((count, 2), dtype=int)
            assert (calibrate(scores, loss, "larger", level, 0.9, "crc") is not None) == certified
    assert examples_needed(0) == inf and examples_needed(1) == 1


@given(SEEDS)
def test_smallest_levels_are_where_a_point_begins_to_be_taken(seed):
    scores, loss = drawn(seed)
    points = swept_points(scores, loss, "larger")
    levels = smallest_levels(points, 0.9)
    for index in {0, len(levels) // 2, len(levels) - 1}:
        taken = certified_point(points, levels[index] + 1e-9, 0.9, "ltt")
        before = certified_point(points, levels[index] - 1e-9, 0.9, "ltt")
        assert taken >= index and (before is None or before < index)


@given(SEEDS, st.sampled_from(PROCEDURES))
def test_an_increasing_transform_of_the_scores_changes_no_exit(seed, procedure):
    scores, loss = drawn(seed)
    exits = []
    for values, harder_is in ((scores, "larger"), (np.exp(3 * scores), "larger"), (1 - scores**3, "smaller")):
        threshold = calibrate(values, loss, harder_is, 0.08, 0.9, procedure)
        exits.append(None if threshold is None else exit_layers(values, threshold, harder_is).tolist())
    assert exits[0] == exits[1] == exits[2]


def test_a_quantile_beyond_the_known_scores_is_infinite_and_not_their_extreme():
    scores = np.arange(1, 20)[:, None] / 20  # 19 unsafe scores: 5 % of 20 is one
    loss = np.tile([1, 0], (19, 1))
    assert unsafe_quantile(scores, loss, "larger", 0.05, per_example=True) == 0.05
    assert unsafe_quantile(scores[1:], loss[1:], "larger", 0.05, per_example=True) == -inf
    assert calibrate(scores[1:], loss[1:], "larger", 0.05, procedure="shared") is None
    assert unsafe_quantile(scores, loss, "larger", 1.0, per_example=False) == inf


def test_pooled_decisions_allow_an_example_more_unsafe_exits_than_the_level():
    """Two unsafe exits per example with independent scores: the chance to take one is nearly twice the level."""
    rng, level = np.random.default_rng(0), 0.1
    calibration, fresh = rng.random((4000, 2)), rng.random((20_000, 2))
    loss = np.array([1, 1, 0])
    risks = {}
    for procedure in ("lynx", "shared"):
        threshold = calibrate(calibration, np.tile(loss, (4000, 1)), "larger", level, procedure=procedure)
        risks[procedure] = loss[exit_layers(fresh, threshold, "larger")].mean()
    assert risks["lynx"] == pytest.approx(1 - 0.9**2, abs=0.02)
    assert risks["shared"] == pytest.approx(level, abs=0.02)


def test_given_thresholds_and_several_models_are_tested_in_order():
    slow, fast = np.full((100, 1), 0.9), np.full((100, 1), 0.9)
    fast[:30] = 0.1
    loss = np.tile([1, 0], (100, 1))
    points = given_points([(slow, loss), (fast, loss)], [0.5, 0.2], "larger")
    assert points.thresholds.tolist() == [0.2, 0.5, 0.2, 0.5] and points.model.tolist() == [0, 0, 1, 1]
    assert points.total.tolist() == [0, 0, 30, 30]
    assert certified_point(points, 0.05, 0.9, "ltt") == 1
    assert certified_point(points, 0.5, 0.9, "crc") == 3
    assert calibrate(fast, loss, "larger", 0.05, thresholds=[0.5]) is None
    assert calibrate(slow, loss, "larger", 0.05, thresholds=[0.5]) == 0.5
    assert calibrate(slow, loss, "larger", 0.05, procedure="lynx", thresholds=[0.5]) == 0.5
    assert calibrate(fast, loss, "larger", 0.05, procedure="shared", thresholds=[0.5]) is None


def test_given_points_have_the_worst_loss_of_all_slower_points():
    scores, loss = np.array([[0.6, 0.4]]), np.array([[0, 1, 0]])
    points = given_points([(scores, loss)], [0.7, 0.5], "larger")
    assert points.total.tolist() == [1, 0] and points.worst_total.tolist() == [1, 1]
    assert worst_so_far(loss, scores, "larger")[0, 0] == 1


def test_an_unknown_procedure_is_refused():
    with pytest.raises(InputError, match="procedure 'best': unknown; expected one of naive, crc, ltt, shared, lynx"):
        calibrate(np.zeros((2, 1)), np.zeros((2, 2)), "larger", 0.1, procedure="best")
    with pytest.raises(InputError, match="expected naive, crc or ltt"):
        certified_point(swept_points(np.zeros((2, 1)), np.zeros((2, 2)), "larger"), 0.1, 0.9, "lynx")
