import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest

from cosee.errors import InputError
from cosee.evaluation.risk import losses, realized, taken_exits, worst_so_far
from cosee.exiting.simulation import exit_layers

PREDICTED = np.array([[0, 1, 1], [1, 0, 1], [2, 2, 0]])
LABELS = np.array([1, 0, 2])


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("same", [[1, 0, 0], [0, 1, 0], [1, 1, 0]]),
        ("harm", [[1, 0, 0], [0, 0, 0], [0, 0, 0]]),
        ("error", [[1, 0, 0], [1, 0, 1], [0, 0, 1]]),
    ],
)
def test_losses_by_their_definition(kind, expected):
    np.testing.assert_array_equal(losses(PREDICTED, LABELS, kind), expected)


def test_the_loss_same_reads_no_label():
    np.testing.assert_array_equal(losses(PREDICTED, -1 * np.ones(3), "same"), losses(PREDICTED, LABELS, "same"))


def test_an_unknown_loss_is_refused():
    with pytest.raises(InputError, match="loss 'gap': unknown; expected one of same, harm, error"):
        losses(PREDICTED, LABELS, "gap")


@given(
    st.tuples(st.integers(1, 8), st.integers(1, 5)).flatmap(
        lambda shape: st.tuples(
            arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, np.nan, np.inf])),
            arrays(np.int64, (shape[0], shape[1] + 1), elements=st.integers(0, 1)),
        )
    ),
    st.sampled_from(["larger", "smaller"]),
)
def test_worst_losses_are_the_largest_over_all_slower_thresholds(drawn, harder_is):
    scores, loss = drawn
    limits = np.unique(scores[np.isfinite(scores)])
    limits = np.concatenate([[-1.0], (limits[:-1] + limits[1:]) / 2, limits, [2.0]])
    limits = np.sort(limits) if harder_is == "larger" else -np.sort(-limits)
    worst, rows = np.zeros(len(loss), dtype=int), np.arange(len(loss))
    made = worst_so_far(loss, scores, harder_is)
    for limit in limits:
        exits = exit_layers(scores, limit, harder_is)
        worst = np.maximum(worst, loss[rows, exits])
        np.testing.assert_array_equal(made[rows, exits], np.maximum(worst, loss[:, -1]))


def test_worst_losses_differ_from_losses_where_a_wrong_exit_is_followed_by_a_lucky_one():
    scores, loss = np.array([[0.6, 0.4]]), np.array([[0, 1, 0]])  # exit 2 first, then exit 1 further on
    np.testing.assert_array_equal(worst_so_far(loss, scores, "larger"), [[1, 1, 0]])
    falling = np.array([[1, 0, 0]])
    np.testing.assert_array_equal(worst_so_far(falling, scores, "larger"), falling)


@pytest.mark.parametrize("count", [0, 3, 40])
def test_realized_limits_are_those_of_clopper_and_pearson(count):
    loss = np.zeros((40, 2), dtype=int)
    loss[:count, 0] = 1
    found = realized(loss, np.zeros(40, dtype=int))
    expected = binomtest(count, 40).proportion_ci(0.95, method="exact")
    assert found.risk == count / 40
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_without_a_threshold_every_example_takes_the_last_exit():
    scores = np.zeros((4, 3))
    assert taken_exits(scores, None, "larger").tolist() == [3] * 4
    assert taken_exits(scores, 0.5, "larger").tolist() == [0] * 4
