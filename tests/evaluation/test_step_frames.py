"""Frames by steps: the rows of `frame_by_steps` with their run's identity, and none where steps are unknown."""

from dataclasses import replace

import numpy as np
import pytest

from cosee.evaluation.frames import STATIC, RunId
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.step_frames import COLUMNS, oracle_depth_frame, static_steps_frame, steps_frame
from cosee.evaluation.steps import frame_by_steps
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers

RUN = RunId("sst2", "bert", "vanilla", 3, "vanilla")
M = 6


def outputs(depths=tuple(range(1, M + 1)), steps=True, seed=0, examples=60):
    rng = np.random.default_rng(seed)
    logits, costs = rng.normal(size=(examples, len(depths), 2)), tuple(float(depth) for depth in depths)
    labels, known = np.arange(examples) % 2, np.arange(examples) % 3 + 1
    return ExitOutputs(logits, labels, np.arange(examples), M, depths, costs, steps=known if steps else None)


def test_every_threshold_has_a_row_for_each_number_of_steps():
    made, rule = outputs(), RULES["energy"]
    low, high = (float(np.quantile(made.exit_scores(rule), share)) for share in (0.2, 0.4))
    frame = steps_frame(RUN, made, "dev", rule, [(2.0, low), (3.0, high)])
    assert tuple(frame.columns) == COLUMNS and len(frame) == 6
    assert set(frame["variant"]) == {"vanilla"} and set(frame["exit_rule"]) == {"energy"}
    for (target, threshold), rows in frame.groupby(["target_speedup", "threshold"]):
        exits = exit_layers(made.exit_scores(rule), threshold, rule.harder_is)
        expected = frame_by_steps(made, exits)
        assert target == {low: 2.0, high: 3.0}[threshold]
        for column in expected.columns:
            np.testing.assert_array_equal(rows[column], expected[column])
        assert rows["rank_correlation"].nunique() == 1


def test_a_rule_that_changes_answers_is_judged_by_its_own():
    made, rule = outputs(), RULES["voting"]
    threshold = float(np.quantile(made.exit_scores(rule), 0.7))
    frame = steps_frame(RUN, made, "dev", rule, [(2.0, threshold)])
    exits = exit_layers(made.exit_scores(rule), threshold, rule.harder_is)
    right = made.answers(rule)[np.arange(60), exits] == made.labels
    assert (frame["accuracy"] * frame["examples"]).sum() == pytest.approx(right.sum())
    assert not np.array_equal(right, made.predicted[np.arange(60), exits] == made.labels)


def test_a_model_with_one_exit_has_accuracy_alone():
    frame = static_steps_frame(RUN, outputs(depths=(4,)), "dev")
    assert (frame["mean_exit_layer"] == 4).all() and (frame["premature"] == 0).all()
    assert frame["target_speedup"].isna().all() and frame["rank_correlation"].isna().all()


def test_oracle_depth_is_a_mean_over_what_the_deepest_model_solves():
    made = {k: outputs(depths=(k,), seed=k) for k in (2, 4, 6)}
    frame = oracle_depth_frame(RUN, made, "dev").set_index("steps")
    assert set(frame["variant"]) == {STATIC}
    for steps, row in frame.iterrows():
        depths = []
        for n in range(60):
            right = [made[k].predicted[n, 0] == made[k].labels[n] for k in (2, 4, 6)]
            if made[6].steps[n] == steps and right[2]:
                depths.append(6 if not right[1] else 4 if not right[0] else 2)
        assert row["oracle_depth"] == pytest.approx(np.mean(depths))


def test_unknown_steps_give_no_rows():
    for made in (outputs(steps=False), replace(outputs(), steps=np.zeros(60, dtype=int))):
        assert steps_frame(RUN, made, "dev", RULES["energy"], [(2.0, 0.5)]).empty
    empty = static_steps_frame(RUN, outputs(depths=(4,), steps=False), "dev")
    assert empty.empty and tuple(empty.columns) == COLUMNS
    assert oracle_depth_frame(RUN, {4: outputs(depths=(4,))}, "dev").empty
