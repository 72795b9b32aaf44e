"""Trade-off curves of the page: the rows of the result files, thinned for a screen, and bands over seeds."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from cosee.evaluation.bands import seed_band
from cosee.evaluation.tradeoff import downsample_curve
from cosee.explorer.pack import Pack

MAX_POINTS = 240
"""Operating points of a curve that are kept, evenly spread in speed-up; no screen shows more."""

BAND_POINTS = 121
"""Speed-ups of a band, evenly spread on a logarithmic axis."""

AXES = {"layers": "speedup", "flops": "speedup_flops"}
"""Horizontal axes of the trade-off view -> columns."""

IDENTITY = ["task", "backbone", "split", "series"]
"""Columns that identify a line, all seeds together."""


def thinned(curve: pd.DataFrame, max_points: int = MAX_POINTS) -> pd.DataFrame:
    """The rows of one seed's curve by increasing speed-up, at most `max_points` of them."""
    return downsample_curve(curve.sort_values("speedup", kind="stable", ignore_index=True), max_points)


def curve_columns(curve: pd.DataFrame, pack: Pack) -> dict[str, Any]:
    """The numbers of one seed's curve; scores in 0..1."""
    return {
        "speedup": pack.add(curve["speedup"], "f4"),
        "flops": pack.add(curve["speedup_flops"], "f4"),
        "threshold": pack.add(curve["threshold"], "f4"),
        "score": pack.add(curve["score"], "f4"),
        "accuracy": pack.add(curve["accuracy"], "f4"),
    }


def bands(tradeoff: pd.DataFrame, pack: Pack) -> Iterator[dict[str, Any]]:
    """Mean, lowest and highest seed of every line that several seeds have and that is swept by a threshold.

    Args:
        tradeoff: trade-off rows with the column `series`.
        pack: takes the arrays.

    Yields:
        The line's identity, number of seeds, and for each axis the grid with mean, low and high; NaN where a seed's
        curve does not get to.
    """
    for identity, rows in tradeoff.groupby(IDENTITY, sort=False):
        if rows["seed"].nunique() < 2 or _has_model_per_point(rows):
            continue
        yield dict(zip(IDENTITY, identity, strict=True)) | {
            "seeds": int(rows["seed"].nunique()),
            **{axis: _band(rows, column, pack) for axis, column in AXES.items()},
        }


def _has_model_per_point(rows: pd.DataFrame) -> bool:
    """Whether operating points are models of their own: then no threshold leads from one to the next."""
    return bool((rows.groupby("seed")["model"].nunique() > 1).any())


def _band(rows: pd.DataFrame, column: str, pack: Pack) -> dict[str, Any]:
    grid = np.geomspace(rows[column].min(), rows[column].max(), BAND_POINTS)
    band = seed_band(rows.assign(cost=1 / rows[column]), "cost", "score", 1 / grid).assign(x=grid)  # linear in cost
    return {name: pack.add(band[name], "f4") for name in ("x", "mean", "low", "high")}
