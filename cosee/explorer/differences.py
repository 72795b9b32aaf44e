"""Differences between any two series at equal cost, with intervals and verdicts, whichever is the reference."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cosee.runs.points import Points
from cosee.tables.differences import AVERAGE, MATCHED, differences
from cosee.tables.ranking import scores_at


def all_differences(points: Points, backbone: str, target: float) -> pd.DataFrame:
    """The table of `differences` for every series as the reference.

    Args:
        points: operating points at equal cost, by (task, series).
        backbone: key of the backbone.
        target: speed-up of the points.

    Returns:
        The rows of `differences` in the matched view; a family of verdicts has one reference. Empty if fewer than two
        series get to the target.
    """
    reached = {key: side for key, side in points.items() if any(point is not None for point in side.values())}
    labels = {series: series for series in dict.fromkeys(series for _, series in reached)}
    tables = [
        differences({MATCHED: reached}, labels, reference, backbone=backbone, target_speedup=target)
        for reference in labels
    ]
    return pd.concat([table for table in tables if len(table)], ignore_index=True) if len(labels) > 1 else _EMPTY


_EMPTY = pd.DataFrame()


def difference_rows(points: Mapping[tuple[str, float], Points]) -> Iterator[list[Any]]:
    """Rows of the page: backbone, target, task, series, reference, difference, low, high, verdict, examples.

    Differences are in points; what is not known is None.
    """
    for (backbone, target), there in points.items():
        for row in all_differences(there, backbone, target).itertuples():
            verdict = None if pd.isna(row.verdict) else row.verdict
            numbers = [_number(value) for value in (row.difference, row.low, row.high)]
            yield [backbone, target, row.task, row.variant, row.reference, *numbers, verdict, row.num_examples]


def equal_cost_scores(points: Mapping[tuple[str, float], Points]) -> Iterator[list[Any]]:
    """Rows of the page: backbone, target, task, series, mean score in percent, its spread over seeds, seeds.

    The spread is the standard deviation; None with one seed. The task "average" is the mean over all tasks of a series.
    """
    for (backbone, target), there in points.items():
        scores = scores_at(there, target)
        by_task = scores.groupby(["entrant", "task"], sort=False)["score"]
        for (series, task), score in by_task:
            spread = _number(100 * score.std(ddof=1)) if len(score) > 1 else None
            mean = _number(100 * score.mean(skipna=False))
            yield [backbone, target, task, series, mean, spread, len(score)]
        means = by_task.mean().groupby("entrant", sort=False).agg(lambda score: score.mean(skipna=False))
        for series, mean in means.items():
            yield [backbone, target, AVERAGE, series, _number(100 * mean), None, None]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
