"""Tables 2 and 3: measured cells beside reported ones, each with its own split and speed-up."""

import re

import numpy as np
import pandas as pd
import pytest
from helpers import frames
from helpers.comparisons import CURVES, REPORTED, cell, compare

from cosee.errors import InputError
from cosee.io import read_frame, write_frame
from cosee.tables import comparison_wide, to_latex
from cosee.tables.comparison import COLUMNS


def test_measured_cells_are_mean_and_deviation_over_seeds():
    targets = frames.targets()
    table = compare(targets=targets)
    for variant in ("cosee", "vanilla", "half"):
        for task, metric, column in (("sst2", "accuracy", "accuracy"), ("mrpc", "mean", "score"), ("qqp", "f1", "f1")):
            rows = [
                row
                for row in targets.itertuples()
                if (row.variant, row.task, row.split) == (variant, task, "dev")
                and (row.target_speedup == 2 or variant == "half")
            ]
            values, speedups = [100 * getattr(row, column) for row in rows], [row.speedup for row in rows]
            mean = sum(values) / 3
            found = cell(table, variant, task, metric)
            assert found.measured_mean == pytest.approx(mean)
            assert found.measured_std == pytest.approx((sum((v - mean) ** 2 for v in values) / 2) ** 0.5)
            assert found.speedup_mean == pytest.approx(sum(speedups) / 3)
            assert found.num_seeds == 3


def test_every_reported_number_is_in_the_table_once():
    for number in (2, 3):
        table = compare(number)
        assert list(table.columns) == list(COLUMNS)
        keys = ["variant", "task", "metric"]
        found = table.dropna(subset="reported").set_index(keys)
        expected = REPORTED[number].set_index(keys)
        assert len(found) == len(expected)
        pd.testing.assert_series_equal(
            found["reported"].sort_index(), expected["value"].sort_index(), check_names=False
        )
        pd.testing.assert_series_equal(
            found["reported_speedup"].sort_index(), expected["speedup"].sort_index(), check_names=False
        )


def test_reported_and_measured_keep_their_own_split_and_source():
    row = cell(compare(), "cosee", "sst2", "accuracy")
    assert (row.reported, row.reported_speedup, row.reported_split) == (93.0, 2.14, "test")
    assert (row.reported_source, row.name) == ("COSEE Table 2", "COSEE (ours)")
    assert (row.split, row.protocol, row.threshold_split, row.target_speedup) == ("dev", "heldout", "sel", 2)
    assert cell(compare(protocol="field"), "cosee", "sst2", "accuracy").threshold_split == "dev"


def test_static_models_have_no_threshold():
    row = cell(compare(), "half", "rte", "accuracy")
    assert row.measured_mean > 0
    assert pd.isna(row.target_speedup)
    assert pd.isna(row.threshold_split)


def test_methods_without_a_counterpart_are_shown_too():
    table = compare()
    unmeasured = cell(table, "gpfee", "rte", "accuracy")
    assert (unmeasured.reported, unmeasured.num_seeds) == (64.5, 0)
    assert pd.isna(unmeasured.measured_mean)
    assert pd.isna(unmeasured.split)
    ablation = cell(table, "wo_osc", "rte", "accuracy")
    assert ablation.name == "w/o OSC"
    assert pd.isna(ablation.reported)
    assert ablation.measured_mean > 0


def test_mnli_has_both_splits_and_the_reported_number_once():
    table = compare()
    matched, mismatched = (cell(table, "cosee", "mnli", "accuracy", split) for split in ("dev", "dev_mm"))
    assert matched.reported == 83.4
    assert pd.isna(mismatched.reported)
    assert matched.measured_mean != mismatched.measured_mean


