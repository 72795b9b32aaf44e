import numpy as np
import pandas as pd
import pytest
from helpers.results import write_workflow_folder
from scipy.stats import t as student

from cosee.errors import InputError
from cosee.evaluation.replication import COLUMNS, agreement, estimates, read_tables
from cosee.io import write_frame


def table_of(rows):
    """A table of differences from (variant, difference, low, high, verdict); the verdict of all but the mean is NaN."""
    frame = pd.DataFrame(rows, columns=["variant", "difference", "low", "high", "verdict"])
    return frame.assign(task=frame["verdict"].isna().map({True: "sst2", False: "average"}), view="matched")


def test_shares_by_hand():
    first = table_of([("a", 1, 0.5, 1.5, None), ("b", -1, -2, -0.1, None), ("c", 2, 1, 3, None), ("d", 0, -1, 1, None)])
    second = table_of(
        [
            ("a", 1.4, 1, 2, None),
            ("b", 0.5, 0.1, 1, None),
            ("c", 0, -5, 5, None),
            ("d", 9, 8, 10, None),
            ("e", 1, 0, 2, None),
        ]
    )
    found = agreement({"differences": first}, {"differences": second}, ("A", "B")).set_index("intervals_of")
    assert set(found["table"]) == {"differences, matched"} and (found["estimates"] == 4).all()
    # Of A's verdicts a is kept, b contradicted, c lost; of B's a is kept, b contradicted, d lost.
    assert found.loc["A", ["inside", "verdicts", "kept", "contradicted", "lost"]].tolist() == pytest.approx(
        [1 / 4, 3, 1 / 3, 1 / 3, 1 / 3]
    )
    assert found.loc["B", ["inside", "verdicts", "kept", "contradicted", "lost"]].tolist() == pytest.approx(
        [2 / 4, 3, 1 / 3, 1 / 3, 1 / 3]
    )
    assert found.loc["A", "estimates_of"] == "B"


def test_declared_verdicts_are_those_of_the_table_not_of_its_intervals():
    first = table_of([("a", 1, 0.5, 1.5, "no verdict"), ("b", 1, 0.5, 1.5, "better")])
    second = table_of([("a", 1, 0.5, 1.5, "better"), ("b", 1, 0.5, 1.5, "worse")])
    found = agreement({"x": first}, {"x": second}, ("A", "B")).set_index(["table", "intervals_of"])
    assert list(found.index.unique(0)) == ["x, matched", "x, declared"]
    assert found.loc[("x, declared", "A"), ["verdicts", "kept", "contradicted"]].tolist() == [1, 0, 1]
    assert found.loc[("x, declared", "B"), ["verdicts", "contradicted", "lost"]].tolist() == [2, 0.5, 0.5]
    assert found.loc[("x, matched", "A"), ["verdicts", "kept"]].tolist() == [2, 1]


def test_estimates_without_an_interval_are_not_counted():
    first = table_of([("a", 1, None, None, None), ("b", 1, 0.5, 1.5, None)])
    found = agreement({"x": first}, {"x": first}, ("A", "B"))
    assert found["estimates"].tolist() == [1, 1] and found["inside"].tolist() == [1, 1]


@pytest.mark.parametrize("columns", [("mean", "std"), ("measured_mean", "measured_std")])
def test_means_over_seeds_have_student_s_interval_and_no_verdict(columns):
    numbers = dict(zip(columns, ([80.0, 70.0], [1.5, 2.0]), strict=True))
    table = pd.DataFrame({"variant": ["a", "b"], "task": "sst2", "num_seeds": [3, 2], **numbers})
    frame = estimates(table, "methods")["methods"]
    half = student.ppf(0.975, 2) * 1.5 / np.sqrt(3)
    assert frame.iloc[0].tolist() == pytest.approx([80, 80 - half, 80 + half, 0])
    assert frame[["low", "high"]].iloc[1].isna().all()


def test_a_repetition_agrees_with_itself(tmp_path):
    write_workflow_folder(tmp_path, accuracies={"cosee": 0.8, "vanilla": 0.6})
    write_frame(tmp_path / "results/tables/table4.csv", pd.DataFrame({"variant": ["cosee"], "measured": [1]}))
    tables = read_tables(tmp_path)
    assert list(tables) == ["differences"]  # Table 4 counts parameters
    assert read_tables(tmp_path / "results").keys() == read_tables(tmp_path / "results/tables").keys() == tables.keys()
    found = agreement(tables, tables, ("A", "B"))
    assert list(found) == list(COLUMNS) and len(found) == 6
    assert (found["inside"] == 1).all() and (found["kept"] == 1).all() and (found["verdicts"] > 0).all()


def test_folders_without_tables_or_without_anything_in_common(tmp_path):
    with pytest.raises(InputError, match="no tables with estimates; expected a workflow's folder"):
        read_tables(tmp_path)
    first, second = (table_of([(variant, 1, 0.5, 1.5, None)]) for variant in "ab")
    for other in ({"x": second}, {"y": first}):
        with pytest.raises(InputError, match="A and B: no estimate with an interval is in both"):
            agreement({"x": first}, other, ("A", "B"))
