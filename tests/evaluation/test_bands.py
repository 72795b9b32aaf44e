"""Bands over seeds, and moving averages."""

import numpy as np
import pandas as pd
import pytest
from helpers import frames

from cosee.evaluation.bands import seed_band, smooth


def test_seed_band_equals_a_loop():
    curves = frames.tradeoff(variants=("cosee",), controls=False)
    grid = np.linspace(1, 6, 11)
    band = seed_band(curves, "speedup", "score", grid)
    for position, row in zip(grid, band.itertuples(), strict=True):
        values = []
        for seed in (1, 2, 3):
            curve = curves[curves["seed"] == seed].sort_values("speedup")
            values.append(np.interp(position, curve["speedup"], curve["score"]))
        assert (row.x, row.low, row.high) == (position, min(values), max(values))
        assert row.mean == pytest.approx(sum(values) / 3)


def test_seed_band_is_missing_where_one_seed_is():
    curves = pd.DataFrame({"seed": [1, 1, 2, 2], "x": [1.0, 3.0, 1.0, 2.0], "y": [1.0, 0.0, 1.0, 0.5]})
    assert seed_band(curves, "x", "y", [1, 2, 3])["mean"].isna().tolist() == [False, False, True]


def test_smoothing_does_not_mix_seeds():
    runs = pd.DataFrame({"seed": [1, 1, 2, 2], "step": [1, 2, 1, 2], "loss": [0.0, 0.0, 8.0, 8.0]})
    assert smooth(runs, "loss", 3).tolist() == [0, 0, 8, 8]
