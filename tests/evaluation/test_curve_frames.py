"""Trade-off curves of models and controls, and the criteria of selection."""

import numpy as np
import pandas as pd
import pytest
from helpers.exit_outputs import IDENTITY, MRPC, RUNS, assert_identity, multi_exit, truncated

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.evaluation.curve_frames import criteria_of, oracle_frame, random_frame, static_frame, tradeoff_frame
from cosee.evaluation.metrics import glue_scores
from cosee.evaluation.selection import CRITERIA, criteria
from cosee.evaluation.tradeoff import tradeoff_curve
from cosee.exiting.rules import RULES
from cosee.exiting.signals import SIGNALS
from cosee.exiting.simulation import exit_layers, speedup_ratio

ENERGY = RULES["energy"]
TRADEOFF = [*IDENTITY, *"threshold mean_exit_layer speedup speedup_flops score accuracy f1 first_exit_score".split()]


@RUNS
@pytest.mark.parametrize("name", SIGNALS)
def test_tradeoff_frame_is_the_curve_of_the_float64_scores(run, name):
    signal, predictions, task = SIGNALS[name], multi_exit(run), TASKS[run.task]
    frame = tradeoff_frame(run, predictions, "dev", RULES[name], max_points=10_000)
    assert list(frame.columns) == [*TRADEOFF, "rule"]
    assert set(frame["rule"]) == {name}
    assert_identity(frame, run, "dev", name)
    logits = predictions.logits.astype(np.float64)
    scores, labels, costs = signal.score(logits[:, :-1]), predictions.labels, predictions.exit_costs
    curve = tradeoff_curve(scores, logits.argmax(-1), labels, signal.harder_is, task, costs)
    pd.testing.assert_frame_equal(frame[TRADEOFF[7:-1]], curve)
    np.testing.assert_allclose(frame["speedup_flops"], frame["speedup"] / 1.1)


def test_tradeoff_frame_is_thinned_but_keeps_both_ends():
    frame = tradeoff_frame(MRPC, multi_exit(MRPC), "dev", ENERGY, max_points=20)
    assert 10 <= len(frame) <= 20
    assert (frame["speedup"].iloc[0], frame["speedup"].iloc[-1]) == (1, 6)


@RUNS
def test_controls_bound_the_signal(run):
    predictions = multi_exit(run)
    rng = np.random.default_rng(0)
    chance = random_frame(run, predictions, "dev", rng)
    oracle = oracle_frame(run, predictions, "dev", RULES["energy"])
    signal = tradeoff_frame(run, predictions, "dev", ENERGY)
    assert list(chance.columns) == list(oracle.columns) == TRADEOFF
    assert_identity(chance, run, "dev", "none", variant="random")
    assert_identity(oracle, run, "dev", "energy", variant="oracle")
    assert len(oracle) == 6 and oracle["threshold"].isna().all()
    at_two = [np.interp(2, frame["speedup"], frame["accuracy"]) for frame in (chance, signal, oracle)]
    assert at_two[0] < at_two[1] < at_two[2]


def test_static_frame_is_one_point_at_the_cost_of_its_depth():
    predictions = truncated(MRPC, depth=3)
    frame = static_frame(MRPC, predictions, "dev")
    assert list(frame.columns) == TRADEOFF
    assert_identity(frame, MRPC, "dev", "none", variant="static")
    (row,) = frame.to_dict("records")
    assert np.isnan(row["threshold"]) and (row["mean_exit_layer"], row["speedup"]) == (3, 2)
    expected = glue_scores(predictions.logits[:, 0].argmax(-1), predictions.labels, TASKS["mrpc"])
    assert {name: row[name] for name in expected} == expected


@RUNS
def test_selection_criteria_are_those_of_the_whole_curve(run):
    predictions = multi_exit(run)
    curve = tradeoff_frame(run, predictions, "sel", ENERGY, max_points=10_000)
    assert criteria_of(predictions, run.task, ENERGY) == criteria(curve)


def test_a_truncated_model_has_its_score_as_every_selection_criterion():
    (score,) = static_frame(MRPC, truncated(MRPC), "sel")["score"]
    assert criteria_of(truncated(MRPC), "mrpc", ENERGY) == pytest.approx(dict.fromkeys(CRITERIA, score))


def test_a_truncated_model_has_no_tradeoff_curve():
    with pytest.raises(InputError, match=r"layers \(3,\) of 6"):
        tradeoff_frame(MRPC, truncated(MRPC), "dev", ENERGY)


def test_a_curve_survives_csv_so_well_that_its_thresholds_still_give_the_same_points(tmp_path):
    predictions = multi_exit(MRPC)
    frame = tradeoff_frame(MRPC, predictions, "dev", ENERGY)
    frame.to_csv(tmp_path / "curve.csv", index=False)
    read = pd.read_csv(tmp_path / "curve.csv")
    layers = exit_layers(predictions.exit_scores(ENERGY), read["threshold"].to_numpy(), "larger")
    np.testing.assert_array_equal(speedup_ratio(layers, 6), frame["speedup"])
