"""Table of encoders: scores of each at speed-ups in layers of its own."""

import numpy as np
import pandas as pd
import pytest
from helpers import frames

from cosee.tables import encoders, encoders_wide, to_latex, to_markdown
from cosee.tables.encoders import COLUMNS

TASKS = ("sst2", "mrpc")
CURVES = pd.concat([frames.tradeoff(TASKS, seeds=(1, 2)), frames.tradeoff(TASKS, seeds=(1,)).assign(backbone="small")])
LAYERS = {"small": 12, "bert": 12}
LABELS = {"cosee": "COSEE", "vanilla": "plain"}


def made(curves=CURVES, targets=(1.5, 2.0)):
    return encoders(curves, LAYERS, LABELS, targets, "heldout")


def rows(table, backbone, variant, task="average"):
    chosen = (table["backbone"] == backbone) & (table["variant"] == variant) & (table["task"] == task)
    return table[chosen].set_index("target_speedup")


def naive(backbone, variant, task, seed, speedup):
    """Score at a speed-up: a straight line in cost between the two points around it."""
    of_run = CURVES[(CURVES["backbone"] == backbone) & (CURVES["variant"] == variant) & (CURVES["split"] == "dev")]
    of_run = of_run[(of_run["task"] == task) & (of_run["seed"] == seed)].groupby("speedup")["score"].mean()
    cost, score = 1 / of_run.index.to_numpy(), of_run.to_numpy()
    order = np.argsort(cost)
    return 100 * np.interp(1 / speedup, cost[order], score[order])


def test_scores_are_those_of_the_curves_at_exactly_the_speedup():
    table = made()
    assert list(table.columns) == list(COLUMNS) and len(table)
    for row in table[(table["variant"] == "cosee") & (table["task"] != "average")].itertuples():
        seeds = (1, 2) if row.backbone == "bert" else (1,)
        values = [naive(row.backbone, "cosee", row.task, seed, row.target_speedup) for seed in seeds]
        assert row.mean == pytest.approx(np.mean(values)) and row.num_seeds == len(seeds)


def test_averages_are_means_over_the_tasks_of_each_seed():
    table = made()
    for speedup in (1.5, 2.0):
        values = [np.mean([naive("bert", "cosee", task, seed, speedup) for task in TASKS]) for seed in (1, 2)]
        row = rows(table, "bert", "cosee").loc[speedup]
        assert row["mean"] == pytest.approx(np.mean(values))
        assert row["std"] == pytest.approx(np.std(values, ddof=1))


def test_an_encoder_without_exits_has_its_full_depth_alone():
    table = made()
    static = CURVES[(CURVES["variant"] == "static") & (CURVES["split"] == "dev") & (CURVES["backbone"] == "bert")]
    full = static[static["mean_exit_layer"] == 12].groupby("task")["score"].mean()
    found = rows(table, "bert", "static")
    assert list(found.index) == [1.0]
    assert found.loc[1.0, "mean"] == pytest.approx(100 * full.mean())


def test_encoders_stand_in_the_order_asked_for_with_gaps_where_a_curve_ends():
    fastest = CURVES[CURVES["variant"] == "cosee"]["speedup"].max()
    wide = encoders_wide(made(targets=(2.0, 2 * fastest)), {"small": "Small", "bert": "BERT"})
    assert list(dict.fromkeys(wide["Encoder"])) == ["Small", "BERT"]
    assert list(wide["Method"][:3]) == ["fine-tuned, without exits", "COSEE", "plain"]
    cosee = wide[(wide["Encoder"] == "BERT") & (wide["Method"] == "COSEE")].iloc[0]
    assert "±" in cosee["2×"] and set(wide["Layers"]) == {"12"}
    assert "| BERT" in to_markdown(wide, "A caption.") and "COSEE" in to_latex(wide, "A caption.", "tab:encoders")
    assert f"{2 * fastest:g}×" not in wide.columns
    static = wide[(wide["Encoder"] == "Small") & (wide["Method"] == "fine-tuned, without exits")].iloc[0]
    assert static["2×"] == "–" and static["Full depth"] != "–"
