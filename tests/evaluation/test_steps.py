"""Early exit against known depth: by hand, and against naive loops."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from cosee.errors import InputError
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.steps import frame_by_steps, oracle_depth, rank_correlation

DEPTHS = (2, 4, 6)


def outputs(steps=True, examples=60):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(examples, 3, 2)), rng.integers(2, size=examples)
    known = rng.integers(1, 4, size=examples) if steps else None
    return ExitOutputs(logits, labels, np.arange(examples), 6, DEPTHS, (2.0, 4.0, 6.0), steps=known)


def test_rows_are_those_of_a_loop():
    made, exits = outputs(), np.random.default_rng(1).integers(3, size=60)
    frame = frame_by_steps(made, exits).set_index("steps")
    assert list(frame.index) == [1, 2, 3] and frame["examples"].sum() == 60
    for steps, row in frame.iterrows():
        chosen = [n for n in range(60) if made.steps[n] == steps]
        layers = [DEPTHS[exits[n]] for n in chosen]
        right = [made.predicted[n, exits[n]] == made.labels[n] for n in chosen]
        early = [
            made.predicted[n, exits[n]] != made.labels[n] and made.predicted[n, -1] == made.labels[n] for n in chosen
        ]
        assert row["mean_exit_layer"] == pytest.approx(np.mean(layers))
        assert row["accuracy"] == pytest.approx(np.mean(right))
        assert row["premature"] == pytest.approx(np.mean(early))


def test_nothing_is_premature_at_the_last_exit():
    assert (frame_by_steps(outputs(), np.full(60, 2))["premature"] == 0).all()


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(2)
    exits, steps = rng.integers(12, size=200), rng.integers(1, 7, size=200)
    assert rank_correlation(exits, steps) == pytest.approx(spearmanr(exits, steps).statistic)
    assert rank_correlation(steps, steps) == pytest.approx(1)
    assert rank_correlation(-steps, steps) == pytest.approx(-1)
    assert np.isnan(rank_correlation(np.zeros(200, dtype=int), steps))


def test_oracle_depth_is_the_first_from_which_all_are_right():
    right = np.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]], dtype=bool)
    np.testing.assert_array_equal(oracle_depth(right, [2, 4, 6, 8]), [6, 2, 4, 8, np.nan])


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="do not record how many steps"):
        frame_by_steps(outputs(steps=False), np.zeros(60, dtype=int))
    with pytest.raises(InputError, match="expected one per example"):
        frame_by_steps(outputs(), np.zeros(59, dtype=int))
    with pytest.raises(InputError, match="expected one each, rising"):
        oracle_depth(np.ones((2, 3), dtype=bool), [4, 2])
    with pytest.raises(InputError, match="Steps of 3 examples do not fit"):
        ExitOutputs(np.zeros((4, 3, 2)), np.zeros(4, int), np.arange(4), 6, DEPTHS, (2.0, 4.0, 6.0), steps=np.ones(3))
