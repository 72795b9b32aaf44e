from pathlib import Path

import pandas as pd
import pytest

from cosee.data.tasks import TASKS
from cosee.io import read_frame

FOLDER = Path(__file__).parents[2] / "config" / "reported"
SCORES = ["table", "row", "name", "variant", "task", "metric", "value", "speedup", "split", "source"]
METHODS = {
    "table2": [
        *("BERT-base", "BERT-6L", "DeeBERT", "PABEE", "BERxiT", "LeeBERT", "GPFEE", "GAML-BERT", "PALBERT"),
        *("DisentangledEE", "ConsistentEE", "COSEE (ours)"),
    ],
    "table3": ["ALBERT-base", "PABEE", "PALBERT", "DisentangledEE", "COSEE-energy"],
}


def reported(name: str) -> pd.DataFrame:
    return read_frame(FOLDER / f"{name}.csv")


def cell(frame, variant, task, metric):
    (row,) = frame[(frame["variant"] == variant) & (frame["task"] == task) & (frame["metric"] == metric)].itertuples()
    return row.value, row.speedup


@pytest.mark.parametrize("name", METHODS)
def test_scores_have_the_columns_and_ranges_of_reported_numbers(name):
    frame = reported(name)
    assert list(frame.columns) == SCORES
    assert set(frame["table"]) == {name}
    assert set(frame["split"]) == {"test"}
    assert set(frame["metric"]) <= {"accuracy", "f1", "mean"}
    assert set(frame["task"]) <= {*TASKS, "average"}
    assert frame["value"].between(60, 100).all()
    assert frame["speedup"].dropna().between(1, 3).all()
    assert frame.drop(columns="speedup").notna().all(axis=None)
    assert not frame.duplicated(["row", "task", "metric"]).any()
    assert not frame.duplicated(["variant", "task", "metric"]).any()
    assert list(frame.drop_duplicates("row")["name"]) == METHODS[name]
    assert frame.groupby("row")["variant"].nunique().eq(1).all()


def test_table_2_has_the_numbers_of_the_paper():
    table = reported("table2")
    assert cell(table, "cosee", "sst2", "accuracy") == (93.0, 2.14)
    assert cell(table, "cosee", "mrpc", "f1") == (88.0, 2.70)
    assert cell(table, "cosee", "qqp", "mean") == (80.4, 2.01)
    assert cell(table, "consistentee", "qqp", "accuracy") == (89.0, 1.82)
    assert cell(table, "berxit", "sst2", "accuracy") == (91.6, 2.86)
    assert cell(table, "gamlbert", "qnli", "accuracy") == (84.2, 1.96)
    assert len(table) == 89


def test_mean_speedups_of_table_2():
    cells = reported("table2").drop_duplicates(["variant", "task"]).groupby("variant")["speedup"].mean()
    assert cells["cosee"] == pytest.approx(2.215)
    assert cells["consistentee"] == pytest.approx(1.713, abs=1e-3)
    assert cells["backbone"] == 1


def test_three_numbers_of_a_cell_fit_together():
    table = reported("table2").pivot_table("value", ["row", "task"], "metric").dropna()
    assert len(table) == 2 * 5
    assert (table["mean"] - table[["accuracy", "f1"]].mean(axis=1)).abs().max() <= 0.0501


def test_averages_of_table_3_fit_its_cells():
    table = reported("table3")
    values = table[table["task"] != "average"].groupby("row")["value"].mean()
    printed = table[table["task"] == "average"].set_index("row")["value"]
    assert (values - printed).abs().max() <= 0.0501
    assert cell(table, "cosee", "average", "mean") == (87.3, 2.12)
    assert cell(table, "pabee", "qqp", "mean")[0] == 79.8


@pytest.mark.parametrize("name", METHODS)
def test_sources_follow_the_footnotes(name):
    number = name[-1]
    sources = reported(name).drop_duplicates("variant").set_index("variant")["source"]
    assert sources["cosee"] == f"COSEE Table {number}"
    assert sources["palbert"] == f"DisentangledEE (via COSEE Table {number})"
    assert sources["pabee"] == f"GPFEE (via COSEE Table {number})"
    assert sources.drop("cosee").str.endswith(f" (via COSEE Table {number})").all()


def test_table_1_agrees_with_the_tasks():
    table = reported("table1")
    assert set(table["task"]) == set(TASKS)
    for row in table.itertuples():
        task = TASKS[row.task]
        assert (row.name, row.kind, row.classes) == (task.label, task.kind, task.num_classes)
        for printed, hub_names in ((row.train, ["train"]), (row.test, task.test_splits.values())):
            rows = sum(task.official_rows[name] for name in hub_names)
            assert float(printed.rstrip("k")) * 1000 == pytest.approx(rows, rel=0.06)


def test_table_4_is_what_the_classifiers_of_bert_base_weigh():
    table = reported("table4")
    assert list(table[table["metric"] == "params"]["printed"]) == ["109.48M", "109.48M"]
    for row in table[table["metric"] == "extra_params"].itertuples():
        assert row.value == pytest.approx(11 * (768 + 1) * row.num_classes, abs=5)
        assert row.printed == f"+{row.value / 1000:.2f}K"
