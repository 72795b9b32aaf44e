"""Histograms of exit layers."""

import numpy as np
import pytest
from helpers import frames
from helpers.drawn import NOTE, legend

from cosee.figures import exit_histogram_figure


def test_exit_histogram_shows_percent_by_class_split_and_threshold():
    histogram = frames.histogram()
    figure = exit_histogram_figure(histogram, NOTE)
    assert len(figure.axes) == 6
    assert legend(figure) == ["negative", "positive"]
    assert figure.axes[0].get_title() == "τ = 0.011 (target 1.5×)"
    for axes, split in ((figure.axes[0], "fit"), (figure.axes[3], "dev")):
        rows = histogram[(histogram["split"] == split) & (histogram["target_speedup"] == 1.5)]
        share = []
        for seed in (1, 2, 3):
            counts = rows[rows["seed"] == seed]
            share.append(100 * counts[counts["label"] == "negative"]["count"].to_numpy() / counts["count"].sum())
        heights = [bar.get_height() for bar in axes.containers[0]]
        np.testing.assert_allclose(heights, np.mean(share, axis=0))
        assert sum(bar.get_height() for bars in axes.containers for bar in bars) == pytest.approx(100)


def test_exit_histogram_says_how_far_dev_is_from_train():
    histogram = frames.histogram(seeds=(1,), points=((2.0, 0.02),))
    shares = {
        split: rows.set_index(["layer", "label"])["count"] / rows["count"].sum()
        for split, rows in histogram.groupby("split")
    }
    distance = 50 * sum(abs(shares["fit"][key] - shares["dev"][key]) for key in shares["fit"].index)
    train, dev = exit_histogram_figure(histogram).axes
    assert f"{distance:.1f} % off train" in dev.texts[0].get_text()
    assert "train" not in train.texts[0].get_text()


def test_figure_1_is_one_panel_at_a_given_threshold():
    histogram = frames.histogram("qnli", splits=("dev",), points=((np.nan, 0.4),))
    (axes,) = exit_histogram_figure(histogram, NOTE).axes
    assert axes.get_title() == "τ = 0.4"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [str(layer) for layer in range(1, 13)]


def test_exit_histogram_orders_thresholds_by_speedup_and_takes_three_classes():
    figure = exit_histogram_figure(frames.histogram("mnli", num_layers=6, points=((4.0, 0.08), (1.5, 0.01))))
    assert ["1.5×" in axes.get_title() for axes in figure.axes[:2]] == [True, False]
    assert legend(figure) == ["entailment", "neutral", "contradiction"]
