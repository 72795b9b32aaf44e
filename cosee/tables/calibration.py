"""Table of the calibration of answers: exit bias, expected calibration error and likelihood of each variant."""

from collections.abc import Mapping

import pandas as pd

from cosee.evaluation.confidence import CALIBRATION
from cosee.tables.means import AVERAGE, means_over_seeds
from cosee.tables.text import FIXED, NONE, decimal, mean_std

MEASURES = ("speedup", *CALIBRATION)
"""Measures of `calibration`, in order; shares, biases and errors are percentages, likelihoods nats."""

COLUMNS = (
    *("task", "variant", "name", "measure", "target_speedup", "mean", "std", "num_seeds", "exit_rule", "adjustable"),
    *("split", "backbone"),
)
"""Columns of the long table, in order."""

_PERCENT = ("early", "exit_bias", "ece", "ece_last")


def calibration(frame: pd.DataFrame, labels: Mapping[str, str], *, backbone: str) -> pd.DataFrame:
    """Every measure of every variant on dev at the target speed-ups: mean and standard deviation over seeds.

    Args:
        frame: the files `results/<task>/<signal>_calibration.csv` together.
        labels: variant -> name in the table, in display order; other variants are omitted.
        backbone: key of the backbone.

    Returns:
        `COLUMNS`. The task "average" is the mean over all tasks, for seeds with a value on each of them.
    """
    here = (frame["backbone"] == backbone) & (frame["split"] == "dev") & frame["variant"].isin(labels)
    points = frame[here & frame["target_speedup"].notna()]
    keys = ["variant", "measure", "target_speedup"]
    runs = points.melt(["task", "seed", "variant", "target_speedup"], list(MEASURES), var_name="measure")
    runs["value"] = runs["value"].where(~runs["measure"].isin(_PERCENT), 100 * runs["value"])
    table = means_over_seeds(runs, keys)
    order = {"task": [*dict.fromkeys(points["task"]), AVERAGE], "variant": list(labels), "measure": list(MEASURES)}
    for column, values in order.items():
        table[column] = pd.Categorical(table[column], values)
    table = table.sort_values([*order, "target_speedup"], ignore_index=True).astype(dict.fromkeys(order, str))
    table = table.join(points.groupby("variant")[["exit_rule", "adjustable"]].first(), on="variant")
    table = table.assign(name=table["variant"].map(labels), split="dev", backbone=backbone)
    return table[list(COLUMNS)]


def calibration_wide(table: pd.DataFrame, target: float) -> pd.DataFrame:
    """One row per variant from `calibration`: averages over the tasks at one target speed-up."""
    shown = table[(table["task"] == AVERAGE) & (table["target_speedup"] == target)]
    lines = []
    for _, group in shown.groupby("variant", sort=False):
        cells = {row.measure: row for row in group.itertuples()}
        line = {"Method": group["name"].iloc[0] + ("" if group["adjustable"].iloc[0] else FIXED)}
        line["Speed-up"] = f"{decimal(cells['speedup'].mean, 2)}×"
        line["Early"] = f"{decimal(cells['early'].mean, 0)} %"
        for measure, name in (("exit_bias", "Exit bias"), ("ece", "ECE"), ("ece_last", "ECE, last exit")):
            line[name] = mean_std(cells[measure].mean, cells[measure].std) if measure in cells else NONE
        for measure, name in (("nll", "NLL"), ("nll_last", "NLL, last exit")):
            line[name] = decimal(cells[measure].mean, 3)
        lines.append(line)
    return pd.DataFrame(lines)
