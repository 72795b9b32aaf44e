"""Figure of latencies: wall-clock speed-up against speed-up in layers, and latency of every exit layer."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cosee.errors import InputError
from cosee.evaluation.latency import latency, single_examples
from cosee.figures.style import COLORS, STYLE, finish, grid_figure, line_styles


def latency_figure(timings: pd.DataFrame, note: str = "") -> Figure:
    """Left: one line per batch size; the diagonal is the ideal. Right: single examples by exit layer.

    On the right, the line is the median and the band holds 90 % of the examples; the panel needs a batch size of 1.

    Args:
        timings: `cosee.bench.latency.measure`.
        note: printed at the bottom.

    Raises:
        InputError: there is nothing to show.
    """
    if timings.empty:
        raise InputError("latency: there are no results to show; the data frame is empty.")
    table = latency(timings)
    single = timings[timings["batch_size"] == 1]
    with mpl.rc_context(STYLE):
        figure, axes = grid_figure(1 if single.empty else 2, 2.6)
        _speedups(axes[0], table)
        if not single.empty:
            _exit_layers(axes[1], single)
        for ax in axes:
            ax.grid(color="0.92", linewidth=0.6)
        return finish(figure, note)


def _speedups(ax: Axes, table: pd.DataFrame) -> None:
    sizes = table["batch_size"].unique()
    for size, look in line_styles(sizes).items():
        points = table[table["batch_size"] == size].sort_values("layer_speedup")
        ax.plot(points["layer_speedup"], points["wall_speedup"], label=f"batch size {size}", **look)
    end = 1.05 * table[["layer_speedup", "wall_speedup"]].max().max()
    ax.plot([1, end], [1, end], color="0.55", linewidth=0.9, linestyle=(0, (6, 2)), zorder=1.5)
    ax.set(xlim=(1, end), xlabel="speed-up in layers (×)", ylabel="wall-clock speed-up (×)")


def _exit_layers(ax: Axes, single: pd.DataFrame) -> None:
    early, color = single_examples(single[single["contender"] == "early"]), COLORS[3]
    low, middle, high = (1000 * early.groupby("layers")["seconds"].quantile(q) for q in (0.05, 0.5, 0.95))
    ax.plot(middle.index, middle, color=color, marker="D", label="early exit, single examples")
    ax.fill_between(middle.index, low, high, color=color, alpha=0.18, linewidth=0)
    whole = 1000 * np.median(single.loc[single["contender"] == "whole", "seconds"])
    ax.axhline(whole, color="0.3", linewidth=0.9, linestyle=(0, (4, 1.5)), label="full model, no exit tests")
    ax.set(xlabel="exit layer", ylabel="latency (ms)", ylim=(0, None), xlim=(0.5, single["num_layers"].iloc[0] + 0.5))
