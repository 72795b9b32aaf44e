"""The figure of timings."""

import numpy as np
from helpers import frames
from helpers.drawn import lines

from cosee.figures import latency_figure


def test_latency_shows_speedups_by_batch_size_and_single_examples_by_exit_layer():
    figure = latency_figure(frames.timings(layer=0.002, embed=0.001, test=0.0))
    speedups, rows = figure.axes
    assert {"batch size 1", "batch size 8"} <= lines(speedups).keys()
    x, y = lines(speedups)["batch size 8"].get_data()
    mean = 12 / x
    np.testing.assert_allclose(y, (12 * 0.002 + 0.001) / (mean * 0.002 + 0.001))
    exits, milliseconds = lines(rows)["early exit, single examples"].get_data()
    np.testing.assert_allclose(milliseconds, 2 * (exits * 2 + 1))  # the median round takes twice as long as the first


def test_latency_without_single_examples_has_one_panel():
    assert len(latency_figure(frames.timings(batch_sizes=(8, 16))).axes) == 1
