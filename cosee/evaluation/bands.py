"""Curves of several seeds as one: moving average of each, mean and band over all."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


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


def smooth(runs: pd.DataFrame, column: str, window: int) -> pd.Series:
    """Centered moving average of a column within every seed; at the ends over fewer steps."""
    rolled = runs.groupby("seed")[column].rolling(window, center=True, min_periods=1).mean()
    return rolled.droplevel("seed")
