import numpy as np
import pandas as pd
import pytest
from helpers.risks import LABELS, LEVELS, risk_rows

from cosee.tables import risks, risks_wide
from cosee.tables.risk import COLUMNS


def test_cells_are_means_over_seeds():
    frame = risk_rows()
    table = risks(frame, LABELS, backbone="bert")
    assert list(table.columns) == list(COLUMNS) and list(table["variant"].unique()) == ["vanilla", "cosee"]
    for row in table.itertuples():
        keys = ("task", "split", "variant", "loss", "procedure", "level")
        alike = frame[(frame[list(keys)] == [getattr(row, key) for key in keys]).all(axis=1)]
        assert row.risk == pytest.approx(100 * alike["risk"].mean())
        assert row.highest_low == pytest.approx(100 * alike["low"].max())
        assert row.speedup == pytest.approx(alike["speedup"].mean())
        assert (row.num_seeds, row.num_certified) == (2, alike["threshold"].notna().sum())


def test_other_backbones_and_variants_are_left_out():
    frame = pd.concat([risk_rows(), risk_rows().assign(backbone="albert"), risk_rows().assign(variant="other")])
    pd.testing.assert_frame_equal(risks(frame, LABELS, backbone="bert"), risks(risk_rows(), LABELS, backbone="bert"))


def test_the_wide_table_shows_one_level_loss_and_procedure():
    frame = risk_rows()
    table = risks(frame, LABELS, backbone="bert")
    wide = risks_wide(table, level=LEVELS[1], loss="same", procedure="ltt")
    assert list(wide.columns) == ["Method", "SST-2", "MNLI", "MNLI-mm"] and list(wide["Method"]) == ["Plain", "COSEE"]
    cell = table[(table["level"] == LEVELS[1]) & (table["loss"] == "same") & (table["procedure"] == "ltt")]
    row = cell[(cell["variant"] == "cosee") & (cell["task"] == "mnli") & (cell["split"] == "dev_mm")].iloc[0]
    assert wide.loc[1, "MNLI-mm"] == f"{row['risk']:.1f} ({row['speedup']:.2f}×)"


def test_a_risk_clearly_above_its_level_and_a_method_without_a_threshold_are_marked():
    frame = risk_rows()
    here = (frame["variant"] == "cosee") & (frame["task"] == "sst2") & (frame["seed"] == 1)
    frame.loc[here, "low"] = 0.06
    frame["adjustable"] = frame["variant"] != "vanilla"
    table = risks(frame, LABELS, backbone="bert")
    wide = risks_wide(table, level=0.05, loss="same", procedure="ltt").set_index("Method")
    assert list(wide.index) == ["Plain†", "COSEE"]
    assert "§" in wide.loc["COSEE", "SST-2"] and "§" not in wide.loc["COSEE", "MNLI"]
    assert "§" not in "".join(wide.loc["Plain†"])


def test_levels_without_a_threshold_have_no_speedup():
    frame = risk_rows().assign(threshold=np.nan, risk=0.0, low=0.0, speedup=1.0)
    wide = risks_wide(risks(frame, LABELS, backbone="bert"), level=0.05, loss="same", procedure="ltt")
    assert set(wide["SST-2"]) == {"0.0 (1.00×)"}
