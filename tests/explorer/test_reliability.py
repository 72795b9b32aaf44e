"""Certified risks and calibration of the page are those of the tables."""

import numpy as np
import pandas as pd
import pytest
from helpers import explored

from cosee.explorer.inputs import risk_files, workflow_inputs
from cosee.explorer.pack import Pack, unpack_text
from cosee.explorer.reliability import calibration_columns, risk_columns
from cosee.io import read_frame
from cosee.tables.calibration import calibration
from cosee.tables.risk import risks


def frame_of(table):
    """A table of the document as a frame, as the page reads it."""
    return pd.DataFrame(
        {
            name: np.array(column["values"])[column["places"]] if isinstance(column, dict) else column
            for name, column in table["columns"].items()
        }
    )


def test_risks_are_those_of_the_table(folder, document):
    rows = frame_of(document["risk"])
    files = [read_frame(folder / file) for file in risk_files(explored.config())]
    labels = {name: name for name in ("vanilla", "cosee", "pabee", "pcee", "palbert", "consistentee")}
    table = risks(pd.concat(files), labels, backbone="bert")
    keys = ["task", "split", "loss", "procedure", "level"]
    means = rows.groupby([*keys, "series"])[["risk", "speedup", "score", "low"]].agg(["mean", "max"])
    assert len(table) == len(means) > 100
    for line in table.itertuples():
        mine = means.loc[(*(getattr(line, key) for key in keys), f"{line.variant}|{line.exit_rule}")]
        assert mine["risk", "mean"] == pytest.approx(line.risk / 100, rel=1e-5)
        assert mine["speedup", "mean"] == pytest.approx(line.speedup, rel=1e-5)
        assert mine["score", "mean"] == pytest.approx(line.score / 100, rel=1e-5)
        assert mine["low", "max"] == pytest.approx(line.highest_low / 100, rel=1e-5)


def test_calibration_is_that_of_the_table_for_every_exit_signal(folder, document):
    rows = frame_of(document["calibration"])
    for signal in ("energy", "entropy"):
        table = calibration(
            read_frame(folder / f"results/sst2/{signal}_calibration.csv"), {"cosee": "x"}, backbone="bert"
        )
        here = rows[(rows["task"] == "sst2") & (rows["series"] == f"cosee|{signal}")]
        lines = table[(table["task"] == "sst2") & (table["measure"] == "ece")]
        assert len(lines) == 3
        for line in lines.itertuples():
            mine = here[here["target_speedup"] == line.target_speedup]["ece"]
            assert (100 * mine.mean(), len(mine)) == (pytest.approx(line.mean, rel=1e-5), line.num_seeds)


def test_static_models_and_missing_results_have_no_place():
    assert risk_columns(None, Pack()) is None and calibration_columns(None, Pack()) is None
    rows = pd.DataFrame({"task": ["sst2"], "target_speedup": [np.nan]})
    assert calibration_columns(rows, Pack()) is None
    assert risk_columns(rows[:0], Pack()) is None


def test_columns_of_few_values_are_places_in_a_list():
    names = ["task", "backbone", "split", "series", "loss", "procedure"]
    rows = pd.DataFrame({name: ["a", "b", "a"] for name in names} | {"seed": 0, "level": [0.1, 0.2, 0.1]})
    rows = rows.assign(confidence=0.9, num_calibration=50, threshold=[0.5, np.nan, 0.25], risk=0.1, low=0.0, high=0.2)
    pack = Pack()
    read = unpack_text(pack.text({"risk": risk_columns(rows.assign(speedup=2, speedup_flops=2, score=1), pack)}))[
        "risk"
    ]
    assert read["count"] == 3
    assert read["columns"]["level"]["values"] == [0.1, 0.2] and read["columns"]["level"]["places"].tolist() == [0, 1, 0]
    np.testing.assert_array_equal(read["columns"]["threshold"], [0.5, np.nan, 0.25])


def test_a_workflow_reads_risks_where_thresholds_are_certified():
    there = workflow_inputs(explored.config())
    assert {"results/sst2/energy_risk.csv", "results/sst2/rule_risk.csv", "results/mrpc/energy_risk.csv"} <= set(there)
    assert "results/sst2/entropy_risk.csv" not in there and "results/sst2/entropy_calibration.csv" in there
