import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import frames

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.evaluation.latency import conditions, latency
from cosee.io import read_frame, write_frame
from cosee.tables import (
    comparison,
    comparison_wide,
    cost_wide,
    data_statistics,
    data_statistics_wide,
    latency_wide,
    parameter_counts,
    parameter_counts_wide,
    to_latex,
    to_markdown,
)
from cosee.tables.comparison import COLUMNS

REPORTED = {n: read_frame(Path(__file__).parents[2] / "config" / "reported" / f"table{n}.csv") for n in (1, 2, 3, 4)}
ROWS = pd.DataFrame(
    [
        *(("sst2", "fit", 0, 30_000), ("sst2", "fit", 1, 35_349), ("sst2", "sel", 0, 900), ("sst2", "sel", 1, 1_100)),
        *(("sst2", "dev", 0, 428), ("sst2", "dev", 1, 444), ("sst2", "test", -1, 1_821)),
        *(("mnli", "fit", 0, 10_000), ("mnli", "fit", 2, 5_000), ("mnli", "dev", 1, 9_815), ("mnli", "dev_mm", 1, 999)),
    ],
    columns=["task", "split", "label", "rows"],
)
COUNTS = pd.DataFrame(
    [("backbone", 2, 109_483_778, 0), ("cosee", 2, 109_500_696, 16_918), ("mine", 2, 7, 5)],
    columns=["model", "num_classes", "params", "extra_params"],
)


CURVES = frames.tradeoff(tuple(TASKS), seeds=(1, 2), controls=False)


def compare(number=2, targets=None, curves=CURVES, **settings):
    targets = frames.targets() if targets is None else targets
    settings = {"backbone": "bert", "signal": "energy", "protocol": "heldout"} | settings
    return comparison(REPORTED[number], targets, curves, frames.LABELS, **settings)


def cell(table, variant, task, metric, split="dev"):
    chosen = (table["variant"] == variant) & (table["task"] == task) & (table["metric"] == metric)
    (row,) = table[chosen & (table["split"].fillna("dev") == split)].itertuples()
    return row


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


@pytest.fixture(params=["comparison", "average", "sizes", "parameters"])
def wide(request):
    return {
        "comparison": lambda: comparison_wide(compare(), frames.LABELS),
        "average": lambda: comparison_wide(compare(3), frames.LABELS),
        "sizes": lambda: data_statistics_wide(data_statistics(ROWS, REPORTED[1])),
        "parameters": lambda: parameter_counts_wide(parameter_counts(REPORTED[4], COUNTS), frames.LABELS),
    }[request.param]()


def test_markdown_has_a_row_per_line_and_all_columns(wide):
    caption, blank, *lines = to_markdown(wide, "What it shows.").splitlines()
    assert (caption, blank) == ("What it shows.", "")
    assert len(lines) == len(wide) + 2
    cells = [[part.strip() for part in line.strip("|").split("|")] for line in lines]
    assert cells[0] == list(wide.columns)
    assert cells[2:] == wide.to_numpy().tolist()


def test_latex_is_balanced_and_escaped(wide):
    text = to_latex(wide, "100 % of R&D_1 ± 2×", "tab:x")
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    assert re.findall(r"\\begin{(.+?)}", text) == re.findall(r"\\end{(.+?)}", text)[::-1]
    assert [text.count(rf"\{rule}") for rule in ("toprule", "midrule", "bottomrule")] == [1, 1, 1]
    assert r"\caption{100 \% of R\&D\_1 $\pm$ 2$\times$}" in text
    assert r"\label{tab:x}" in text
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == len(wide) + 1
    for row in rows:
        assert len(re.findall(r"(?<!\\)&", row)) == len(wide.columns) - 1
        assert not re.search(r"(?<!\\)[%#_]", row)
    assert text.isascii()


def test_special_characters_are_escaped_in_both():
    odd = pd.DataFrame({"a|b_c": [r"x|y \ ~ ^ {z} $ #"]})
    assert r"a|b_c" not in to_latex(odd, "c", "l")
    assert r"\textbackslash{} \textasciitilde{} \textasciicircum{} \{z\} \$ \#" in to_latex(odd, "c", "l")
    assert r"x\|y" in to_markdown(odd, "c")


def test_importing_tables_loads_neither_torch_nor_matplotlib():
    code = "import sys, cosee.tables; print({'torch', 'transformers', 'matplotlib'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


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


def test_costs_add_up_by_task_and_encoder():
    costs = pd.DataFrame(
        [
            ("bert", "sst2", "half", 2, 7200, 500.0, 0.5),
            ("bert", "sst2", "cosee", 1, 3600, 1000.0, 1.5),
            ("albert", "sst2", "cosee", 1, 3600, 1000.0, 12.0),
        ],
        columns=["backbone", "task", "variant", "trainings", "rows_trained", "training_ms", "hours"],
    )
    assert cost_wide(costs).to_numpy().tolist() == [
        ["SST-2 (bert)", "3", "1.5", "2.0 hours"],
        ["SST-2 (albert)", "1", "1.0", "12.0 hours"],
        ["all", "4", "1.3", "14.0 hours"],
    ]
