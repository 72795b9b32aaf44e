import re

import numpy as np
import pandas as pd
import pytest
from helpers import frames

from cosee.evaluation.budget import curve_area
from cosee.io import read_frame, write_frame
from cosee.tables import summary, summary_wide
from cosee.tables.summary import COLUMNS, MEASURES, elue_score, static_line

LABELS = {"vanilla": "w/o OSC & SWM", "cosee": "COSEE", "absent": "Absent"}
TASKS = ("sst2", "mrpc")
CURVES = frames.tradeoff(TASKS, seeds=(1, 2))
TARGETS = frames.targets(TASKS, ("vanilla", "cosee"), seeds=(1, 2))


def training(curves=CURVES):
    models = curves[["task", "backbone", "variant", "seed", "model"]].drop_duplicates()
    return models.assign(seconds=10.0 * models["seed"], stages=2)


def summarize(curves=CURVES, targets=TARGETS, **settings):
    settings = {"backbone": "bert", "protocol": "heldout"} | settings
    return summary(curves, targets, training(curves), LABELS, **settings)


TABLE = summarize()


def value(table, variant, task, measure, target=None):
    chosen = (table["variant"] == variant) & (table["task"] == task) & (table["measure"] == measure)
    at = table["target_speedup"].isna() if target is None else table["target_speedup"] == target
    (row,) = table[chosen & at].itertuples()
    return row


def rows_of(frame, variant, task, seed):
    of_run = (frame["variant"] == variant) & (frame["task"] == task) & (frame["seed"] == seed)
    return frame[of_run & (frame["split"] == "dev")]


def test_every_measure_of_every_method_and_task_is_there_once():
    assert list(TABLE.columns) == list(COLUMNS)
    assert set(TABLE["measure"]) == set(MEASURES)
    assert not TABLE.duplicated(["task", "variant", "measure", "target_speedup"]).any()
    assert list(dict.fromkeys(TABLE["variant"])) == ["vanilla", "cosee", "static"]
    assert list(dict.fromkeys(TABLE["task"])) == [*TASKS, "average"]
    assert set(TABLE["protocol"]) == {"heldout"}


@pytest.mark.parametrize(("measure", "scale"), [("score", 100), ("speedup", 1), ("speedup_flops", 1)])
def test_operating_points_are_those_of_the_targets(measure, scale):
    values = [
        scale * rows_of(TARGETS, "cosee", "mrpc", s).query("target_speedup == 1.5")[measure].item() for s in (1, 2)
    ]
    row = value(TABLE, "cosee", "mrpc", measure, 1.5)
    assert row.mean == pytest.approx(np.mean(values))
    assert row.std == pytest.approx(np.std(values, ddof=1))
    assert (row.num_seeds, row.exit_rule, row.adjustable) == (2, "energy", True)


def test_curves_are_summed_up_by_their_area_and_exact_scores():
    curves = [rows_of(CURVES, "vanilla", "sst2", seed) for seed in (1, 2)]
    row = value(TABLE, "vanilla", "sst2", "area")
    assert row.mean == pytest.approx(100 * np.mean([curve_area(curve) for curve in curves]))
    assert value(TABLE, "vanilla", "sst2", "fastest").mean == 12
    for speedup in (1.0, 1.5, 2.0):
        by_cost = [c.sort_values("mean_exit_layer")[["mean_exit_layer", "score"]].to_numpy().T for c in curves]
        exact = [np.interp(12 / speedup, *points) for points in by_cost]
        assert value(TABLE, "vanilla", "sst2", "score_at", speedup).mean == pytest.approx(100 * np.mean(exact))


def test_elue_score_equals_a_loop():
    rng = np.random.default_rng(0)
    points = pd.DataFrame({"speedup_flops": rng.uniform(1, 5, 7), "score": rng.random(7)})
    line = pd.DataFrame({"speedup_flops": 6 / np.arange(1.0, 7), "score": rng.random(6)})
    total = 0
    for point in points.itertuples():
        layers = 6 / point.speedup_flops  # a model of k layers costs k layers here
        k = int(layers)
        below, above = (line.loc[line["speedup_flops"] == 6 / j, "score"].item() for j in (k, min(k + 1, 6)))
        total += point.score - (below + (layers - k) * (above - below))
    assert elue_score(points, line) == pytest.approx(total / 7)


def test_elue_score_of_the_line_is_zero_and_a_shift_is_its_size():
    line = pd.DataFrame({"speedup_flops": [6.0, 3.0, 2.0, 1.0], "score": [0.5, 0.6, 0.8, 0.7]})
    assert elue_score(line, line) == 0
    assert elue_score(line.assign(score=line["score"] + 0.05), line) == pytest.approx(0.05)
    assert value(TABLE, "static", "sst2", "elue").mean == pytest.approx(0, abs=1)


def test_an_operating_point_that_serves_two_targets_counts_once():
    targets = TARGETS.copy()
    first = targets[targets["target_speedup"] == 1.5].set_index(["task", "variant", "seed", "split"])
    twice = pd.concat([targets, first.reset_index().assign(target_speedup=1.6)])
    for variant in ("vanilla", "cosee"):
        assert (
            value(summarize(targets=twice), variant, "sst2", "elue").mean == value(TABLE, variant, "sst2", "elue").mean
        )


