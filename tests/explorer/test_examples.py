"""Exits at every operating point from a few whole numbers per example."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosee.errors import InputError
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers, sweep
from cosee.explorer.examples import (
    CONFIDENCE_STEPS,
    confidences,
    exit_steps,
    exits_at,
    model_columns,
    sampled_examples,
    split_columns,
)
from cosee.explorer.pack import Pack, unpack_text


def outputs(seed=0, num=30, depth=6, classes=3):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(num, depth, classes)).round(1)
    depths = tuple(range(1, depth + 1))
    learned = rng.uniform(size=(num, depth)).round(2)
    return ExitOutputs(logits, rng.integers(0, classes, num), 10 * np.arange(num), depth, depths, depths, learned)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.fit is None])
@pytest.mark.parametrize("seed", [0, 1])
def test_exits_are_those_of_the_simulation_at_every_point(name, seed):
    rule, there = RULES[name], outputs(seed)
    scores = there.exit_scores(rule)
    thresholds = sweep(scores, rule.harder_is).thresholds if rule.thresholds is None else rule.thresholds
    steps = exit_steps(there, rule, thresholds)
    for point, threshold in enumerate(thresholds):
        np.testing.assert_array_equal(exits_at(steps, point), exit_layers(scores, threshold, rule.harder_is))


def test_exits_of_a_fitted_rule_are_those_of_the_simulation():
    there = outputs()
    for rule in RULES["eenet"].fit(there.logits, there.labels):
        steps = exit_steps(there, rule, rule.thresholds)
        np.testing.assert_array_equal(
            exits_at(steps, 0), exit_layers(there.exit_scores(rule), rule.thresholds[0], rule.harder_is)
        )


def test_a_confidence_is_the_probability_of_the_predicted_class():
    there = outputs()
    exact = np.exp(there.logits) / np.exp(there.logits).sum(axis=-1, keepdims=True)
    assert (
        abs(confidences(there, RULES["energy"]) / CONFIDENCE_STEPS - exact.max(axis=-1)).max()
        <= 0.5 / CONFIDENCE_STEPS + 1e-12
    )


@given(st.integers(1, 400), st.integers(2, 50))
def test_a_sample_is_evenly_spread_and_whole_where_it_may_be(total, most):
    kept = sampled_examples(total, most)
    assert len(kept) == min(total, most) and kept[0] == 0
    assert total <= most or (kept[-1] == total - 1 and np.diff(kept).max() - np.diff(kept).min() <= 1)


def test_results_of_another_run_are_refused():
    there, rule = outputs(), RULES["energy"]
    rows = pd.DataFrame({"threshold": [0.2, 0.4], "mean_exit_layer": [5.0, 5.0]})
    with pytest.raises(InputError, match="does not follow from its stored outputs"):
        model_columns("cosee", there, rule, rows, np.arange(30), Pack())


def test_texts_and_steps_belong_to_their_examples_and_are_left_out_where_one_is_unknown():
    there = outputs()
    rows = pd.DataFrame({"idx": 10 * np.arange(30)[::-1], "text_a": [f"t{i}" for i in range(30)[::-1]], "text_b": ""})
    pack = Pack()
    known = rows.assign(difficulty=1, steps=rows["idx"] // 100 + 1)
    read = unpack_text(pack.text(split_columns(there, known, pack)))
    assert read["texts"] == [f"t{i}" for i in range(30)]
    assert read["steps"].tolist() == [i // 10 + 1 for i in range(30)]
    assert split_columns(there, rows[1:], Pack())["texts"] is None
    assert split_columns(there, rows.assign(difficulty=0, steps=0), Pack())["steps"] is None
    assert split_columns(there, None, Pack())["texts"] is None


def test_steps_of_the_outputs_need_no_data_and_an_older_grammar_calls_them_difficulty():
    steps = np.arange(30) % 6 + 1
    pack = Pack()
    read = unpack_text(pack.text(split_columns(replace(outputs(), steps=steps), None, pack)))
    assert read["steps"].tolist() == steps.tolist()
    rows = pd.DataFrame({"idx": 10 * np.arange(30), "difficulty": 1 + np.arange(30) // 10, "steps": 0})
    read = unpack_text(pack.text(split_columns(outputs(), rows, pack)))
    assert read["steps"].tolist() == [1 + i // 10 for i in range(30)]
