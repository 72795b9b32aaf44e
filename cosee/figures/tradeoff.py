"""Figures 4, 8 and 9, and that of all methods: score against speed-up."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cosee.data.tasks import TASKS
from cosee.evaluation.bands import seed_band
from cosee.evaluation.frames import ORACLE, RANDOM, STATIC
from cosee.figures.frames import ordered, panels, select
from cosee.figures.style import STYLE, finish, grid_figure, line_styles, task_label

PAPER_TASKS = ("sst2", "qnli", "mnli", "qqp")
MAX_SPEEDUP = 6
SPEEDUPS = np.linspace(1, MAX_SPEEDUP, 201)

_RANDOM_LOOK = {"color": "0.55", "linestyle": (0, (1, 1.2)), "linewidth": 1.2, "zorder": 1.5}
_ORACLE_LOOK = {"color": "0.55", "linestyle": (0, (6, 2)), "linewidth": 0.9, "zorder": 1.5}
_STATIC_LOOK = {"color": "0.3", "linewidth": 0.7, "marker": "x", "markersize": 4.5, "markeredgewidth": 1.1}
_EMPHASIZED = {"linestyle": "-", "linewidth": 2.4, "markersize": 5.5, "zorder": 3}
_OTHER = {"linewidth": 1.0, "markersize": 3.5}
_REFERENCE = {"color": "0.15", "linestyle": (0, (8, 1.5, 1, 1.5)), "linewidth": 1}


def tradeoff_figure(
    curves: pd.DataFrame,
    labels: Mapping[str, str],
    note: str = "",
    *,
    backbone: str | None = None,
    split: str = "dev",
    tasks: Sequence[str] = PAPER_TASKS,
    reference: pd.DataFrame | None = None,
    reference_labels: Mapping[str, str] | None = None,
    emphasized: str | None = None,
) -> Figure:
    """One panel per task, one line per variant: mean over seeds, band from the lowest to the highest.

    The controls in the frame (`CONTROLS`) are drawn thin and gray.

    Args:
        curves: a trade-off frame of one signal.
        labels: variant -> name, in display order; other variants are omitted.
        note: printed at the bottom.
        backbone: which one; may be None if there is only one.
        split: which one.
        tasks: panels in order; if none of them is in the frame, all tasks in it.
        reference: a trade-off frame of another signal, for comparison.
        reference_labels: variants of `reference` to draw -> name.
        emphasized: one of many variants to draw thick, the only one with a band, in larger panels.

    Raises:
        InputError: there is nothing to show, or several backbones to choose from.
    """
    curves = select(curves, "trade-off", backbone=backbone, split=split)
    shown = panels(curves, labels, tasks, "trade-off")
    looks = line_styles(labels)
    with mpl.rc_context(STYLE):
        figure, axes = grid_figure(len(shown)) if emphasized is None else grid_figure(len(shown), 2.9, columns=2)
        for ax, task in zip(axes, shown, strict=True):
            of_task = curves[curves["task"] == task]
            present = dict(list(of_task.groupby("variant")))
            for place, variant in enumerate(ordered(present, labels)):
                look = looks[variant] | {"markevery": (12 + 9 * place % 40, 40)}
                if emphasized is not None:
                    look |= _EMPHASIZED if variant == emphasized else _OTHER
                _line(ax, present[variant], labels[variant], band=emphasized in (None, variant), **look)
            for variant, name in (reference_labels or {}).items():
                other = reference[(reference["task"] == task) & (reference["variant"] == variant)]
                other = other[(other["split"] == split) & (other["backbone"] == of_task["backbone"].iloc[0])]
                if len(other):
                    _line(ax, other, name, **_REFERENCE)
            if STATIC in present:
                points = present[STATIC].groupby("speedup")["score"].mean().loc[:MAX_SPEEDUP]
                ax.plot(points.index, 100 * points, label="models of k layers", zorder=1.8, **_STATIC_LOOK)
            if RANDOM in present:
                _line(ax, present[RANDOM], "random exits", **_RANDOM_LOOK)
            if ORACLE in present:
                low, high = ax.get_ylim()
                _line(ax, present[ORACLE], "first correct exit (oracle)", **_ORACLE_LOOK)
                # The oracle may run out of the panel, which is scaled for the differences between the variants.
                ax.set_ylim(low, min(ax.get_ylim()[1], high + 0.3 * (high - low)))
            ax.set(title=task_label(task), xlim=(0.97, MAX_SPEEDUP + 0.03), xticks=range(1, MAX_SPEEDUP + 1))
            ax.set(xlabel="speed-up (×)", ylabel=_score_label(task))
            ax.locator_params(axis="y", nbins=6, steps=(1, 2, 5, 10))
            ax.grid(color="0.92", linewidth=0.6)
        return finish(figure, note)


def _line(ax: Axes, curves: pd.DataFrame, label: str, band: bool = True, **look: Any) -> None:
    """Mean and band over seeds; if every operating point is a model of its own, a line through their means."""
    if curves["model"].nunique() > 1:
        points = curves.groupby("model")[["speedup", "score"]].mean().sort_values("speedup")
        ax.plot(points["speedup"], 100 * points["score"], label=label, **look | {"markevery": 1})
        return
    # linear in cost, as in the tables: a random choice between two points realizes that, and not a line in speed-up
    seeds = seed_band(curves.assign(cost=1 / curves["speedup"]), "cost", "score", 1 / SPEEDUPS)
    ax.plot(SPEEDUPS, 100 * seeds["mean"], label=label, **look)
    if band and curves["seed"].nunique() > 1 and "marker" in look:
        ax.fill_between(SPEEDUPS, 100 * seeds["low"], 100 * seeds["high"], color=look["color"], alpha=0.18, linewidth=0)


def _score_label(task: str) -> str:
    metrics = TASKS[task].metrics
    return "accuracy (%)" if metrics == ("accuracy",) else "(accuracy + F1) / 2 (%)"
