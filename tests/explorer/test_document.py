"""The numbers of the page are those of the result files and of the tables."""

import numpy as np
import pandas as pd
import pytest
from helpers import explored

from cosee.data.tasks import TASKS
from cosee.evaluation.bands import seed_band
from cosee.evaluation.metrics import glue_scores
from cosee.explorer.curves import MAX_POINTS, bands, thinned
from cosee.explorer.examples import exits_at
from cosee.explorer.pack import Pack
from cosee.io import read_frame
from cosee.plan.runs import display_names
from cosee.plan.shown import compared_variants, shown_curves
from cosee.runs.points import matched_points
from cosee.tables import differences


def csv(folder, task, kind):
    files = sorted((folder / f"results/{task}").glob(f"*_{kind}.csv"))
    return pd.concat([read_frame(file) for file in files], ignore_index=True)


def rows_of(frame, curve):
    variant, rule = curve["series"].split("|")
    here = (frame["variant"] == variant) & (frame["exit_rule"] == rule)
    for name in ("task", "backbone", "split", "seed"):
        here &= frame[name] == curve[name]
    return frame[here].sort_values("speedup", kind="stable")


def test_every_curve_is_in_the_document_and_its_points_are_rows_of_the_file(folder, document):
    assert {curve["task"] for curve in document["curves"]} == {"sst2", "mrpc"}
    for task in ("sst2", "mrpc"):
        frame = csv(folder, task, "tradeoff")
        curves = [curve for curve in document["curves"] if curve["task"] == task]
        identity = ["variant", "exit_rule", "seed", "split"]
        assert len(curves) == len(frame[identity].drop_duplicates())
        for curve in curves:
            rows = rows_of(frame, curve)
            assert len(curve["speedup"]) == min(len(rows), len(thinned(rows)))
            np.testing.assert_allclose(curve["speedup"][[0, -1]], rows["speedup"].iloc[[0, -1]], rtol=1e-6)
            found = rows.iloc[[abs(rows["speedup"] - speedup).argmin() for speedup in curve["speedup"]]]
            for mine, theirs in {"speedup": "speedup", "flops": "speedup_flops", "threshold": "threshold"}.items():
                np.testing.assert_allclose(curve[mine], found[theirs], rtol=1e-6)
            if curve["series"] in ("cosee|energy", "vanilla|energy"):  # of others, points may share a speed-up
                np.testing.assert_allclose(curve["score"], found["score"], rtol=1e-6)


def test_counting_the_answers_of_the_examples_gives_the_scores_of_the_files(document):
    splits = {(split["task"], split["split"]): split for split in document["splits"]}
    counted = 0
    for curve in [curve for curve in document["curves"] if "states" in curve]:
        labels = splits[curve["task"], curve["split"]]["labels"].astype(int)
        for place, (state, point) in enumerate(zip(curve["state"], curve["point"], strict=True)):
            model = curve["states"][state]
            exits = exits_at(model["steps"].reshape(len(labels), -1), point)
            answers = model["predicted"].reshape(len(labels), -1)[np.arange(len(labels)), exits]
            assert curve["speedup"][place] == pytest.approx(curve["depth"] / (exits.mean() + 1), rel=1e-6)
            scores = glue_scores(answers, labels, TASKS[curve["task"]])
            assert curve["score"][place] == pytest.approx(scores["score"], rel=1e-6)
            counted += 1
    assert counted > 500
    early = {curve["series"] for curve in document["curves"] if "states" in curve}
    assert early >= {"cosee|energy", "cosee|entropy", "pabee|patience", "pcee|pcee", "consistentee|policy"}


def test_series_are_named_for_people_and_tell_how_they_exit(document):
    series = {each["id"]: each for each in document["series"]}
    assert series["cosee|energy"]["label"] == explored.NAME and series["cosee|energy"]["kind"] == "signal"
    assert series["pabee|patience"]["label"] == "PABEE (patience)" and series["pabee|patience"]["kind"] == "own"
    assert series["random|energy"]["kind"] == "control"


def test_a_band_is_that_of_the_figures(folder, document):
    (band,) = [b for b in document["bands"] if (b["task"], b["series"]) == ("sst2", "cosee|energy")]
    rows = pd.concat([rows_of(csv(folder, "sst2", "tradeoff"), band | {"seed": seed}) for seed in range(3)])
    for axis, column in {"layers": "speedup", "flops": "speedup_flops"}.items():
        cost = 1 / rows[column]  # in which curves are linear between their points
        at = np.clip(1 / band[axis]["x"].astype(np.float64), cost.min(), cost.max())
        expected = seed_band(rows.assign(cost=cost), "cost", "score", at)
        np.testing.assert_allclose(band[axis]["mean"], expected["mean"], rtol=1e-4)
        np.testing.assert_allclose(band[axis]["low"], expected["low"], rtol=1e-4)
    assert band["seeds"] == 3