def test_average_is_over_tasks_within_a_run():
    targets = frames.targets(seeds=(1, 2))
    row = cell(compare(3, targets), "cosee", "average", "mean")
    runs = targets[(targets["variant"] == "cosee") & (targets["target_speedup"] == 2) & (targets["split"] == "dev")]
    runs = runs[runs["task"].isin(("qqp", "sst2", "qnli", "mnli"))]
    means = [100 * runs[runs["seed"] == seed]["score"].mean() for seed in (1, 2)]
    assert row.measured_mean == pytest.approx(sum(means) / 2)
    assert row.measured_std == pytest.approx(abs(means[0] - means[1]) / 2**0.5)
    assert row.speedup_mean == pytest.approx(runs["speedup"].mean())
    assert (row.reported, row.reported_speedup) == (87.3, 2.12)


def test_a_method_is_measured_at_the_speedup_that_it_reports():
    row = cell(compare(), "cosee", "mrpc", "f1")
    assert row.reported_speedup == pytest.approx(row.interpolated_speedup) == 2.70
    assert row.interpolated_speedup_flops == pytest.approx(2.70 / frames.COST)
    curves = CURVES.query("task == 'mrpc' and variant == 'cosee'").sort_values("mean_exit_layer").groupby("seed")
    values = [100 * np.interp(12 / 2.70, curve["mean_exit_layer"], curve["f1"]) for _, curve in curves]
    assert row.interpolated_mean == pytest.approx(np.mean(values))
    assert row.interpolated_std == pytest.approx(np.std(values, ddof=1))
    assert pd.isna(cell(compare(), "half", "mrpc", "f1").interpolated_mean)  # one model, no curve
    assert pd.isna(cell(compare(), "vanilla", "mrpc", "f1").interpolated_mean)  # reports no speed-up


def test_a_speedup_that_is_reported_as_an_average_stands_for_every_task():
    table = compare(3)
    for task in ("sst2", "qnli", "mnli"):
        assert cell(table, "cosee", task, "accuracy").interpolated_speedup == pytest.approx(2.12)
    average = cell(table, "cosee", "average", "mean")
    tasks = [("qqp", "mean"), *((task, "accuracy") for task in ("sst2", "qnli", "mnli"))]
    expected = np.mean([cell(table, "cosee", *which).interpolated_mean for which in tasks])
    assert average.interpolated_mean == pytest.approx(expected)
    assert average.interpolated_speedup == pytest.approx(2.12)


def test_curves_that_do_not_get_there_are_not_extrapolated():
    one_short = CURVES[(CURVES["seed"] > 1) | (CURVES["speedup"] < 2)]
    assert pd.isna(cell(compare(curves=one_short), "cosee", "sst2", "accuracy").interpolated_mean)
    wide = comparison_wide(compare(curves=CURVES[CURVES["speedup"] > 3]), frames.LABELS)
    assert not wide["From"].str.endswith("interpolated").any()


def test_average_is_missing_while_a_task_is():
    row = cell(compare(3, frames.targets(tasks=("sst2", "qnli"))), "cosee", "average", "mean")
    assert row.num_seeds == 0
    assert cell(compare(3, frames.targets(tasks=("sst2", "qnli"))), "cosee", "sst2", "accuracy").num_seeds == 3


def test_without_results_the_paper_stands_alone():
    for targets in (frames.targets().iloc[:0], frames.targets(backbone="albert")):
        table = compare(targets=targets)
        assert (table["num_seeds"] == 0).all()
        assert len(table) == len(REPORTED[2])
        assert len(comparison_wide(table, frames.LABELS)) == 12


def test_one_seed_has_no_deviation():
    table = compare(targets=frames.targets(seeds=(7,)))
    assert pd.isna(cell(table, "cosee", "rte", "accuracy").measured_std)
    assert "±" not in comparison_wide(table, frames.LABELS).to_csv()


def test_of_several_exit_rules_the_given_signal_is_shown():
    energy = frames.targets(seeds=(1,))
    entropy = energy[energy["exit_rule"] == "energy"].assign(exit_rule="entropy", accuracy=0.5)
    both = pd.concat([energy, entropy])
    assert cell(compare(targets=both), "cosee", "rte", "accuracy").exit_rule == "energy"
    assert cell(compare(targets=both, signal="entropy"), "cosee", "rte", "accuracy").exit_rule == "entropy"
    assert cell(compare(targets=entropy), "cosee", "rte", "accuracy").exit_rule == "entropy"


