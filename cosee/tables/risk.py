"""Table of risks: promised and realized risk of certified thresholds, and the speed-up that is left."""

from collections.abc import Mapping

import pandas as pd

from cosee.data.tasks import TASKS
from cosee.tables.text import ABOVE, FIXED, NONE

COLUMNS = (
    *("task", "split", "backbone", "variant", "name", "exit_rule", "adjustable", "loss", "procedure"),
    *("level", "confidence", "num_calibration"),
    *("risk", "highest_low", "speedup", "speedup_flops", "score", "num_seeds", "num_certified"),
)
"""Columns of the long table: risks, limits and scores in percent, means over seeds; the highest lower limit of any."""

_KEYS = ["task", "split", "variant", "exit_rule", "loss", "procedure", "level"]


def risks(frame: pd.DataFrame, labels: Mapping[str, str], *, backbone: str) -> pd.DataFrame:
    """Means over seeds of `cosee.evaluation.risk_frames.risk_frame`, of one backbone.

    Args:
        frame: rows of any tasks, variants and seeds.
        labels: variant -> name in the table, in display order; other variants are omitted.
        backbone: key of the backbone.

    Returns:
        `COLUMNS`; `num_certified` counts the seeds for which a threshold was certified.
    """
    here = frame[(frame["backbone"] == backbone) & frame["variant"].isin(labels)]
    grouped = here.groupby(_KEYS, sort=False)
    table = grouped.agg(
        adjustable=("adjustable", "first"),
        confidence=("confidence", "first"),
        num_calibration=("num_calibration", "first"),
        risk=("risk", "mean"),
        highest_low=("low", "max"),
        speedup=("speedup", "mean"),
        speedup_flops=("speedup_flops", "mean"),
        score=("score", "mean"),
        num_seeds=("seed", "nunique"),
        num_certified=("threshold", "count"),
    ).reset_index()
    for name in ("risk", "highest_low", "score"):
        table[name] *= 100
    table = table.assign(backbone=backbone, name=table["variant"].map(labels))
    order = {variant: place for place, variant in enumerate(labels)}
    table = table.sort_values("variant", key=lambda c: c.map(order), kind="stable", ignore_index=True)
    return table[list(COLUMNS)]


def risks_wide(table: pd.DataFrame, level: float, loss: str, procedure: str) -> pd.DataFrame:
    """One row per variant from `risks`: realized risk and, in brackets, speed-up on every task.

    Args:
        table: the long table.
        level: the level that is shown.
        loss: the loss that is shown.
        procedure: the procedure that is shown.
    """
    here = table[(table["level"] == level) & (table["loss"] == loss) & (table["procedure"] == procedure)]
    places = {
        (name, split): task.label + ("" if split == "dev" else "-mm")
        for name, task in TASKS.items()
        for split in task.eval_splits
    }
    present = set(zip(here["task"], here["split"], strict=True))
    lines = []
    for _, rows in here.groupby("variant", sort=False):
        cells = {}
        for row in rows.itertuples():
            mark = ABOVE if row.highest_low > 100 * level else ""
            cells[row.task, row.split] = f"{row.risk:.1f}{mark} ({row.speedup:.2f}×)"
        mark = "" if rows["adjustable"].all() else FIXED
        line = {"Method": rows["name"].iloc[0] + mark}
        lines.append(line | {label: cells.get(place, NONE) for place, label in places.items() if place in present})
    return pd.DataFrame(lines)
