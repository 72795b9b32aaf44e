import numpy as np
import pandas as pd
import pytest

from cosee.data.tasks import TASKS
from cosee.evaluation.budget import curve_area, frontier
from cosee.evaluation.curve_frames import criteria_of, selection_curve, tradeoff_frame
from cosee.evaluation.families import TOLERANCE, choose_members
from cosee.evaluation.frames import RunId
from cosee.evaluation.metrics import glue_scores
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import FAMILIES, RULES, members
from cosee.exiting.simulation import exit_layers, sweep

NUM_LAYERS = 6
TARGETS = (1.5, 2.0, 3.0, 4.0)
MRPC = RunId("mrpc", "bert", "pabee", 13, "pabee")
EACH_FAMILY = pytest.mark.parametrize("family", FAMILIES)


def outputs_of(seed=0, num_samples=300):
    """Logits that become more right and more certain with depth."""
    rng, depths = np.random.default_rng(seed), tuple(range(1, NUM_LAYERS + 1))
    labels = rng.integers(0, 2, num_samples)
    evidence = rng.gamma(2, 0.4, (num_samples, 1, 1)) * np.array(depths)[:, None] * np.eye(2)[labels][:, None]
    logits = (rng.normal(0, 1, evidence.shape) + evidence).astype(np.float32)
    return ExitOutputs(logits, labels, np.arange(num_samples), NUM_LAYERS, depths, tuple(map(float, depths)))


def realized(outputs, rule, threshold):
    """Cost and score of one operating point."""
    exits = exit_layers(outputs.exit_scores(rule), threshold, rule.harder_is)
    answers = outputs.predicted[np.arange(len(exits)), exits]
    return (exits + 1).mean() / NUM_LAYERS, float(glue_scores(answers, outputs.labels, TASKS["mrpc"])["score"])


@EACH_FAMILY
def test_the_best_patience_for_a_target_is_that_of_an_exhaustive_search(family):
    outputs = outputs_of()
    chosen = {
        target: (choice.rule, t)
        for choice in choose_members(outputs, RULES[family], "mrpc", TARGETS)
        for target, t in choice.points
    }
    assert sorted(chosen) == list(TARGETS)
    for target, (rule, threshold) in chosen.items():
        nearest = []
        for other in members(RULES[family], NUM_LAYERS):
            points = [realized(outputs, other, t) for t in sweep(outputs.exit_scores(other), "larger").thresholds]
            nearest.append(min(points, key=lambda point: (round(abs(point[0] - 1 / target), 12), -point[0])))
        reach = max(TOLERANCE, min(abs(cost - 1 / target) for cost, _ in nearest)) + 1e-12
        best = max(score for cost, score in nearest if abs(cost - 1 / target) <= reach)
        cost, score = realized(outputs, rule, threshold)
        assert abs(cost - 1 / target) <= reach
        assert score == pytest.approx(best)


def test_more_than_one_patience_is_of_use_and_speeds_beyond_that_of_the_released_one_are_reached():
    outputs = outputs_of()
    choices = choose_members(outputs, RULES["fpabee"], "mrpc", TARGETS)
    assert len({choice.rule.name for choice in choices if choice.points}) > 1
    by_target = {target: (choice.rule, t) for choice in choices for target, t in choice.points}
    assert realized(outputs, *by_target[3.0])[0] < 3 / NUM_LAYERS  # patience 2 takes three layers at least


@EACH_FAMILY
def test_the_curve_of_a_family_is_the_frontier_of_all_its_members_on_the_selection_split(family):
    outputs, other = outputs_of(), outputs_of(seed=1)
    curves = [choice.curve for choice in choose_members(outputs, RULES[family], "mrpc", TARGETS) if choice.curve]
    chosen, elsewhere = (
        pd.concat([tradeoff_frame(MRPC, rows, "sel", curve) for curve in curves]) for rows in (outputs, other)
    )
    everything = selection_curve(outputs, "mrpc", RULES[family])
    np.testing.assert_array_equal(frontier(chosen), frontier(everything))
    assert curve_area(chosen) == criteria_of(outputs, "mrpc", RULES[family])["area"]
    assert set(chosen["exit_rule"]) == {family}
    assert chosen["speedup"].min() == elsewhere["speedup"].min() == 1
    assert chosen["speedup"].max() == everything["speedup"].max()
    assert chosen[["rule", "threshold"]].equals(elsewhere[["rule", "threshold"]])


@EACH_FAMILY
def test_a_family_is_selected_by_no_less_than_any_of_its_members(family):
    outputs = outputs_of()
    whole = criteria_of(outputs, "mrpc", RULES[family])
    for rule in members(RULES[family], NUM_LAYERS):
        for name, value in criteria_of(outputs, "mrpc", rule).items():
            assert value <= whole[name] + 1e-12


def test_a_rule_with_one_knob_is_chosen_alone():
    (choice,) = choose_members(outputs_of(), RULES["energy"], "mrpc", TARGETS)
    assert choice.rule is RULES["energy"]
    assert [target for target, _ in choice.points] == list(TARGETS)