def test_methods_with_a_model_per_operating_point_have_no_band(document):
    assert not [band for band in document["bands"] if band["series"].startswith("consistentee")]


def test_a_long_curve_is_thinned_evenly_with_both_ends():
    curve = pd.DataFrame({"speedup": np.linspace(5, 1, 3000)})
    kept = thinned(curve)["speedup"]
    assert len(kept) == MAX_POINTS and (kept.iloc[0], kept.iloc[-1]) == (1, 5)
    assert np.diff(kept).max() < 2 * np.diff(kept).min()


def test_bands_are_made_for_several_seeds_alone():
    rows = pd.DataFrame(
        {"task": "sst2", "backbone": "b", "split": "dev", "series": "x", "seed": 0, "model": "m"}, [0, 1]
    )
    assert list(bands(rows.assign(speedup=[1, 2], speedup_flops=[1, 2], score=[1, 0]), Pack())) == []


def test_differences_are_those_of_the_table_for_every_reference(folder, document):
    config = explored.config()
    spec, names = config.tables.differences, display_names(config, compared_variants(config))
    curves = [curve for curve in shown_curves(config, spec, names) if curve.task == "sst2"]
    points = matched_points(curves, 2.0, folder)
    reached = {key: side for key, side in points.items() if any(side.values())}
    for reference in ("cosee", "vanilla"):
        table = differences({"matched": reached}, names, reference, backbone="bert", target_speedup=2.0)
        found = {
            row[3].partition("|")[0]: row
            for row in document["differences"]
            if row[:3] == ["bert", 2.0, "sst2"] and row[4] == f"{reference}|energy" and "entropy" not in row[3]
        }
        assert set(found) == set(table["variant"])
        for row in table[table["task"] == "sst2"].itertuples():
            mine = [np.nan if value is None else value for value in found[row.variant][5:8]]
            np.testing.assert_allclose(mine, [row.difference, row.low, row.high], atol=1e-4)


def test_a_verdict_is_given_on_the_mean_over_tasks_alone(document):
    verdicts = {(row[2], row[3], row[4]): row[8] for row in document["differences"] if row[1] == 2.0}
    assert verdicts["average", "vanilla|energy", "cosee|energy"] in ("better", "worse", "no verdict")
    assert all(verdict is None for (task, *_), verdict in verdicts.items() if task != "average")


def test_scores_at_equal_cost_are_means_over_seeds(folder, document):
    config = explored.config()
    curves = [c for c in shown_curves(config, config.tables.differences, ["cosee"]) if c.task == "sst2"]
    scores = [100 * side.right.mean() for side in matched_points(curves, 2.0, folder)["sst2", "cosee"].values()]
    (row,) = [r for r in document["equalCost"] if r[:4] == ["bert", 2.0, "sst2", "cosee|energy"]]
    assert row[4:] == pytest.approx([np.mean(scores), np.std(scores, ddof=1), 3], abs=1e-4)


def test_dis_and_exits_are_those_of_the_files(folder, document):
    for kind, columns in {"dis": ["dis", "dis_strict"], "layers": ["accuracy", "loss"]}.items():
        frame = read_frame(folder / f"results/sst2/energy_{kind}.csv")
        frame = frame[(frame["variant"] == "cosee") & (frame["seed"] == 1) & (frame["split"] == "dev")]
        wanted = {"task": "sst2", "series": "cosee|energy", "seed": 1, "split": "dev"}
        (entry,) = [each for each in document[kind] if wanted.items() <= each.items()]
        for column in columns:
            np.testing.assert_allclose(entry[column], frame[column], rtol=1e-6)


def test_points_sought_for_a_target_are_rows_of_the_file(folder, document):
    frame = csv(folder, "sst2", "targets").dropna(subset="target_speedup")
    columns = document["atTargets"]["columns"]
    rows = [row for row in document["atTargets"]["rows"] if row[columns.index("task")] == "sst2"]
    assert len(rows) == len(frame)
    for name in ("threshold", "speedup", "score"):
        np.testing.assert_allclose([row[columns.index(name)] for row in rows], frame[name], rtol=1e-6)
