"""Training curves."""

import numpy as np
from helpers import frames
from helpers.drawn import LABELS, NOTE, lines

from cosee.figures import training_figure


def test_training_curves_are_a_moving_average():
    history = frames.history(("rte",), seeds=(1, 2), steps=40)
    figure = training_figure(history, LABELS, NOTE, window=5)
    line = lines(figure.axes[0])["COSEE"]
    expected = []
    for seed in (1, 2):
        loss = history[(history["variant"] == "cosee") & (history["seed"] == seed)]["mean_ce"].to_numpy()
        expected.append([loss[max(0, step - 2) : step + 3].mean() for step in range(40)])
    np.testing.assert_allclose(line.get_ydata(), np.mean(expected, axis=0))
    np.testing.assert_array_equal(line.get_xdata(), range(1, 41))
    assert len(figure.axes[0].collections) == len(LABELS)
