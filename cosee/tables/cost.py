"""Table of the training cost of a preset, from the timings of `cosee.bench.cost`."""

import pandas as pd

from cosee.data.tasks import TASKS
from cosee.plan.cost import duration
from cosee.tables.text import count, decimal


def cost_wide(costs: pd.DataFrame) -> pd.DataFrame:
    """One row per encoder and task, and one for all: number of trainings, examples per second, total time."""
    sums = costs.assign(training=costs["rows_trained"] * costs["training_ms"] / 1000)
    sums = sums.groupby(["backbone", "task"], sort=False)[["trainings", "rows_trained", "training", "hours"]].sum()
    lines = [(f"{TASKS[task].label} ({backbone})", sums.loc[backbone, task]) for backbone, task in sums.index]
    return pd.DataFrame(
        {
            "Trained on": name,
            "Trainings": count(line["trainings"]),
            "Examples/s": decimal(line["rows_trained"] / line["training"]),
            "Time": duration(line["hours"]),
        }
        for name, line in [*lines, ("all", sums.sum())]
    )
