"""The table of timings: medians, ratios of rounds, and its caption."""

import pandas as pd
import pytest
from helpers import frames

from cosee.evaluation.latency import conditions, latency
from cosee.tables import latency_wide, to_latex, to_markdown


def test_latency_compares_medians_of_the_same_rows():
    timings = frames.timings(layer=0.002, embed=0.001, test=0.0001)
    table = latency(timings)
    assert list(zip(table["batch_size"], table["target_speedup"], strict=True)) == [(1, 1.5), (1, 3), (8, 1.5), (8, 3)]
    for row in table.itertuples():
        point = timings.query(f"batch_size == {row.batch_size} and target_speedup == {row.target_speedup}")
        mean = point["layers"].sum() / point["rows"].sum()
        assert row.layer_speedup == pytest.approx(12 / mean)
        assert row.wall_speedup == pytest.approx((12 * 0.002 + 0.001) / (mean * 0.0021 + 0.001))
        assert row.share_kept == pytest.approx(row.wall_speedup / row.layer_speedup)
        assert row.tests_share == pytest.approx(12 * 0.0001 / (12 * 0.0021 + 0.001))
        assert row.early_ms == pytest.approx(1000 * point["seconds"].median())
        assert row.whole_p95_ms >= row.whole_ms > row.early_ms
    assert table.loc[table["batch_size"] == 1, "r2"].tolist() == pytest.approx([1, 1])
    assert table.loc[table["batch_size"] == 8, "r2"].isna().all()


def test_a_disturbed_round_changes_no_ratio():
    timings = frames.timings(rounds=5)
    disturbed = timings.assign(seconds=timings["seconds"].where(timings["round"] != 4, 1000 * timings["seconds"]))
    ratios = ["wall_speedup", "share_kept", "tests_share"]
    pd.testing.assert_frame_equal(latency(disturbed)[ratios], latency(timings)[ratios])


def test_latency_of_rows_that_all_leave_at_one_layer_explains_nothing():
    assert latency(frames.timings(num_layers=12).assign(layers=3))["r2"].isna().all()


def test_latency_in_words():
    wide = latency_wide(latency(frames.timings()))
    assert wide["Batch"].tolist() == ["1", "1", "8", "8"] and wide["Asked for"].tolist() == ["1.5×", "3×"] * 2
    assert wide["R²"].tolist() == ["1.000", "1.000", "–", "–"]
    assert (wide["Tests (%)"] == "4.6").all()
    assert "| 1.000 |" in to_markdown(wide, "What.") and r"1.5$\times$" in to_latex(wide, "What.", "tab:latency")


@pytest.mark.parametrize(
    ("threads", "words"), [(0, "Abacus 1:"), (1, "Abacus 1, 1 thread:"), (2, "Abacus 1, 2 threads:")]
)
def test_conditions_of_latencies_are_named(threads, words):
    assert conditions(frames.timings().assign(threads=threads)) == f"Measured on {words} 16 examples, 3 rounds."