def test_models_of_k_layers_count_where_every_depth_was_trained():
    missing = (CURVES["variant"] == "static") & (CURVES["seed"] == 2) & (CURVES["mean_exit_layer"] == 5)
    line = static_line(CURVES[~missing])
    assert set(line.loc[line["task"] == "sst2", "seed"]) == {1}
    assert len(line) == 2 * 12
    table = summarize(CURVES[~missing])
    assert value(table, "static", "mrpc", "models").mean == 12
    assert value(table, "static", "mrpc", "seconds").mean == 12 * 10
    assert value(table, "static", "mrpc", "score", 2.0).mean == pytest.approx(
        100 * line.query("task == 'mrpc' and speedup == 2")["score"].item()
    )
    without = summarize(CURVES[CURVES["variant"] != "static"])
    assert set(without["variant"]) == {"vanilla", "cosee"}
    assert "elue" not in set(without["measure"])


def test_of_models_of_k_layers_the_nearest_serves_a_target():
    curves = frames.tradeoff(TASKS, seeds=(1,), num_layers=6)
    targets = frames.targets(TASKS, ("cosee",), seeds=(1,), aims=(1.4, 4.0))
    table = summarize(curves, targets)
    assert value(table, "static", "sst2", "speedup", 1.4).mean == 1.5
    assert value(table, "static", "sst2", "speedup", 4.0).mean == 3
    assert not value(table, "static", "sst2", "speedup", 4.0).adjustable


def test_the_average_is_over_tasks_within_a_seed_and_missing_while_a_task_is():
    for measure, target in (("score", 2.0), ("area", None), ("seconds", None)):
        means = [value(TABLE, "cosee", task, measure, target).mean for task in TASKS]
        assert value(TABLE, "cosee", "average", measure, target).mean == pytest.approx(np.mean(means))
    areas = [np.mean([curve_area(rows_of(CURVES, "cosee", task, seed)) for task in TASKS]) for seed in (1, 2)]
    assert value(TABLE, "cosee", "average", "area").std == pytest.approx(100 * np.std(areas, ddof=1))
    gone = (CURVES["variant"] == "cosee") & (CURVES["task"] == "mrpc")
    table = summarize(CURVES[~gone], TARGETS[~((TARGETS["variant"] == "cosee") & (TARGETS["task"] == "mrpc"))])
    assert "average" not in set(table.loc[table["variant"] == "cosee", "task"])
    assert value(table, "cosee", "sst2", "rank_at").mean == 1


def test_ranks_are_places_among_the_methods():
    for measure, by, target in (("rank_at", "score_at", 2.0), ("rank_area", "area", None)):
        for task in TASKS:
            scores = {variant: value(TABLE, variant, task, by, target).mean for variant in ("vanilla", "cosee")}
            for variant in scores:
                place = 1 + sum(other > scores[variant] for other in scores.values())
                assert value(TABLE, variant, task, measure).mean == place
    assert "static" not in set(TABLE.loc[TABLE["measure"].isin(("rank_at", "rank_area")), "variant"])


def test_a_curve_that_stops_short_has_no_rank_beyond_its_end_and_gains_no_area():
    short = CURVES[(CURVES["variant"] != "vanilla") | (CURVES["speedup"] < 1.8)]
    table = summarize(short)
    assert set(table.loc[table["measure"] == "rank_at", "variant"]) == {"cosee"}
    assert set(table.loc[table["measure"] == "rank_area", "variant"]) == {"cosee", "vanilla"}
    assert value(table, "vanilla", "sst2", "fastest").mean < 1.8
    for task in TASKS:
        assert value(table, "vanilla", task, "area").mean < value(TABLE, "vanilla", task, "area").mean


def test_several_models_of_a_curve_cost_what_they_cost_together():
    split = CURVES.assign(model=CURVES["model"].where(CURVES["speedup"] < 2, CURVES["model"] + "-fast"))
    table = summarize(split)
    row = value(table, "cosee", "sst2", "seconds")
    assert (row.mean, value(table, "cosee", "sst2", "models").mean) == (2 * 15, 2)
    assert value(table, "cosee", "sst2", "stages").mean == 2


def test_wide_summary_has_a_line_per_method():
    wide = summary_wide(TABLE)
    assert list(wide["Method"]) == ["w/o OSC & SWM", "COSEE", "models of k layers†"]
    assert list(wide.columns[1:4]) == ["1.5× asked for", "2× asked for", "2× exactly"]
    cosee = wide.iloc[1]
    assert re.fullmatch(r"\d\d\.\d±\d\.\d \(\d\.\d\d×; FLOPs \d\.\d\d×\)", cosee["2× asked for"])
    assert re.fullmatch(r"\d\d\.\d±\d\.\d", cosee["Area"])
    assert (cosee["Up to"], cosee["Training (s)"], cosee["Stages"], cosee["Models"]) == ("12.0×", "15", "2", "1")
    assert cosee["Rank at 2×"] == f"{value(TABLE, 'cosee', 'average', 'rank_at').mean:.1f}"
    assert list(wide.iloc[2][["Rank at 2×", "Models"]]) == ["–", "12"]


def test_long_summary_survives_a_csv_file(tmp_path):
    write_frame(tmp_path / "methods.csv", TABLE)
    read = read_frame(tmp_path / "methods.csv").astype({"num_seeds": "Int64"})
    pd.testing.assert_frame_equal(read, TABLE)
