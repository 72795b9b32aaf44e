"""Table of early exit against the known depth of examples: exit layers, accuracy and premature exits by steps."""

from collections.abc import Mapping

import pandas as pd

from cosee.evaluation.frames import STATIC
from cosee.evaluation.step_frames import MEASURES
from cosee.tables.means import AVERAGE, means_over_seeds
from cosee.tables.text import FIXED, NONE, decimal

COLUMNS = (
    *("task", "variant", "name", "steps", "measure", "target_speedup", "mean", "std", "num_seeds", "exit_rule"),
    *("adjustable", "split", "backbone"),
)
"""Columns of the long table, in order; steps are 0 where all examples are meant."""

ORACLE_NAME = "Models of k layers"
"""Name of the row that says how many layers examples take."""

_ALL = ("rank_correlation", "premature")
_KEYS = ["variant", "steps", "measure", "target_speedup"]


def steps_table(frame: pd.DataFrame, labels: Mapping[str, str], *, backbone: str) -> pd.DataFrame:
    """Every measure by number of steps on dev, at target speed-ups: mean and standard deviation over seeds.

    Args:
        frame: the files `results/<task>/<signal>_steps.csv` together.
        labels: variant -> name in the table, in display order; other variants are omitted.
        backbone: key of the backbone.

    Returns:
        `COLUMNS`. Shares are percentages. `premature` over all examples and `rank_correlation` have 0 steps, models
        with one exit no target. The task "average" is the mean over all tasks, for seeds with a value on each of them.
    """
    names = {**labels, STATIC: ORACLE_NAME}
    here = (frame["backbone"] == backbone) & (frame["split"] == "dev") & frame["variant"].isin(names)
    identity = ["task", "seed", "variant", "target_speedup"]
    rows = frame[here]
    by_steps = rows.melt([*identity, "steps"], [*MEASURES, "oracle_depth"], var_name="measure")
    weighted = rows.assign(premature=rows["premature"] * rows["examples"]).groupby(identity, dropna=False)
    sums = weighted[["premature", "examples"]].sum(min_count=1)
    overall = pd.DataFrame(
        {
            "rank_correlation": weighted["rank_correlation"].first(),
            "premature": sums["premature"] / sums["examples"],
        }
    )
    overall = overall.reset_index().melt(identity, list(_ALL), var_name="measure").assign(steps=0)
    runs = pd.concat([by_steps, overall], ignore_index=True).dropna(subset="value")
    percent = runs["measure"].isin(["accuracy", "premature"])
    runs["value"] = runs["value"].where(~percent, 100 * runs["value"])
    table = means_over_seeds(runs, _KEYS)
    order = {"task": [*dict.fromkeys(rows["task"]), AVERAGE], "variant": list(names)}
    for column, values in order.items():
        table[column] = pd.Categorical(table[column], values)
    table = table.sort_values(["task", "variant", "measure", "target_speedup", "steps"], ignore_index=True)
    table = table.astype(dict.fromkeys(order, str))
    table = table.join(rows.groupby("variant")[["exit_rule", "adjustable"]].first(), on="variant")
    table = table.assign(name=table["variant"].map(names), split="dev", backbone=backbone)
    return table[list(COLUMNS)]


def steps_wide(table: pd.DataFrame, target: float) -> pd.DataFrame:
    """One row per variant from `steps_table`: averages over the tasks at one target speed-up, or of static models."""
    shown = table[(table["task"] == AVERAGE) & ((table["target_speedup"] == target) | table["target_speedup"].isna())]
    counts = sorted(set(shown["steps"]) - {0})
    lines = []
    for variant, group in shown.groupby("variant", sort=False):
        cells = group.set_index(["measure", "steps"])["mean"].to_dict()
        layer = "oracle_depth" if variant == STATIC else "mean_exit_layer"
        line = {"Method": group["name"].iloc[0] + ("" if variant == STATIC or group["adjustable"].iloc[0] else FIXED)}
        line |= {f"L{k}": _cell(cells, layer, k, 1) for k in counts}
        line["Rank"] = _cell(cells, "rank_correlation", 0, 2)
        line |= {f"A{k}": _cell(cells, "accuracy", k, 0) for k in counts}
        line["Premature"] = _cell(cells, "premature", 0, 1)
        lines.append(line)
    return pd.DataFrame(lines)


def _cell(cells: Mapping[tuple[str, int], float], measure: str, steps: int, digits: int) -> str:
    return decimal(cells[measure, steps], digits) if (measure, steps) in cells else NONE
