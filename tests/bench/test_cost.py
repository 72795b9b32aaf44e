"""Selection of the runs to time, and extrapolation; the timings themselves depend on the machine."""

import numpy as np
import pytest
import torch
from helpers.presets import preset
from helpers.tiny import token_split
from hypothesis import given
from hypothesis import strategies as st

from cosee.bench import cost as bench
from cosee.bench.cost import (
    RunKind,
    SecondsPerExample,
    estimated,
    kind_and_task,
    measure_cost,
    most_common_kind,
    pairs_to_time,
    time_run,
    typical_examples,
)
from cosee.plan.configuration import configuration
from cosee.plan.runs import final_runs
from cosee.plan.search import grid_runs, with_point

A, B, C = (RunKind(name, None, None) for name in "abc")
ROWS = {(A, "small"): 10, (A, "large"): 30, (B, "small"): 10, (B, "large"): 60, (C, "small"): 10}


def timed(rows):
    return set(pairs_to_time(rows, most_common_kind(rows)))


def test_one_kind_is_timed_on_every_task_and_every_kind_on_its_largest():
    assert timed(ROWS) == {(A, "small"), (A, "large"), (B, "large"), (C, "small")}


def test_a_task_without_the_common_kind_is_timed_whole():
    rows = ROWS | {(B, "other"): 1000, (C, "other"): 1000}  # now B is on most tasks
    assert timed(rows) == {(B, "small"), (B, "large"), (B, "other"), (A, "large"), (C, "other")}
    apart = {(RunKind(name, None, None), "apart"): 1000 for name in "de"}
    assert timed(ROWS | apart) - timed(ROWS) == set(apart)


@given(st.dictionaries(st.tuples(st.sampled_from((A, B, C)), st.sampled_from("wxyz")), st.integers(1, 3), min_size=1))
def test_whatever_is_trained_can_be_estimated(rows):
    common = most_common_kind(rows)
    paces = dict.fromkeys(pairs_to_time(rows, common), SecondsPerExample(1.0, 1.0))
    assert {estimated(paces, rows, common, *cell) for cell in rows} == {SecondsPerExample(1.0, 1.0)}


def test_an_estimate_is_exact_where_tasks_differ_by_a_factor():
    factor = {A: 1.0, B: 3.0, C: 0.5}
    tokens = {"small": SecondsPerExample(2.0, 0.5), "large": SecondsPerExample(7.0, 2.0)}
    exact = {(kind, task): SecondsPerExample(*(factor[kind] * part for part in tokens[task])) for kind, task in ROWS}
    measured = {cell: exact[cell] for cell in timed(ROWS)}
    assert measured.keys() < exact.keys()
    for cell, right in exact.items():
        assert estimated(measured, ROWS, A, *cell) == pytest.approx(right)


def test_hours_add_up(config, monkeypatch):
    timed = []

    def half_a_second(run, fit, backbone, device, steps):
        timed.append((run.backbone, *kind_and_task(config, run)))
        return SecondsPerExample(0.5, 0.25)

    monkeypatch.setattr(bench, "time_run", half_a_second)
    frame = measure_cost(config, lambda backbone, task: {"fit": None}, lambda backbone: None, torch.device("cpu"))
    runs = final_runs(config) + grid_runs(config)
    counted = [bench.example_counts(config, run) for run in runs]
    assert frame["trainings"].sum() == len(runs)
    assert frame["rows_trained"].sum() == sum(each.trained for each in counted)
    hours = sum(0.5 * each.trained + 0.25 * each.predicted for each in counted) / 3600
    assert frame["hours"].sum() == pytest.approx(hours)
    assert len(timed) == len(set(timed)) == frame["timed"].sum() < len(frame)


def test_an_encoder_that_nothing_is_trained_on_costs_nothing(mini, monkeypatch):
    mini["experiments"] = [each for each in mini["experiments"] if each.get("backbone") != "albert"]
    config = configuration(mini)
    monkeypatch.setattr(bench, "time_run", lambda *args: SecondsPerExample(0.5, 0.25))
    frame = measure_cost(config, lambda backbone, task: {"fit": None}, lambda backbone: None, torch.device("cpu"))
    assert set(frame["backbone"]) == {"bert"}


def test_batch_sizes_of_a_grid_are_timed_apart(monkeypatch):
    config, chosen = preset("paper"), []
    monkeypatch.setattr(bench, "time_run", lambda run, *args: chosen.append(run) or SecondsPerExample(0.5, 0.25))
    measure_cost(config, lambda backbone, task: {"fit": None}, lambda backbone: None, torch.device("cpu"))
    assert {run.training["batch_size"] for run in chosen if run.variant == "cosee"} == {16, 32, 128}


def test_tasks_with_another_batch_size_are_no_other_kind(monkeypatch):
    config, chosen = preset("glue-small"), []  # RTE and MRPC: 16 rows, others 32
    monkeypatch.setattr(bench, "time_run", lambda run, *args: chosen.append(run) or SecondsPerExample(0.5, 0.25))
    measure_cost(config, lambda backbone, task: {"fit": None}, lambda backbone: None, torch.device("cpu"))
    assert {run.training["batch_size"] for run in chosen} == {16, 32}
    assert {run.variant for run in chosen if run.task in ("rte", "mrpc")} == {"backbone"}


def test_typical_rows_are_batches_of_like_length_from_all_lengths():
    lengths = np.random.default_rng(0).integers(3, 60, 5000)
    chosen = typical_examples(lengths, 16, 4, np.random.default_rng(1))
    spans = [np.ptp(lengths[batch]) for batch in chosen.reshape(4, 16)]
    assert len(set(chosen)) == 64 and max(spans) <= 4
    assert lengths[chosen].mean() == pytest.approx(lengths.mean(), rel=0.05)
    everything = typical_examples(lengths[:10], 4, 7, np.random.default_rng(1))  # more batches than there are
    assert sorted(everything) == list(range(10))


@pytest.mark.parametrize("variant", ["cosee", "deebert", "half"])
def test_a_pace_is_of_a_training_with_all_its_stages(variant, mini, tiny_bert, monkeypatch):
    mini["backbones"]["bert"]["layers"] = 4
    run = next(run for run in final_runs(configuration(mini)) if run.variant == variant)
    run, seen = with_point(run, {"batch_size": 4, "epochs": 2}), []
    seconds = iter([30.0, 24.0])
    monkeypatch.setattr(
        bench, "train", lambda model, **inputs: seen.append(inputs) or (None, {"seconds": next(seconds)}, None)
    )
    fit = token_split(40)
    assert time_run(run, fit, tiny_bert, torch.device("cpu"), steps=5).training == 24 / (2 * 12)  # the faster; 6 steps
    inputs, _ = seen
    assert len(inputs["stages"]) == (2 if variant == "deebert" else 1)
    assert (len(inputs["fit"]), inputs["settings"].epochs, inputs["settings"].checkpoint) == (12, 2, "last")

    monkeypatch.undo()
    measured = time_run(run, fit, tiny_bert, torch.device("cpu"), steps=5)
    assert measured.training > 0 and measured.prediction > 0