def test_unclear_rows_are_refused():
    with pytest.raises(InputError, match=r"target speed-up of 3; the results have 1\.5, 2\.$"):
        compare(target_speedup=3)
    with pytest.raises(InputError, match="rte, vanilla, seed 1, split dev: several rows"):
        compare(
            targets=pd.concat([frames.targets(), frames.targets(variants=("vanilla",))]).query("variant == 'vanilla'")
        )


def test_flops_are_shown_where_they_differ():
    targets = frames.targets()
    here = comparison_wide(compare(targets=targets), frames.LABELS).query("Method == 'COSEE'").iloc[0]["RTE Acc"]
    assert re.fullmatch(r"\d\d\.\d±\d\.\d \(\d\.\d\d×; FLOPs \d\.\d\d×\)", here)
    targets["speedup_flops"] = targets["speedup"] / 1.004
    here = comparison_wide(compare(targets=targets), frames.LABELS).query("Method == 'COSEE'").iloc[0]["RTE Acc"]
    assert "FLOPs" not in here


def test_points_without_a_knob_are_marked():
    targets = frames.targets()
    targets.loc[targets["variant"] == "vanilla", "adjustable"] = False
    table = compare(targets=targets)
    assert not cell(table, "vanilla", "rte", "accuracy").adjustable
    assert cell(table, "cosee", "rte", "accuracy").adjustable
    assert pd.isna(cell(table, "half", "rte", "accuracy").adjustable)
    wide = comparison_wide(table, frames.LABELS).set_index(["Method", "From"])["RTE Acc"]
    marked = wide[wide.str.endswith("†")]
    assert list(marked.index) == [(frames.LABELS["vanilla"], "here, dev")]
    assert r"$\dagger$" in to_latex(wide.to_frame(), "c", "l")


def test_wide_comparison_has_a_line_for_every_source():
    wide = comparison_wide(compare(), frames.LABELS)
    assert list(wide.columns) == [
        *("Method", "From", "RTE Acc", "MRPC F1/Acc/Mean", "QQP F1/Acc/Mean", "SST-2 Acc", "QNLI Acc"),
        "MNLI Acc/Acc mm",
    ]
    assert set(REPORTED[2]["name"]) <= set(wide["Method"])
    (paper,) = wide[wide["From"] == "COSEE Table 2, test"].to_dict("records")
    assert paper["SST-2 Acc"] == "93.0 (2.14×)"
    assert paper["MRPC F1/Acc/Mean"] == "88.0/82.0/85.0 (2.70×)"
    assert paper["MNLI Acc/Acc mm"] == "83.4/– (1.92×)"
    assert list(wide[wide["Method"] == "LeeBERT"]["RTE Acc"]) == ["–"]
    here = wide[(wide["Method"] == "COSEE") & (wide["From"] == "here, dev")].iloc[0]
    assert re.fullmatch(r"(\d\d\.\d±\d\.\d/){2}\d\d\.\d±\d\.\d \(\d\.\d\d×; .+×\)", here["QQP F1/Acc/Mean"])
    lines = wide[wide["Method"].isin(("COSEE (ours)", "COSEE"))]
    assert list(lines["From"]) == ["COSEE Table 2, test", "here, dev", "here, dev, interpolated"]
    assert list(lines.index) == [13, 14, 15]
    assert lines.iloc[2]["SST-2 Acc"].endswith(" (2.14×; FLOPs 2.12×)")


def test_wide_comparison_of_table_3_ends_in_speedup_and_average():
    wide = comparison_wide(compare(3), frames.LABELS)
    assert list(wide.columns)[-2:] == ["Speed-up", "AVG"]
    (paper,) = wide[wide["From"] == "COSEE Table 3, test"].to_dict("records")
    assert (paper["QQP Mean"], paper["Speed-up"], paper["AVG"]) == ("79.6", "2.12×", "87.3")


def test_long_table_survives_a_csv_file(tmp_path):
    table = compare()
    write_frame(tmp_path / "table2.csv", table)
    pd.testing.assert_frame_equal(read_frame(tmp_path / "table2.csv"), table)
