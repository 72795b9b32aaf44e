"""How far each method is from the control at one target speed-up, and how sure that is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cosee.data.tasks import TASKS
from cosee.evaluation.bootstrap import OperatingPoint, interval, paired_bootstrap, score_difference
from cosee.seeds import numpy_generator
from cosee.tables.text import APART, NONE

COLUMNS = (
    *("task", "backbone", "variant", "name", "reference", "target_speedup", "difference", "low", "high"),
    *("num_seeds", "num_rows", "speedup", "reference_speedup"),
)
"""Columns of the long table, in order; differences in points of the score in percent."""

_AVERAGE = "average"


def at_target(targets: pd.DataFrame, labels: Mapping[str, str], backbone: str, speedup: float) -> pd.DataFrame:
    """Rows on dev of the operating points that were sought for a speed-up, and of static models that have it."""
    here = (targets["backbone"] == backbone) & (targets["split"] == "dev") & targets["variant"].isin(labels)
    return targets[here & (targets["target_speedup"].fillna(targets["speedup"]) == speedup)]


def differences(
    answers: Mapping[tuple[str, str], Mapping[int, OperatingPoint]],
    labels: Mapping[str, str],
    reference: str,
    *,
    backbone: str,
    target_speedup: float,
    seed: int,
) -> pd.DataFrame:
    """Score of every method minus that of the reference, with the 95 % interval of the paired bootstrap.

    Args:
        answers: (task, variant) -> seed -> answers on dev at the operating point that was sought for the speed-up.
        labels: variant -> name in the table, in display order.
        reference: the variant that the others are compared with.
        backbone: key of the backbone.
        target_speedup: what the operating points were sought for; the table has the speed-ups that they realise.
        seed: from which the draws of every comparison are derived.

    Returns:
        `COLUMNS`, over the seeds that both have. The task "average" is the mean over all tasks of the reference, whose
        draws are independent; it has the fewest seeds of them and the rows of all.
    """
    tasks = [task for task, variant in answers if variant == reference]
    rows = []
    for variant in labels:
        seeds = {task: answers[task, reference].keys() & answers.get((task, variant), {}) for task in tasks}
        there = [task for task in tasks if seeds[task] and variant != reference]
        compared = [
            _compared(task, answers[task, variant], answers[task, reference], numpy_generator(seed, task, variant))
            for task in there
        ]
        if tasks and there == tasks:
            compared.append(_pooled(compared))
        for row in compared:
            low, high = interval(row.pop("draws"))
            rows.append({"variant": variant, "name": labels[variant], "low": low, "high": high} | row)
    shared = {"backbone": backbone, "reference": reference, "target_speedup": target_speedup}
    table = pd.DataFrame(rows).assign(**shared).reindex(columns=COLUMNS)
    percent = ["difference", "low", "high"]
    return table.assign(**100 * table[percent])


def differences_wide(table: pd.DataFrame) -> pd.DataFrame:
    """One line per method from `differences`: difference and interval on every task.

    Where the realised speed-ups are more than 10 % apart, the cell is marked.
    """
    labels = {name: task.label for name, task in TASKS.items()} | {_AVERAGE: "Mean"}
    columns = [task for task in labels if task in set(table["task"])]
    lines = []
    marks = (table["speedup"] / table["reference_speedup"] - 1).abs().gt(0.1).map({True: APART, False: ""})
    for _, group in table.assign(mark=marks).groupby("variant", sort=False):
        cells = {
            row.task: f"{row.difference:+.1f} [{row.low:+.1f}, {row.high:+.1f}]{row.mark}" for row in group.itertuples()
        }
        lines.append({"Method": group["name"].iloc[0]} | {labels[task]: cells.get(task, NONE) for task in columns})
    return pd.DataFrame(lines)


def _compared(
    task: str, method: Mapping[int, OperatingPoint], reference: Mapping[int, OperatingPoint], rng: np.random.Generator
) -> dict[str, Any]:
    """Difference and draws on one task."""
    seeds = sorted(method.keys() & reference.keys())
    ours, theirs = ([answers[seed] for seed in seeds] for answers in (method, reference))
    pair = [np.stack([answer.predicted for answer in side]) for side in (ours, theirs)]
    return {
        "task": task,
        "difference": score_difference(*pair, ours[0].labels, TASKS[task]),
        "draws": paired_bootstrap(*pair, ours[0].labels, TASKS[task], rng),
        "num_seeds": len(seeds),
        "num_rows": len(ours[0].labels),
        "speedup": np.mean([answer.speedup for answer in ours]),
        "reference_speedup": np.mean([answer.speedup for answer in theirs]),
    }


def _pooled(compared: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean over tasks of what was compared on each."""
    how = {"num_seeds": min, "num_rows": sum}
    means = {name: how.get(name, lambda values: np.mean(values, axis=0)) for name in compared[0] if name != "task"}
    return {"task": _AVERAGE} | {name: combine([row[name] for row in compared]) for name, combine in means.items()}
