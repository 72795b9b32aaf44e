"""What all figures share: they take what evaluation gives, are legible, and refuse what is unclear."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers import frames
from helpers.drawn import LABELS, NOTE, all_figures, legend, lines

from cosee.errors import InputError
from cosee.evaluation.curve_frames import oracle_frame, random_frame, tradeoff_frame
from cosee.evaluation.exit_frames import density_frame, dis_frame, histogram_frame
from cosee.evaluation.frames import RunId
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.point_frames import operating_points
from cosee.exiting.rules import RULES
from cosee.figures import (
    dis_figure,
    energy_figure,
    exit_histogram_figure,
    latency_figure,
    tradeoff_figure,
    training_figure,
)
from cosee.figures.style import TEXT_WIDTH


def test_figures_take_what_evaluation_gives():
    rng = np.random.default_rng(0)
    predictions = ExitOutputs(
        rng.normal(size=(80, 6, 2)), np.arange(80) % 2, np.arange(80), 6, tuple(range(1, 7)), tuple(range(1, 7))
    )
    run, energy = RunId("sst2", "bert", "cosee", 1, "cosee-energy"), RULES["energy"]
    (thresholds,) = operating_points([predictions], energy)
    curves = [
        tradeoff_frame(run, predictions, "dev", energy),
        random_frame(run, predictions, "dev", rng),
        oracle_frame(run, predictions, "dev"),
    ]
    histogram = histogram_frame(run, predictions, "dev", energy, thresholds)
    figures = [
        tradeoff_figure(pd.concat(curves), LABELS),
        exit_histogram_figure(histogram),
        energy_figure(density_frame(run, predictions, "dev")),
        dis_figure(dis_frame(run, predictions, "dev", energy), LABELS),
    ]
    assert len(lines(figures[0].axes[0])) == 3
    assert np.isfinite(lines(figures[0].axes[0])["COSEE"].get_ydata()).all()
    assert len(figures[1].axes) == len(thresholds)
    assert legend(figures[2]) == ["layer 1", "layer 3", "layer 5"]
    assert len(figures[3].axes[0].texts) == 3


@pytest.mark.parametrize(("seeds", "num_layers"), [((1,), 6), ((1, 2, 3), 12)])
def test_every_figure_is_legible_and_says_where_it_comes_from(seeds, num_layers):
    for name, figure in all_figures(seeds, num_layers).items():
        figure.draw_without_rendering()
        assert figure.get_figwidth() <= TEXT_WIDTH, name
        assert " ".join(figure.get_supxlabel().split()) == NOTE, name
        texts = [text for text in figure.findobj(lambda artist: hasattr(artist, "get_fontsize")) if text.get_text()]
        assert min(text.get_fontsize() for text in texts) >= 7, name
        inside, page = figure.bbox, figure.get_tightbbox().transformed(figure.dpi_scale_trans)
        assert page.x0 >= inside.x0 - 1, name
        assert page.x1 <= inside.x1 + 1, name
        assert page.y0 >= inside.y0 - 1, name
        assert page.y1 <= inside.y1 + 1, name


def test_labels_outside_the_data_do_not_overlap():
    many = {f"m{i}": f"a rather long name of method {i}" for i in range(9)}
    figure = tradeoff_figure(frames.tradeoff(("sst2", "qnli", "mnli"), tuple(many), seeds=(1,)), many, NOTE * 4)
    figure.draw_without_rendering()
    top = figure.legends[0].get_window_extent()
    bottom = figure._supxlabel.get_window_extent()
    assert top.x0 >= 0
    assert top.x1 <= figure.bbox.x1
    assert bottom.x1 <= figure.bbox.x1
    for axes in figure.axes:
        assert not axes.get_tightbbox().overlaps(top)
        assert not axes.get_tightbbox().overlaps(bottom)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: tradeoff_figure(frames.tradeoff().iloc[:0], LABELS),
        lambda: exit_histogram_figure(frames.histogram().iloc[:0]),
        lambda: energy_figure(frames.density(seeds=(1,)).iloc[:0]),
        lambda: dis_figure(frames.dis().iloc[:0], LABELS),
        lambda: training_figure(frames.history(steps=9).iloc[:0], LABELS),
        lambda: latency_figure(frames.timings().iloc[:0]),
    ],
)
def test_an_empty_frame_is_refused(draw):
    with pytest.raises(InputError, match="empty"):
        draw()


def test_unclear_or_missing_rows_are_refused():
    two = pd.concat([frames.tradeoff(seeds=(1,)), frames.tradeoff(seeds=(1,)).assign(backbone="albert")])
    with pytest.raises(InputError, match="choose one backbone of bert, albert"):
        tradeoff_figure(two, LABELS)
    assert tradeoff_figure(two, LABELS, backbone="albert").axes
    with pytest.raises(InputError, match="no rows with split 'test', only dev"):
        tradeoff_figure(two, LABELS, backbone="bert", split="test")
    with pytest.raises(InputError, match="no results of unknown, only of vanilla, cosee"):
        tradeoff_figure(frames.tradeoff(seeds=(1,), controls=False), {"unknown": "?"})


def test_importing_figures_loads_neither_torch_nor_a_display():
    code = "import sys, cosee.figures; print({'torch', 'transformers', 'matplotlib.pyplot'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
