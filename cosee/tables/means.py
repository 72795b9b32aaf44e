"""Means over seeds of the values of runs, per task and over all tasks."""

from collections.abc import Sequence

import pandas as pd

AVERAGE = "average"
"""Value of the column `task` in means over all tasks."""


def means_over_seeds(runs: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Mean, standard deviation and number of seeds of every group of values.

    Args:
        runs: columns task, seed, value, and `keys`; a missing value is none.
        keys: what tells the groups of a task apart; a missing key is a key like others.

    Returns:
        task, `keys`, mean, std and num_seeds. The task "average" is the mean over all tasks, for seeds with a value on
        each of them.
    """
    groups = runs.dropna(subset="value").groupby([*keys, "seed"], dropna=False)["value"]
    whole = groups.mean()[groups.size() == runs["task"].nunique()].reset_index().assign(task=AVERAGE)
    return (
        pd.concat([runs, whole])
        .groupby(["task", *keys], as_index=False, dropna=False)
        .agg(mean=("value", "mean"), std=("value", "std"), num_seeds=("value", "count"))
    )
