import re

import numpy as np
import pandas as pd
import pytest
from helpers import frames

from cosee.data.tasks import TASKS
from cosee.evaluation.intervals import holm, mean_difference, mean_over_tasks
from cosee.evaluation.matched import OperatingPoint
from cosee.io import read_frame, write_frame
from cosee.tables import at_target, differences, differences_wide
from cosee.tables.differences import COLUMNS

LABELS = {"vanilla": "w/o OSC & SWM", "pabee": "PABEE", "cosee": "COSEE", "absent": "Absent"}
RATES = {"cosee": 0.8, "vanilla": 0.79, "pabee": 0.6}


def points(tasks=("sst2", "mrpc"), seeds=(0, 1, 2), num_examples=300):
    found = {}
    for task in tasks:
        labels = np.random.default_rng(len(task)).integers(0, 2, num_examples)
        for variant, rate in RATES.items():
            for seed in seeds:
                right = np.random.default_rng([seed, list(RATES).index(variant), len(task)]).random(num_examples) < rate
                point = OperatingPoint(right.astype(float), labels, 2 + seed / 10)
                found.setdefault((task, variant), {})[seed] = point
    return found


def table_of(matched, deployed=None):
    views = {"matched": matched, "deployed": matched if deployed is None else deployed}
    return differences(views, LABELS, "cosee", backbone="bert", target_speedup=2.0)


def test_every_variant_is_compared_with_the_reference_on_every_task_and_on_average():
    found = points()
    table = table_of(found)
    assert list(table.columns) == list(COLUMNS)
    assert list(zip(table["view"], table["variant"], table["task"], strict=True)) == [
        (view, variant, task)
        for view in ("matched", "deployed")
        for variant in ("vanilla", "pabee")
        for task in ("sst2", "mrpc", "average")
    ]
    for row in table[table["task"] != "average"].itertuples():
        estimate = mean_difference(found[row.task, row.variant], found[row.task, "cosee"], TASKS[row.task])
        assert row.difference == pytest.approx(100 * estimate.value)
        assert (row.low, row.high) == pytest.approx(tuple(100 * edge for edge in estimate.interval()))
        assert row.p_value == pytest.approx(estimate.p_value())
        assert (row.num_seeds, row.num_seeds_reference, row.num_examples) == (3, 3, 300)
        assert (row.reference, row.reference_name, row.name) == ("cosee", "COSEE", LABELS[row.variant])
        assert (row.speedup, row.target_speedup, row.backbone) == (pytest.approx(2.1), 2, "bert")


def test_the_average_pools_the_tasks():
    found = points()
    table = table_of(found).query("view == 'matched'").set_index(["variant", "task"])
    for variant in ("vanilla", "pabee"):
        average = table.loc[(variant, "average")]
        pooled = mean_over_tasks(
            [mean_difference(found[task, variant], found[task, "cosee"], TASKS[task]) for task in ("sst2", "mrpc")]
        )
        assert (average["low"], average["high"]) == pytest.approx(tuple(100 * edge for edge in pooled.interval()))
        assert average["num_examples"] == 600


def test_verdicts_are_given_on_the_declared_comparison_alone():
    table = table_of(points())
    declared = table[(table["task"] == "average") & (table["view"] == "matched")].set_index("variant")
    assert declared["p_holm"].to_dict() == dict(zip(declared.index, holm(declared["p_value"]), strict=True))
    assert declared.at["vanilla", "p_holm"] == declared.at["vanilla", "p_value"] > 0.05
    assert declared.at["pabee", "p_holm"] == 2 * declared.at["pabee", "p_value"] < 0.05
    assert declared["verdict"].to_dict() == {"vanilla": "no verdict", "pabee": "worse"}
    others = table.drop(table.index[(table["task"] == "average") & (table["view"] == "matched")])
    assert others[["p_holm", "verdict"]].isna().all(axis=None) and others["p_value"].notna().all()


def test_all_seeds_count_and_two_are_too_few_for_an_interval():
    found = points(seeds=range(5))
    del found["sst2", "vanilla"][1]
    found["mrpc", "pabee"] = {seed: found["mrpc", "pabee"][seed] for seed in (0, 1)}
    table = table_of(found).query("view == 'matched'").set_index(["variant", "task"])
    assert tuple(table.loc[("vanilla", "sst2"), ["num_seeds", "num_seeds_reference"]]) == (4, 5)
    assert table.loc[("vanilla", "average"), "num_seeds"] == 4
    assert table.loc[("vanilla", "average"), "verdict"] == "no verdict"
    few = table.loc[[("pabee", "mrpc"), ("pabee", "average")]]
    assert few["difference"].notna().all()
    assert few[["low", "high", "p_value", "p_holm"]].isna().all(axis=None)
    assert table.loc[("pabee", "average"), "verdict"] == "no verdict"
    assert table.loc[("vanilla", "average"), "p_holm"] == table.loc[("vanilla", "average"), "p_value"]


def test_a_curve_that_ends_before_the_target_has_no_difference():
    found = points()
    matched = found | {("mrpc", "pabee"): found["mrpc", "pabee"] | {1: None}}
    table = table_of(matched, found).set_index(["view", "variant", "task"])
    missed = table.loc[[("matched", "pabee", "mrpc"), ("matched", "pabee", "average")]]
    assert missed[["difference", "low", "p_value", "speedup"]].isna().all(axis=None)
    assert table.loc[("matched", "pabee", "sst2"), "difference"] < 0
    assert table.loc[("deployed", "pabee", "mrpc"), "difference"] < 0
    wide = differences_wide(table.reset_index()).set_index(["Method", "Speed-up"])
    assert tuple(wide.loc[("PABEE", "matched"), ["MRPC", "Mean", "Verdict"]]) == ("–", "–", "no verdict")


def test_no_average_stands_for_missing_tasks():
    found = points()
    del found["mrpc", "pabee"]
    table = table_of(found)
    assert set(table.loc[table["variant"] == "pabee", "task"]) == {"sst2"}


def test_without_the_reference_the_table_is_empty():
    table = table_of({key: value for key, value in points().items() if key[1] != "cosee"})
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


def test_wide_differences_have_signs_intervals_and_verdicts(tmp_path):
    table = table_of(points())
    wide = differences_wide(table)
    assert list(wide.columns) == ["Method", "Speed-up", "MRPC", "SST-2", "Mean", "Verdict"]
    assert list(wide["Method"]) == 2 * [LABELS["vanilla"]] + 2 * ["PABEE"]
    assert list(wide["Speed-up"]) == 2 * ["matched", "deployed"]
    assert list(wide["Verdict"]) == ["no verdict", "–", "worse", "–"]
    assert re.fullmatch(r"-\d+\.\d \[-\d+\.\d, -\d+\.\d\]", wide.iloc[2]["Mean"])
    assert not wide.map(lambda cell: cell.endswith("‡")).any(axis=None)
    table.loc[(table["task"] == "mrpc") & (table["view"] == "deployed"), "speedup"] *= 0.85
    marked = differences_wide(table).map(lambda cell: cell.endswith("‡"))
    assert marked["MRPC"].tolist() == [False, True, False, True]
    assert not marked.drop(columns="MRPC").any(axis=None)
    write_frame(tmp_path / "differences.csv", table)
    pd.testing.assert_frame_equal(read_frame(tmp_path / "differences.csv"), table)
