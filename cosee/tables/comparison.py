"""Tables 2 and 3: what is reported, beside what was measured here."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from cosee.captions import Protocol
from cosee.data import SELECTION_SPLIT
from cosee.errors import InputError
from cosee.tables.text import NONE, decimal, mean_std
from cosee.tasks import TASKS

COLUMNS = (
    *("method", "name", "task", "metric", "reported", "reported_speedup", "reported_split", "reported_source"),
    *("measured_mean", "measured_std", "num_seeds", "speedup_mean", "speedup_std", "signal", "target_speedup"),
    *("threshold_split", "split", "protocol", "backbone"),
)
"""Columns of the long table, in order."""

_METRICS = {"f1": "F1", "accuracy": "Acc", "mean": "Mean"}
_SPLITS = {"dev": "", "dev_mm": " mm"}
_AVERAGE = "average"
_RUN = ["task", "method", "signal", "seed", "split", "speedup"]


def comparison(
    reported: pd.DataFrame,
    targets: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    backbone: str,
    protocol: Protocol,
    target_speedup: float = 2.0,
    signals: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Every reported number beside mean and standard deviation over seeds of what was measured here.

    Tasks and metrics are those of the reported table, with an average over its tasks where it prints one. MNLI gets one
    more row, for the mismatched split that the paper does not report.

    Args:
        reported: `config/reported/table2.csv` or `table3.csv`.
        targets: the files `results/<task>/targets.csv` together, scores in 0..1; may be empty.
        labels: variant -> name in the table, in display order. Variants that are not named here are left out.
        backbone: key of the backbone.
        protocol: decides on which split the thresholds were found.
        target_speedup: for which the thresholds were sought.
        signals: variant -> its exit signal, where it was measured with several; energy if not named.

    Returns:
        `COLUMNS`, one row per method, task, metric and split, scores in percent; a reported number stands in the row
        of dev.

    Raises:
        InputError: nothing was measured at `target_speedup`, or a run has several rows for it.
    """
    reported = reported.rename(
        columns={name: f"reported_{name}" for name in ("speedup", "split", "source")}
        | {"variant": "method", "value": "reported"}
    ).assign(split="dev")
    wanted = reported[["task", "metric"]].drop_duplicates()
    scores = _scores(_runs(targets, labels, backbone, target_speedup, signals or {})).merge(wanted)
    if _AVERAGE in set(wanted["task"]):
        scores = pd.concat([scores, _average(scores, num_tasks=wanted["task"].nunique() - 1)])
    measured = scores.groupby(["method", "task", "metric", "split"], as_index=False).agg(
        measured_mean=("value", "mean"),
        measured_std=("value", "std"),
        num_seeds=("seed", "nunique"),
        speedup_mean=("speedup", "mean"),
        speedup_std=("speedup", "std"),
        signal=("signal", "first"),
    )
    table = reported.merge(measured, on=["method", "task", "metric", "split"], how="outer")

    printed = reported.sort_values("row").drop_duplicates("method").set_index("method")["name"]
    order = {
        "method": [*printed.index, *labels],
        "task": [*TASKS, _AVERAGE],
        "split": list(_SPLITS),
        "metric": list(_METRICS),
    }
    table = table.sort_values(list(order), key=lambda c: c.map(order[c.name].index), ignore_index=True)
    here = table["num_seeds"].notna()
    swept = here & (table["signal"] != "none")
    return table.assign(
        name=table["method"].map({**labels, **printed}),
        num_seeds=table["num_seeds"].fillna(0).astype(int),
        target_speedup=_where(target_speedup, swept),
        threshold_split=_where(SELECTION_SPLIT[protocol], swept),
        split=table["split"].where(here),
        protocol=_where(protocol, here),
        backbone=_where(backbone, here),
    )[list(COLUMNS)]


