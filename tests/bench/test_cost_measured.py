"""What is timed and what is estimated from it; the timings themselves belong to a machine."""

from itertools import product

import pytest
import torch
from tiny import token_split

from cosee import plan
from cosee.bench import cost as bench
from cosee.bench.cost import Kind, Pace, cells_to_time, estimated, kind_of, measure_cost, pace

A, B, C = (Kind(name, None) for name in "abc")
ROWS = {(A, "small"): 10, (A, "large"): 30, (B, "small"): 10, (B, "large"): 60, (C, "small"): 10}


def test_one_kind_is_timed_on_every_task_and_every_kind_on_its_largest():
    assert cells_to_time(ROWS) == {(A, "small"), (A, "large"), (B, "large"), (C, "small")}


def test_a_task_without_the_common_kind_is_timed_whole():
    rows = ROWS | {(B, "other"): 1000, (C, "other"): 1000}
    assert cells_to_time(rows) == {(B, "small"), (B, "large"), (B, "other"), (A, "large"), (C, "other")}
    rows = ROWS | {(Kind(name, None), "apart"): 1000 for name in "de"}
    assert cells_to_time(rows) - cells_to_time(ROWS) == {(Kind("d", None), "apart"), (Kind("e", None), "apart")}


def test_every_kind_and_task_can_be_estimated():
    kinds, tasks = [Kind(variant, depth) for variant, depth in product("abcd", (None, 1))], ("x", "y", "z")
    for left_out in range(2 ** len(tasks)):
        rows = {
            (kind, task): 1 + number
            for number, (kind, task) in enumerate(product(kinds, tasks))
            if kind != kinds[3] or left_out & 1 << tasks.index(task)
        }
        paces = {cell: Pace(1.0, 1.0) for cell in cells_to_time(rows)}
        assert {estimated(paces, rows, *cell) for cell in rows} == {Pace(1.0, 1.0)}


def test_an_estimate_is_exact_where_tasks_differ_by_a_factor():
    factor = {A: 1.0, B: 3.0, C: 0.5}
    tokens = {"small": Pace(2.0, 0.5), "large": Pace(7.0, 2.0)}
    exact = {(kind, task): Pace(*(factor[kind] * part for part in tokens[task])) for kind, task in ROWS}
    measured = {cell: exact[cell] for cell in cells_to_time(ROWS)}
    assert measured.keys() < exact.keys()
    for (kind, task), right in exact.items():
        assert estimated(measured, ROWS, kind, task) == pytest.approx(right)


def test_hours_add_up(config, monkeypatch):
    timed = []

    def half_a_second(run, fit, backbone, device, steps):
        timed.append((run.backbone, run.task, kind_of(run)))
        return Pace(0.5, 0.25)

    monkeypatch.setattr(bench, "pace", half_a_second)
    frame = measure_cost(config, lambda backbone, task: {"fit": None}, lambda backbone: None, torch.device("cpu"))
    runs = plan.final_runs(config) + plan.grid_runs(config)
    counted = [bench.passes(config, run) for run in runs]
    assert frame["trainings"].sum() == len(runs)
    assert frame["rows_trained"].sum() == sum(each.trained for each in counted)
    hours = sum(0.5 * each.trained + 0.25 * each.predicted for each in counted) / 3600
    assert frame["hours"].sum() == pytest.approx(hours)
    assert len(timed) == len(set(timed)) == frame["timed"].sum() < len(frame)


@pytest.mark.parametrize("variant", ["cosee", "deebert", "half"])
def test_a_pace_is_of_a_training_with_all_its_stages(variant, config, tiny_bert, monkeypatch):
    config["backbones"]["bert"]["layers"] = 4
    run = next(run for run in plan.final_runs(config) if run.variant == variant)
    seen = []
    monkeypatch.setattr(bench, "train", lambda *args: seen.append(args) or (None, {"seconds": 30.0}))
    run = plan.with_point(run, {"batch_size": 4})
    assert pace(run, token_split(12), tiny_bert, torch.device("cpu"), steps=5).training == 30 / 24
    (_, stages, _, rows, _, settings, *_), _ = seen
    assert len(stages) == (2 if variant == "deebert" else 1)
    assert (len(rows), settings.epochs, settings.checkpoint) == (12, 2, "last")  # 5 steps of 4 rows: two epochs

    monkeypatch.undo()
    measured = pace(run, token_split(40), tiny_bert, torch.device("cpu"), steps=5)
    assert measured.training > 0 and measured.prediction > 0
