"""Tables 1 and 4: examples per split, and parameters."""

import pandas as pd
import pytest
from helpers import frames
from helpers.comparisons import COUNTS, REPORTED, ROWS

from cosee.data.tasks import TASKS
from cosee.tables import data_statistics, data_statistics_wide, parameter_counts, parameter_counts_wide


def test_data_statistics_count_rows_per_split():
    table = data_statistics(ROWS, REPORTED[1]).set_index(["task", "split"])
    train = table.loc["sst2", "train"]
    assert (train["paper"], train["official"], train["rows"], train["note"]) == ("67k", 67_349, 67_349, "")
    assert table.at[("sst2", "dev"), "largest_class"] == pytest.approx(100 * 444 / 872)
    assert pd.isna(table.at[("sst2", "test"), "largest_class"])
    assert table.at[("mnli", "train"), "note"] == "3.8 % of the official rows"
    assert table.at[("mnli", "dev_mm"), "note"] == "10.2 % of the official rows"
    assert table.at[("rte", "dev"), "rows"] == 0
    assert set(table.index.get_level_values("task")) == set(TASKS)


def test_generated_rows_are_not_called_a_part_of_the_official_ones():
    table = data_statistics(ROWS, REPORTED[1], generated=True)
    assert set(table["note"]) == {"generated", ""}
    wide = data_statistics_wide(table).set_index("Task")
    assert wide.at["SST-2", "Note"] == "generated"
    assert wide.at["RTE", "Note"] == "–"


def test_calibration_examples_are_counted_where_there_are_any():
    cal = pd.DataFrame([("sst2", "cal", 0, 200), ("sst2", "cal", 1, 300)], columns=list(ROWS.columns))
    rows = pd.concat([ROWS, cal], ignore_index=True)
    table = data_statistics(rows, REPORTED[1])
    counts = table.set_index(["task", "split"])["rows"]
    assert counts["sst2", "cal"] == 500 and counts["sst2", "train"] == 67_349 + 500
    assert ("mnli", "cal") not in counts
    wide = data_statistics_wide(table).set_index("Task")
    assert (wide.loc["SST-2", "Here cal"], wide.loc["MNLI", "Here cal"]) == ("500", "–")
    assert "Here cal" not in data_statistics_wide(data_statistics(ROWS, REPORTED[1]))
    made = data_statistics(rows, REPORTED[1], generated=True).set_index(["task", "split"])["rows"]
    assert made["sst2", "train"] == 67_349  # generated besides


def test_wide_data_statistics():
    wide = data_statistics_wide(data_statistics(ROWS, REPORTED[1])).set_index("Task")
    assert list(wide.index) == list(REPORTED[1]["name"])
    mnli = wide.loc["MNLI"]
    assert (mnli["C"], mnli["Official dev"], mnli["Here dev"]) == ("3", "9,815/9,832", "9,815/999")
    assert (wide.at["SST-2", "Here fit"], wide.at["SST-2", "Here sel"]) == ("65,349", "2,000")
    assert wide.at["RTE", "Here fit"] == "–"


def test_parameter_counts_keep_the_exact_numbers():
    table = parameter_counts(REPORTED[4], COUNTS)
    row = table[(table["variant"] == "cosee") & (table["num_classes"] == 2) & (table["metric"] == "extra_params")].iloc[
        0
    ]
    assert (row["reported"], row["reported_printed"], row["measured"]) == (16_920, "+16.92K", 16_918)
    wide = parameter_counts_wide(table, frames.LABELS).set_index("Model")
    assert list(wide.index) == ["BERT-base", "COSEE", "mine"]
    assert wide.at["BERT-base", "C = 2: here"] == "109,483,778"
    assert wide.at["COSEE", "C = 2: here, added"] == "+16,918"
    assert wide.at["COSEE", "C = 3: paper"] == "+25.38K"
    assert wide.at["mine", "C = 2: paper"] == "–"
