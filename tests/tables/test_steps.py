"""The table of steps: means over seeds and tasks, shares of all examples, and its printed form."""

import numpy as np
import pandas as pd
import pytest

from cosee.evaluation.frames import STATIC
from cosee.evaluation.step_frames import COLUMNS as FRAME_COLUMNS
from cosee.tables import steps_table, steps_wide
from cosee.tables.steps import COLUMNS, ORACLE_NAME

LABELS = {"backbone": "Whole", "vanilla": "Plain"}
NAN = float("nan")


def rows(task, variant, seed, target=2.0, split="dev", **values):
    """Rows of one and two steps, 30 and 10 examples; values are pairs."""
    identity = {"task": task, "backbone": "bert", "variant": variant, "exit_rule": "energy", "seed": seed}
    identity |= {"split": split, "model": variant, "target_speedup": target, "threshold": 0.1}
    both = {"steps": (1, 2), "examples": (30, 10), "adjustable": (True, True), "rule": ("energy", "energy")} | values
    return pd.DataFrame(both).assign(**identity).reindex(columns=list(FRAME_COLUMNS))


def frame():
    parts = []
    for task in ("rte", "mrpc"):
        for seed in (0, 1):
            found = {"mean_exit_layer": (3.0 + seed, 5.0), "accuracy": (0.9, 0.7), "premature": (0.0, 0.2)}
            parts.append(rows(task, "vanilla", seed, rank_correlation=(0.5, 0.5), **found))
            parts.append(rows(task, "vanilla", seed, target=3.0, rank_correlation=(0.1, 0.1), **found))
            parts.append(rows(task, "vanilla", seed, split="held", rank_correlation=(0.9, 0.9), **found))
        static = {"mean_exit_layer": (12.0, 12.0), "accuracy": (1.0, 0.8), "premature": (0.0, 0.0)}
        parts.append(rows(task, "backbone", 0, target=NAN, **static))
        parts.append(rows(task, STATIC, 0, target=NAN, oracle_depth=(2.0, 4.0)))
        parts.append(rows(task, "other", 0, **static))
    return pd.concat(parts, ignore_index=True)


def mean(table, **wanted):
    (found,) = table.loc[(table[list(wanted)] == pd.Series(wanted)).all(axis=1)].itertuples()
    return found.mean


def test_means_over_seeds_and_tasks():
    table = steps_table(frame(), LABELS, backbone="bert")
    assert tuple(table.columns) == COLUMNS and "other" not in set(table["variant"])
    at = {"task": "rte", "variant": "vanilla", "target_speedup": 2.0}
    assert mean(table, measure="mean_exit_layer", steps=1, **at) == pytest.approx(3.5)
    assert mean(table, measure="accuracy", steps=2, **at) == pytest.approx(70)
    assert mean(table, measure="rank_correlation", steps=0, **at) == pytest.approx(0.5)
    assert mean(table, measure="premature", steps=0, **at) == pytest.approx(100 * 0.2 * 10 / 40)
    assert mean(table, measure="oracle_depth", steps=2, task="average", variant=STATIC) == 4
    assert not table["mean"].isna().any()


def test_printed_form_has_a_row_per_variant():
    wide = steps_wide(steps_table(frame(), LABELS, backbone="bert"), 2.0).set_index("Method")
    assert list(wide.index) == ["Whole", "Plain", ORACLE_NAME]
    assert list(wide.loc["Plain"]) == ["3.5", "5.0", "0.50", "90", "70", "5.0"]
    assert list(wide.loc[ORACLE_NAME]) == ["2.0", "4.0", "–", "–", "–", "–"]
    assert wide.loc["Whole", "A2"] == "80" and wide.loc["Whole", "Rank"] == "–"


def test_a_task_without_a_value_gives_no_average():
    made = frame()
    made.loc[(made["task"] == "mrpc") & (made["variant"] == "vanilla"), "rank_correlation"] = np.nan
    table = steps_table(made, LABELS, backbone="bert")
    shown = table[(table["measure"] == "rank_correlation") & (table["task"] == "average")]
    assert shown.empty
