import re

import numpy as np
import pandas as pd
import pytest
from helpers import frames

from cosee.data.tasks import TASKS
from cosee.evaluation.bootstrap import OperatingPoint
from cosee.evaluation.metrics import glue_scores
from cosee.io import read_frame, write_frame
from cosee.tables import at_target, differences, differences_wide
from cosee.tables.differences import COLUMNS

LABELS = {"vanilla": "w/o OSC & SWM", "pabee": "PABEE", "cosee": "COSEE", "absent": "Absent"}
RATES = {"cosee": 0.8, "vanilla": 0.78, "pabee": 0.6}


def answers(tasks=("sst2", "mrpc"), seeds=(0, 1), num_rows=300):
    found = {}
    for task in tasks:
        labels = np.random.default_rng(len(task)).integers(0, 2, num_rows)
        for method, rate in RATES.items():
            for seed in seeds:
                right = np.random.default_rng([seed, len(method)]).random(num_rows) < rate
                answer = OperatingPoint(np.where(right, labels, 1 - labels), labels, 2 + seed / 10)
                found.setdefault((task, method), {})[seed] = answer
    return found


def table_of(found, **settings):
    settings = {"backbone": "bert", "target_speedup": 2.0, "seed": 0} | settings
    return differences(found, LABELS, "cosee", **settings)


def test_every_method_is_compared_with_the_reference_on_every_task_and_on_average():
    found = answers()
    table = table_of(found)
    assert list(table.columns) == list(COLUMNS)
    assert list(zip(table["variant"], table["task"], strict=True)) == [
        (method, task) for method in ("vanilla", "pabee") for task in ("sst2", "mrpc", "average")
    ]
    for row in table[table["task"] != "average"].itertuples():
        scores = {
            method: np.mean(
                [glue_scores(a.predicted, a.labels, TASKS[row.task])["score"] for a in found[row.task, method].values()]
            )
            for method in (row.variant, "cosee")
        }
        assert row.difference == pytest.approx(100 * (scores[row.variant] - scores["cosee"]))
        assert row.low < row.difference < row.high
        assert (row.num_seeds, row.num_rows, row.reference, row.name) == (2, 300, "cosee", LABELS[row.variant])
        assert (row.speedup, row.target_speedup, row.backbone) == (pytest.approx(2.05), 2, "bert")
    assert (table.loc[table["variant"] == "pabee", "high"] < 0).all()


def test_the_average_pools_the_tasks():
    table = table_of(answers()).set_index(["variant", "task"])
    for method in ("vanilla", "pabee"):
        tasks, average = table.loc[[(method, "sst2"), (method, "mrpc")]], table.loc[method, "average"]
        assert average["difference"] == pytest.approx(tasks["difference"].mean())
        assert average["high"] - average["low"] < (tasks["high"] - tasks["low"]).min()
        assert average["num_rows"] == 600


def test_only_shared_seeds_are_compared_and_no_average_stands_for_missing_tasks():
    found = answers()
    del found["sst2", "vanilla"][1]
    found["mrpc", "pabee"] = {7: found["mrpc", "pabee"][0]}
    table = table_of(found).set_index(["variant", "task"])
    assert table.loc[("vanilla", "sst2"), "num_seeds"] == 1
    assert table.loc[("vanilla", "average"), "num_seeds"] == 1
    assert list(table.loc["pabee"].index) == ["sst2"]


def test_a_method_s_interval_does_not_depend_on_the_others():
    found = answers()
    alone = {key: value for key, value in found.items() if key[1] != "vanilla"}
    both = [table_of(some).query("variant == 'pabee'").reset_index(drop=True) for some in (found, alone)]
    pd.testing.assert_frame_equal(*both)
    assert (table_of(found, seed=1)["low"] != table_of(found)["low"]).any()


def test_without_the_reference_the_table_is_empty(tmp_path):
    table = table_of({key: value for key, value in answers().items() if key[1] != "cosee"})
    assert table.empty and list(table.columns) == list(COLUMNS)
    assert differences_wide(table).empty


def test_operating_points_are_those_that_were_sought_and_static_models_that_have_the_speedup():
    targets = frames.targets(tasks=("sst2", "mnli"))
    rows = at_target(targets, {"cosee": "COSEE", "half": "6L", "backbone": "12L"}, "bert", 2.0)
    assert set(rows["variant"]) == {"cosee", "half"}
    assert set(rows.loc[rows["variant"] == "cosee", "target_speedup"]) == {2.0}
    assert set(rows["split"]) == {"dev"}
    assert not rows.duplicated(["task", "variant", "seed"]).any()
    assert at_target(targets, {"cosee": "COSEE"}, "albert", 2.0).empty


def test_wide_differences_have_signs_and_intervals(tmp_path):
    table = table_of(answers(("sst2", "mrpc")))
    wide = differences_wide(table)
    assert list(wide.columns) == ["Method", "MRPC", "SST-2", "Mean"]
    assert list(wide["Method"]) == [LABELS["vanilla"], "PABEE"]
    assert re.fullmatch(r"-\d+\.\d \[-\d+\.\d, -\d+\.\d\]", wide.iloc[1]["SST-2"])
    assert not wide.map(lambda cell: cell.endswith("‡")).any(axis=None)
    table.loc[table["task"] == "mrpc", "speedup"] *= 0.85
    marked = differences_wide(table).map(lambda cell: cell.endswith("‡"))
    assert marked["MRPC"].all() and not marked.drop(columns="MRPC").any(axis=None)
    write_frame(tmp_path / "differences.csv", table)
    pd.testing.assert_frame_equal(read_frame(tmp_path / "differences.csv"), table)
