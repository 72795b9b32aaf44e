"""Data of the figures: selection of rows, and mean and band over seeds."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cosee.data.tasks import TASKS
from cosee.errors import InputError


def paper_layers(num_layers: int) -> tuple[int, ...]:
    """Internal exits (1-based) at the depths of the paper's layers 2, 6 and 10 of 12."""
    scaled = (int(num_layers * layer / 12 + 0.5) for layer in (2, 6, 10))
    return tuple(sorted({min(max(layer, 1), num_layers - 1) for layer in scaled}))


def select(frame: pd.DataFrame, what: str, **conditions: object) -> pd.DataFrame:
    """Rows with the given values; a condition of None requires that the column has a single value.

    Raises:
        InputError: no rows match, or the choice is ambiguous; the message lists the values of the column.
    """
    if frame.empty:
        raise InputError(f"{what}: there are no results to show; the data frame is empty.")
    for column, wanted in conditions.items():
        values = list(frame[column].unique())
        if wanted is None and len(values) > 1:
            raise InputError(f"{what}: choose one {column} of {', '.join(map(str, values))}.")
        kept = frame if wanted is None else frame[frame[column] == wanted]
        if kept.empty:
            raise InputError(f"{what}: there are no rows with {column} {wanted!r}, only {', '.join(map(str, values))}.")
        frame = kept
    return frame


def panels(frame: pd.DataFrame, variants: Iterable[str], preferred: Iterable[str], what: str) -> list[str]:
    """The preferred tasks with rows of a variant; if there are none, all tasks with such rows.

    Raises:
        InputError: no variant has any row.
    """
    at_hand = set(frame["task"][frame["variant"].isin(variants)])
    if not at_hand:
        there = ", ".join(frame["variant"].unique())
        raise InputError(f"{what}: there are no results of {', '.join(variants)}, only of {there}.")
    return [task for task in preferred if task in at_hand] or [task for task in TASKS if task in at_hand]


def seed_band(curves: pd.DataFrame, x: str, y: str, grid: ArrayLike) -> pd.DataFrame:
    """Mean, lowest and highest seed of curves, on a common grid.

    Between its points a curve is linear in `x`; beyond its ends it is NaN, and so is the mean where any seed is.

    Args:
        curves: columns seed, `x` and `y`; points at the same `x` are averaged.
        x: name of the column along the axis.
        y: name of the column of values.
        grid: positions [G].

    Returns:
        Columns x, mean, low, high, G rows.
    """
    grid = np.asarray(grid, dtype=float)
    values = []
    for _, curve in curves.groupby("seed"):
        points = curve.groupby(x)[y].mean()
        values.append(np.interp(grid, points.index, points, left=np.nan, right=np.nan))
    values = np.array(values)
    return pd.DataFrame({"x": grid, "mean": values.mean(axis=0), "low": values.min(axis=0), "high": values.max(axis=0)})


def ordered(present: Iterable[str], labels: Iterable[str]) -> list[str]:
    """The variants of `labels` that are present, in display order."""
    present = set(present)
    return [variant for variant in labels if variant in present]
