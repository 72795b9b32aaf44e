"""Tables 2 and 3: reported scores beside those measured here."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from cosee.data.cuts import SELECTION_SPLIT
from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.evaluation.frames import NO_RULE
from cosee.evaluation.interpolation import RUN, VALUES, at_speedups
from cosee.plan.captions import Protocol
from cosee.tables.text import FIXED, NONE, decimal, mean_std, speedups_text

COLUMNS = (
    *("variant", "name", "task", "metric", "reported", "reported_speedup", "reported_split", "reported_source"),
    *("measured_mean", "measured_std", "num_seeds", "speedup_mean", "speedup_std", "speedup_flops_mean"),
    *("interpolated_mean", "interpolated_std", "interpolated_speedup", "interpolated_speedup_flops"),
    *("exit_rule", "adjustable", "target_speedup", "threshold_split", "split", "protocol", "backbone"),
)
"""Columns of the long table, in order."""

_METRICS = {"f1": "F1", "accuracy": "Acc", "mean": "Mean"}
_SPLITS = {"dev": "", "dev_mm": " mm"}
_AVERAGE = "average"
_SPEEDS = ["speedup", "speedup_flops"]
_CELL = ["variant", "task", "metric", "split"]


class _Cell(NamedTuple):
    """Content of one cell: the text of a score, its speed-ups and a mark."""

    score: str
    speedup: float = float("nan")
    flops: float = float("nan")
    mark: str = ""


def comparison(
    reported: pd.DataFrame,
    targets: pd.DataFrame,
    curves: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    backbone: str,
    signal: str,
    protocol: Protocol,
    target_speedup: float = 2.0,
) -> pd.DataFrame:
    """Every reported number beside mean and standard deviation over seeds of the measured ones.

    Each variant is measured twice: at one target speed-up for all, and (`interpolated_*`) at the speed-up that is
    reported for it, if its trade-off curve reaches that. Tasks and metrics are those of the reported table, with an
    average over its tasks if it prints one. MNLI has one more row, for the mismatched split, which the paper does not
    report.

    Args:
        reported: `config/reported/table2.csv` or `table3.csv`.
        targets: the files `results/<task>/<signal>_targets.csv` together, scores in 0..1; may be empty.
        curves: the files `results/<task>/<signal>_tradeoff.csv` together.
        labels: variant -> name in the table, in display order; other variants are omitted.
        backbone: key of the backbone.
        signal: the exit rule that is shown of a variant that was evaluated with several.
        protocol: "heldout" or "field"; determines the split on which the thresholds were found.
        target_speedup: the speed-up that the thresholds were chosen for.

    Returns:
        `COLUMNS`, one row per variant, task, metric and split, scores in percent; reported numbers are in the rows
        of dev.

    Raises:
        InputError: there are no thresholds for `target_speedup`, or a run has several rows for it.
    """
    reported = reported.rename(
        columns={name: f"reported_{name}" for name in ("speedup", "split", "source")} | {"value": "reported"}
    ).assign(split="dev")
    wanted = pd.concat([reported[["task", "metric"]].drop_duplicates(), _unreported(targets)], ignore_index=True)
    runs = _runs(targets, labels, backbone, signal, target_speedup)
    swept = curves[curves["backbone"] == backbone].merge(runs[RUN].drop_duplicates())
    measured = _scores(runs, wanted).agg(
        measured_mean=("value", "mean"),
        measured_std=("value", "std"),
        num_seeds=("seed", "nunique"),
        speedup_mean=("speedup", "mean"),
        speedup_std=("speedup", "std"),
        speedup_flops_mean=("speedup_flops", "mean"),
        exit_rule=("exit_rule", "first"),
        adjustable=("adjustable", "first"),
    )
    interpolated = _scores(at_speedups(swept, _reported_speedups(reported)), wanted).agg(
        interpolated_mean=("value", "mean"),
        interpolated_std=("value", "std"),
        interpolated_speedup=("speedup", "mean"),
        interpolated_speedup_flops=("speedup_flops", "mean"),
    )
    table = reported.merge(measured.merge(interpolated, on=_CELL, how="left"), on=_CELL, how="outer")

    printed = reported.sort_values("row").drop_duplicates("variant").set_index("variant")["name"]
    order = {
        "variant": [*printed.index, *labels],
        "task": [*TASKS, _AVERAGE],
        "split": list(_SPLITS),
        "metric": list(_METRICS),
    }
    table = table.sort_values(list(order), key=lambda c: c.map(order[c.name].index), ignore_index=True)
    measured_here = table["num_seeds"].notna()
    has_threshold = measured_here & (table["exit_rule"] != NO_RULE)
    return table.assign(
        adjustable=table["adjustable"].where(has_threshold),
        name=table["variant"].map({**labels, **printed}),
        num_seeds=table["num_seeds"].fillna(0).astype(int),
        target_speedup=_where(target_speedup, has_threshold),
        threshold_split=_where(SELECTION_SPLIT[protocol], has_threshold),
        split=table["split"].where(measured_here),
        protocol=_where(protocol, measured_here),
        backbone=_where(backbone, measured_here),
    )[list(COLUMNS)]


def comparison_wide(table: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """One row of reported numbers and up to two of measured ones per variant, from `comparison`.

    A cell holds the scores and, in brackets, the speed-up, also in FLOPs where that differs; several metrics or splits
    are separated by slashes in the order of the header. The speed-up of an average has its own column, as in Table 3.
    """
    table = table.assign(split=table["split"].fillna("dev"))
    present = set(zip(table["task"], table["split"], table["metric"], strict=True))
    columns = {
        task: [(split, metric) for split in _SPLITS for metric in _METRICS if (task, split, metric) in present]
        for task in (*TASKS, _AVERAGE)
        if task in set(table["task"])
    }
    lines = []
    for variant, group in table.groupby("variant", sort=False):
        known = group[group["reported"].notna()]
        if len(known):
            source, _, _ = known["reported_source"].iloc[0].partition(" (via")
            line = {"Method": known["name"].iloc[0], "From": f"{source}, {known['reported_split'].iloc[0]}"}
            lines.append(line | _cells(group, columns, _reported))
        if group["num_seeds"].any():
            lines.append({"Method": labels[variant], "From": "here, dev"} | _cells(group, columns, _measured))
        if group["interpolated_mean"].notna().any():
            line = {"Method": labels[variant], "From": "here, dev, interpolated"}
            lines.append(line | _cells(group, columns, _interpolated))
    return pd.DataFrame(lines)


def _runs(targets: pd.DataFrame, labels: Mapping[str, str], backbone: str, signal: str, target: float) -> pd.DataFrame:
    """One row of `targets` per task, variant, seed and split; of several exit rules that of `signal`, if there."""
    if targets.empty:
        return targets.reindex(columns=[*RUN, "speedup", *VALUES, "adjustable"])
    runs = targets[(targets["backbone"] == backbone) & targets["variant"].isin(labels) & targets["split"].isin(_SPLITS)]
    sought = runs["target_speedup"]
    at_target = runs[sought.isna() | (sought == target)]
    if sought.notna().any() and not (at_target["exit_rule"] != NO_RULE).any():
        available = ", ".join(f"{value:g}" for value in sorted(sought.dropna().unique()))
        raise InputError(f"There is no threshold for a target speed-up of {target:g}; the results have {available}.")
    kept = []
    for _, group in at_target.groupby(["task", "variant"], sort=False):
        available = group["exit_rule"].unique()
        preferred = signal if signal in available else available[0]
        kept.append(group[group["exit_rule"] == preferred])
    runs = pd.concat(kept) if kept else at_target
    repeated = runs[runs.duplicated(["task", "variant", "seed", "split"])]
    if len(repeated):
        first = repeated.iloc[0]
        raise InputError(
            f"{first['task']}, {first['variant']}, seed {first['seed']}, split {first['split']}: several rows for one "
            "cell of the table; expected one per run."
        )
    return runs


def _unreported(targets: pd.DataFrame) -> pd.DataFrame:
    """Tasks of installed packages, which no paper of the table has, with their metrics: task, metric."""
    found = [TASKS[task] for task in targets.get("task", pd.Series(dtype=str)).unique() if task not in TASKS.own]
    pairs = [(task.name, metric) for task in found for metric in (task.metrics if len(task.metrics) == 1 else _METRICS)]
    return pd.DataFrame(pairs, columns=["task", "metric"], dtype=str)


def _reported_speedups(reported: pd.DataFrame) -> pd.DataFrame:
    """Reported speed-up of each variant on each task: task, variant, speedup.

    If only the average over the tasks is printed, it is used for every task, so that the average is the same.
    """
    averages = reported[reported["task"] == _AVERAGE].set_index("variant")["reported_speedup"]
    speedup = reported["reported_speedup"].fillna(reported["variant"].map(averages))
    return reported.assign(speedup=speedup)[["task", "variant", "speedup"]].dropna().drop_duplicates()


def _scores(runs: pd.DataFrame, wanted: pd.DataFrame) -> pd.api.typing.DataFrameGroupBy:
    """One row per run and wanted metric, in percent, with the average if wanted; grouped by cell."""
    runs = runs.assign(mean=runs["score"])
    kept = [name for name in (*RUN, *_SPEEDS, "adjustable") if name in runs]
    scores = runs.melt(kept, list(_METRICS), var_name="metric", value_name="value").dropna(subset="value")
    scores = scores.assign(value=100 * scores["value"].astype(float)).merge(wanted)
    if _AVERAGE in set(wanted["task"]):
        averaged = wanted.loc[wanted["task"].isin(list(TASKS.own)), "task"].unique()
        scores = pd.concat([scores, _average(scores[scores["task"].isin(averaged)], num_tasks=len(averaged))])
    return scores.groupby(_CELL, as_index=False)


def _average(scores: pd.DataFrame, num_tasks: int) -> pd.DataFrame:
    """Mean over the tasks of score and speed-up, for every run with all tasks; one metric per task."""
    runs = scores[scores["split"] == "dev"].groupby(["variant", "seed", "split"])
    firsts = [name for name in ("exit_rule", "adjustable") if name in scores]
    means = runs[firsts].first().join(runs[["value", *_SPEEDS]].mean())[runs.size() == num_tasks]
    return means.reset_index().assign(task=_AVERAGE, metric="mean")


def _where(value: object, mask: pd.Series) -> pd.Series:
    """A column with the value where the mask is true, and missing values elsewhere."""
    return pd.Series(value, index=mask.index).where(mask)


def _cells(group: pd.DataFrame, columns: Mapping[str, list], content: Callable[[Any], _Cell]) -> dict[str, str]:
    """Cells of one printed row by their header; `content` reads a row of the long table."""
    rows = {(row.task, row.split, row.metric): content(row) for row in group.itertuples()}
    line = {}
    for task, parts in columns.items():
        found = [rows.get((task, *part), _Cell(NONE)) for part in parts]
        scores = NONE if all(cell.score == NONE for cell in found) else "/".join(cell.score for cell in found)
        timed = [cell for cell in found if not pd.isna(cell.speedup)]
        speedups = speedups_text(*zip(*((cell.speedup, cell.flops) for cell in timed), strict=True)) if timed else NONE
        mark = "".join({cell.mark for cell in timed})
        if task == _AVERAGE:
            line["Speed-up"], line["AVG"] = speedups, scores
            continue
        names = "/".join(f"{_METRICS[metric]}{_SPLITS[split]}" for split, metric in parts)
        line[f"{TASKS[task].label} {names}"] = f"{scores} ({speedups}){mark}" if timed else scores
    return line


def _reported(row: Any) -> _Cell:
    return _Cell(decimal(row.reported), row.reported_speedup, row.reported_speedup)


def _measured(row: Any) -> _Cell:
    mark = FIXED if not pd.isna(row.adjustable) and not row.adjustable else ""
    return _Cell(mean_std(row.measured_mean, row.measured_std), row.speedup_mean, row.speedup_flops_mean, mark)


def _interpolated(row: Any) -> _Cell:
    score = mean_std(row.interpolated_mean, row.interpolated_std)
    return _Cell(score, row.interpolated_speedup, row.interpolated_speedup_flops)
