"""Difference of each variant from the reference variant at one target speed-up, with interval and verdict.

Two views stand side by side. *Matched*: both sides have the same mean exit layer on the evaluated inputs
(`cosee.evaluation.matched`). *Deployed*: both sides use the threshold that was sought on the selection split, and what
speed-up it realizes. Verdicts are given on one declared comparison only, the mean over all tasks in the matched view,
with p-values adjusted for the number of variants (Holm); intervals of other cells describe, they do not decide.
"""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from cosee.data.tasks import TASKS
from cosee.evaluation.intervals import Estimate, holm, mean_difference, mean_over_tasks, verdict
from cosee.evaluation.matched import OperatingPoint
from cosee.tables.text import APART, NONE

COLUMNS = (
    *("task", "backbone", "variant", "name", "reference", "reference_name", "view", "target_speedup"),
    *("difference", "low", "high", "p_value", "p_holm", "verdict"),
    *("num_seeds", "num_seeds_reference", "num_examples", "speedup", "reference_speedup"),
)
"""Columns of the long table, in order; differences in points of the score in percent."""

MATCHED, DEPLOYED = VIEWS = ("matched", "deployed")
"""Values of the column `view`."""

AVERAGE = "average"
"""The task of rows that hold the mean over tasks."""

SidePoints = Mapping[int, OperatingPoint | None]
"""Seed -> operating point; None where the curve does not get to the target."""


def at_target(targets: pd.DataFrame, labels: Mapping[str, str], backbone: str, speedup: float) -> pd.DataFrame:
    """Rows on dev of the operating points for a target speed-up, and of static models that have exactly that one."""
    here = (targets["backbone"] == backbone) & (targets["split"] == "dev") & targets["variant"].isin(labels)
    return targets[here & (targets["target_speedup"].fillna(targets["speedup"]) == speedup)]


def differences(
    points: Mapping[str, Mapping[tuple[str, str], SidePoints]],
    labels: Mapping[str, str],
    reference: str,
    *,
    backbone: str,
    target_speedup: float,
) -> pd.DataFrame:
    """Score of every variant minus that of the reference, with the intervals of `cosee.evaluation.intervals`.

    Args:
        points: view -> (task, variant) -> seed -> operating point on dev.
        labels: variant -> name in the table, in display order.
        reference: the variant that the others are compared with.
        backbone: key of the backbone.
        target_speedup: the target of all points.

    Returns:
        `COLUMNS`. The task "average" is the mean over all tasks of the reference; it has the fewest seeds of them and
        the examples of all. Interval and p-value are NaN with fewer than three seeds on a side, the difference too if
        a curve does not get to the target. `p_holm` and `verdict` are those of the declared comparison.
    """
    rows = []
    for view in VIEWS:
        there = points.get(view, {})
        tasks = [task for task, variant in there if variant == reference]
        for variant in labels:
            shared = [task for task in tasks if variant != reference and (task, variant) in there]
            compared = [_compared(task, there[task, variant], there[task, reference]) for task in shared]
            if tasks and shared == tasks:
                compared.append(_mean(compared))
            rows += [{"view": view, "variant": variant, "name": labels[variant]} | row for row in compared]
    return _finished(
        pd.DataFrame(rows, columns=["view", "variant", "name", *_FIELDS]),
        backbone=backbone,
        reference=reference,
        reference_name=labels.get(reference, reference),
        target_speedup=target_speedup,
    )


def differences_wide(table: pd.DataFrame) -> pd.DataFrame:
    """Two lines per variant from `differences`, one for each view: difference and interval on every task.

    A cell is marked if the realized speed-ups are more than 10 % apart.
    """
    names = {name: task.label for name, task in TASKS.items()} | {AVERAGE: "Mean"}
    columns = [task for task in names if task in set(table["task"])]
    lines = []
    marks = (table["speedup"] / table["reference_speedup"] - 1).abs().gt(0.1).map({True: APART, False: ""})
    for (_, view), group in table.assign(mark=marks).groupby(["variant", "view"], sort=False):
        cells = {row.task: difference_text(row) + row.mark for row in group.itertuples()}
        decided = group.loc[group["task"] == AVERAGE, "verdict"].dropna()
        line = {"Method": group["name"].iloc[0], "Speed-up": view} | {
            names[task]: cells.get(task, NONE) for task in columns
        }
        lines.append(line | {"Verdict": decided.iloc[0] if len(decided) else NONE})
    order = {name: place for place, name in enumerate(table["name"].unique())}
    wide = pd.DataFrame(lines)
    return wide.sort_values("Method", key=lambda c: c.map(order), kind="stable", ignore_index=True) if lines else wide


def difference_text(row: Any) -> str:
    """Difference and, if there is one, interval of a row, in points."""
    if pd.isna(row.difference):
        return NONE
    interval = "" if pd.isna(row.low) else f" [{row.low:+.1f}, {row.high:+.1f}]"
    return f"{row.difference:+.1f}{interval}"


_FIELDS = ("task", "estimate", "num_seeds", "num_seeds_reference", "num_examples", "speedup", "reference_speedup")


def _compared(task: str, ours: SidePoints, theirs: SidePoints) -> dict[str, Any]:
    """Comparison on one task; a side that some seed does not get to the target with has no score there."""
    reached = [point for side in (ours, theirs) for point in side.values() if point is not None]
    missed = len(reached) < len(ours) + len(theirs)
    return {
        "task": task,
        "estimate": Estimate(nan) if missed else mean_difference(ours, theirs, TASKS[task]),
        "num_seeds": len(ours),
        "num_seeds_reference": len(theirs),
        "num_examples": len(reached[0].labels) if reached else 0,
        "speedup": _mean_speedup(ours),
        "reference_speedup": _mean_speedup(theirs),
    }


def _mean_speedup(side: SidePoints) -> float:
    return float(np.mean([nan if point is None else point.speedup for point in side.values()]))


def _mean(compared: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean over tasks of the comparisons on each."""
    how = {"estimate": mean_over_tasks, "num_seeds": min, "num_seeds_reference": min, "num_examples": sum}
    return {"task": AVERAGE} | {
        name: how.get(name, np.mean)([row[name] for row in compared]) for name in _FIELDS if name != "task"
    }


def _finished(table: pd.DataFrame, **shared: Any) -> pd.DataFrame:
    """Estimates as numbers in percent; p-values adjusted and verdicts given where the comparison is declared."""
    estimates: list[Estimate] = table.pop("estimate").tolist()
    intervals = np.array([estimate.interval() for estimate in estimates]).reshape(-1, 2)
    table["difference"] = [100 * estimate.value for estimate in estimates]
    table["low"], table["high"] = 100 * intervals.T
    table["p_value"] = [estimate.p_value() for estimate in estimates]
    declared = (table["task"] == AVERAGE) & (table["view"] == MATCHED)
    table["p_holm"] = table["p_value"].where(declared)
    table["p_holm"] = holm(table["p_holm"])
    verdicts = [verdict(row.low, row.high, row.p_holm) for row in table.itertuples()]
    table["verdict"] = pd.Series(verdicts, index=table.index, dtype=str).where(declared)
    return table.assign(**shared)[list(COLUMNS)]
