"""Means over seeds: against loops, with missing values and keys."""

import numpy as np
import pandas as pd
import pytest

from cosee.tables.means import AVERAGE, means_over_seeds


def test_means_are_those_of_a_loop_and_an_average_needs_every_task():
    rng = np.random.default_rng(0)
    runs = pd.DataFrame(
        [(task, seed, target, rng.normal()) for task in ("a", "b") for seed in (0, 1, 2) for target in (2.0, np.nan)],
        columns=["task", "seed", "target", "value"],
    )
    runs.loc[(runs["task"] == "b") & (runs["seed"] == 2), "value"] = np.nan
    table = means_over_seeds(runs, ["target"])
    assert len(table) == 6 and set(table["task"]) == {"a", "b", AVERAGE}
    for row in table.itertuples():
        same = runs["target"].isna() if np.isnan(row.target) else runs["target"] == row.target
        if row.task == AVERAGE:
            values = [runs.loc[same & (runs["seed"] == seed), "value"].mean() for seed in (0, 1)]
        else:
            values = runs.loc[same & (runs["task"] == row.task), "value"].dropna()
        assert row.num_seeds == len(values) == (3 if row.task == "a" else 2)
        assert row.mean == pytest.approx(np.mean(values)) and row.std == pytest.approx(np.std(values, ddof=1))
