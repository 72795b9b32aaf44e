"""Wall-clock speed-ups of early exit, from single timings."""

import numpy as np
import pandas as pd

COLUMNS = (
    *("batch_size", "target_speedup", "threshold", "layer_speedup", "wall_speedup", "share_kept"),
    *("whole_ms", "whole_p95_ms", "early_ms", "early_p95_ms", "tests_share", "r2"),
)
"""Columns of the table; speed-ups are ratios, shares lie in 0..1, times are milliseconds per batch."""


def latency(timings: pd.DataFrame) -> pd.DataFrame:
    """One row per batch size and operating point.

    Speed-ups compare the seconds for all examples, each batch with its median over the rounds, so that a few disturbed
    timings do not matter. `r2` is the R² of the latency of single examples (medians, too) on their exit layer, over all
    points.

    Args:
        timings: `cosee.bench.latency.measure`.
    """
    lines = []
    for size, of_size in timings.groupby("batch_size"):
        whole, tests, early = (of_size[of_size["contender"] == name] for name in ("whole", "tests", "early"))
        r2 = _r2(single_examples(early)) if size == 1 else np.nan
        for target, point in early.groupby("target_speedup"):
            layers = (point["rows"] * point["num_layers"]).sum() / point["layers"].sum()
            wall = _seconds(whole) / _seconds(point)
            line = {"batch_size": size, "target_speedup": target, "threshold": point["threshold"].iloc[0]}
            line |= {"layer_speedup": layers, "wall_speedup": wall, "share_kept": wall / layers}
            for name, group in (("whole", whole), ("early", point)):
                middle, high = 1000 * np.quantile(group["seconds"], (0.5, 0.95))
                line |= {f"{name}_ms": middle, f"{name}_p95_ms": high}
            line |= {"tests_share": 1 - _seconds(whole) / _seconds(tests), "r2": r2}
            lines.append(line)
    return pd.DataFrame(lines, columns=list(COLUMNS))


def conditions(timings: pd.DataFrame) -> str:
    """Hardware and number of examples of a measurement, in a sentence; threads is 0 for a GPU."""
    hardware, threads = timings[["hardware", "threads"]].iloc[0]
    beside = "" if threads == 0 else ", 1 thread" if threads == 1 else f", {threads} threads"
    rows = timings[timings["round"] == 0].groupby(["batch_size", "contender", "target_speedup"], dropna=False)["rows"]
    return f"Measured on {hardware}{beside}: {rows.sum().max()} examples, {timings['round'].max() + 1} rounds."


def single_examples(early: pd.DataFrame) -> pd.DataFrame:
    """Latency of every single example at every operating point, median over the rounds: layers, seconds."""
    return (
        early[early["batch_size"] == 1]
        .groupby(["target_speedup", "batch", "layers"], as_index=False)["seconds"]
        .median()
    )


def _seconds(timings: pd.DataFrame) -> float:
    return float(timings.groupby("batch")["seconds"].median().sum())


def _r2(rows: pd.DataFrame) -> float:
    if rows["layers"].nunique() < 2:
        return np.nan
    return float(np.corrcoef(rows["layers"], rows["seconds"])[0, 1] ** 2)