def comparison_wide(table: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """A line of reported and one of measured numbers per method, from `comparison`.

    A cell holds the scores and, in brackets, the speed-up; several metrics or splits are separated by slashes in the
    order of the header. An average has its speed-up in a column of its own, as in Table 3.
    """
    table = table.assign(split=table["split"].fillna("dev"))
    present = set(zip(table["task"], table["split"], table["metric"], strict=True))
    columns = {
        task: [(split, metric) for split in _SPLITS for metric in _METRICS if (task, split, metric) in present]
        for task in (*TASKS, _AVERAGE)
        if task in set(table["task"])
    }
    lines = []
    for method, group in table.groupby("method", sort=False):
        known = group[group["reported"].notna()]
        if len(known):
            source, _, _ = known["reported_source"].iloc[0].partition(" (via")
            line = {"Method": known["name"].iloc[0], "From": f"{source}, {known['reported_split'].iloc[0]}"}
            lines.append(line | _cells(group, columns, _reported))
        if group["num_seeds"].any():
            lines.append({"Method": labels[method], "From": "here, dev"} | _cells(group, columns, _measured))
    return pd.DataFrame(lines)


def _runs(
    targets: pd.DataFrame, labels: Mapping[str, str], backbone: str, target: float, signals: Mapping[str, str]
) -> pd.DataFrame:
    """The rows of `targets` that the table is about: one per task, method, seed and split."""
    if targets.empty:
        return targets.reindex(
            columns=["task", "method", "signal", "seed", "split", "speedup", "score", "accuracy", "f1"]
        )
    runs = targets[(targets["backbone"] == backbone) & targets["method"].isin(labels) & targets["split"].isin(_SPLITS)]
    sought = runs["target_speedup"]
    at_target = runs[sought.isna() | (sought == target)]
    if sought.notna().any() and not (at_target["signal"] != "none").any():
        there = ", ".join(f"{value:g}" for value in sorted(sought.dropna().unique()))
        raise InputError(f"no threshold was sought for a target speed-up of {target:g}; the results have {there}")
    kept = []
    for (_, method), group in at_target.groupby(["task", "method"], sort=False):
        there = group["signal"].unique()
        preferred = signals.get(method, "energy" if "energy" in there else there[0])
        kept.append(group[group["signal"] == preferred])
    runs = pd.concat(kept) if kept else at_target
    repeated = runs[runs.duplicated(["task", "method", "seed", "split"])]
    if len(repeated):
        first = repeated.iloc[0]
        raise InputError(
            f"{first['task']}, {first['method']}, seed {first['seed']}, split {first['split']}: several rows for one "
            "cell of the table; expected one per run"
        )
    return runs


def _scores(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per run and metric, in percent."""
    scores = (
        runs.assign(mean=runs["score"])
        .melt(_RUN, list(_METRICS), var_name="metric", value_name="value")
        .dropna(subset="value")
    )
    return scores.assign(value=100 * scores["value"].astype(float))


def _average(scores: pd.DataFrame, num_tasks: int) -> pd.DataFrame:
    """Mean over the tasks of score and speed-up, for every run that has them all; one metric per task."""
    means = (
        scores[scores["split"] == "dev"]
        .groupby(["method", "seed", "split"], as_index=False)
        .agg(value=("value", "mean"), speedup=("speedup", "mean"), signal=("signal", "first"), tasks=("task", "size"))
    )
    return means[means["tasks"] == num_tasks].drop(columns="tasks").assign(task=_AVERAGE, metric="mean")


def _where(value: object, mask: pd.Series) -> pd.Series:
    """A column that holds the value where the mask is true, and nothing elsewhere."""
    return pd.Series(value, index=mask.index).where(mask)


def _cells(group: pd.DataFrame, columns: Mapping[str, list], texts: Callable[[Any], tuple[str, str]]) -> dict[str, str]:
    """The cells of one line by their header; `texts` gives score and speed-up of a row of the long table."""
    rows = {(row.task, row.split, row.metric): texts(row) for row in group.itertuples()}
    line = {}
    for task, parts in columns.items():
        found = [rows.get((task, *part), (NONE, NONE)) for part in parts]
        scores = "/".join(score for score, _ in found)
        speedups = list(dict.fromkeys(speedup for _, speedup in found if speedup != NONE))
        empty = all(score == NONE for score, _ in found)
        if task == _AVERAGE:
            line["Speed-up"], line["AVG"] = f"{speedups[0]}×" if speedups else NONE, scores
            continue
        names = "/".join(f"{_METRICS[metric]}{_SPLITS[split]}" for split, metric in parts)
        suffix = f" ({'/'.join(speedups)}×)" if speedups else ""
        line[f"{TASKS[task].label} {names}"] = NONE if empty else scores + suffix
    return line


def _reported(row: Any) -> tuple[str, str]:
    return decimal(row.reported), decimal(row.reported_speedup, 2)


def _measured(row: Any) -> tuple[str, str]:
    return mean_std(row.measured_mean, row.measured_std), decimal(row.speedup_mean, 2)
