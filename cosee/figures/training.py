"""Figure 6: training loss."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cosee.evaluation.bands import seed_band, smooth
from cosee.figures.frames import ordered, panels, select
from cosee.figures.style import STYLE, finish, grid_figure, line_styles, task_label

_LOSSES = {"mean_ce": "cross-entropy (nats)", "loss": "objective"}


def training_figure(
    history: pd.DataFrame,
    labels: Mapping[str, str],
    note: str = "",
    *,
    backbone: str | None = None,
    tasks: Sequence[str] = ("sst2", "qnli"),
    column: str = "mean_ce",
    window: int | None = None,
) -> Figure:
    """One panel per task, one line per variant: moving average of the loss, mean over seeds, band of all seeds.

    Args:
        history: the runs' `history.csv` together, with columns task, backbone, variant and seed.
        labels: variant -> name, in display order; other variants are omitted.
        note: printed at the bottom.
        backbone: which one; may be None if there is only one.
        tasks: panels in order; if none of them is in the frame, all tasks in it.
        column: which loss; the default has the same meaning for every objective.
        window: steps of the centered moving average; a twentieth of the run if None.

    Raises:
        InputError: there is nothing to show, or several backbones to choose from.
    """
    history = select(history, "training curves", backbone=backbone)
    shown = panels(history, labels, tasks, "training curves")
    looks = line_styles(labels)
    with mpl.rc_context(STYLE):
        figure, axes = grid_figure(len(shown))
        for ax, task in zip(axes, shown, strict=True):
            of_task = history[history["task"] == task]
            steps = np.sort(of_task["step"].unique())
            span = window or max(1, len(steps) // 20)
            for place, variant in enumerate(ordered(of_task["variant"], labels)):
                runs = of_task[of_task["variant"] == variant].sort_values(["seed", "step"])
                band = seed_band(runs.assign(loss=smooth(runs, column, span)), "step", "loss", steps)
                every = max(1, len(steps) // 6)
                first = every // 4 + place * every // 5
                ax.plot(
                    band["x"],
                    band["mean"],
                    label=labels[variant],
                    markevery=(first, every),
                    **looks[variant],
                )
                if runs["seed"].nunique() > 1:
                    color = looks[variant]["color"]
                    ax.fill_between(band["x"], band["low"], band["high"], color=color, alpha=0.18, linewidth=0)
            ax.set(
                title=task_label(task), xlabel=f"step (moving average over {span})", ylabel=_LOSSES.get(column, column)
            )
            ax.set_xlim(0, steps[-1])
            ax.grid(color="0.92", linewidth=0.6)
        return finish(figure, note)
