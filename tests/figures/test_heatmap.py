"""The heat map of difficulty inversion."""

import numpy as np
import pytest
from helpers import frames
from helpers.drawn import LABELS, NOTE

from cosee.figures import dis_figure


def test_dis_heatmap_annotates_mean_and_deviation():
    dis = frames.dis()
    figure = dis_figure(dis, LABELS, NOTE)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["SST-2", "QNLI"]
    axes = figure.axes[1]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == list(LABELS.values())
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["2", "6", "10"]
    cell = dis[(dis["task"] == "qnli") & (dis["variant"] == "cosee") & (dis["layer"] == 10)]["dis"]
    assert axes.texts[-1].get_text() == f"{cell.mean():.1f}\n±{cell.std():.1f}"
    shown = axes.collections[0].get_array().reshape(len(LABELS), -1)
    assert shown[list(LABELS).index("cosee"), 2] == pytest.approx(cell.mean())


def test_dis_heatmap_of_six_layers_with_an_undefined_value():
    dis = frames.dis(("rte",), seeds=(1,), num_layers=6)
    dis.loc[(dis["variant"] == "vanilla") & (dis["layer"] == 1), "dis"] = np.nan
    axes = dis_figure(dis, LABELS).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "3", "5"]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts[0.5, list(LABELS).index("vanilla") + 0.5] == "–"
    assert sum(text == "–" for text in texts.values()) == 1
    assert "±" not in "".join(texts.values())
