"""Figure of risks: the level that was asked for against the risk that was realized, and the speed-up that is left."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cosee.data.tasks import TASKS
from cosee.figures.frames import panels, select
from cosee.figures.style import STYLE, TEXT_WIDTH, finish, line_styles, new_figure, task_label

NAMES = {"naive": "naive", "crc": "CRC", "ltt": "LTT", "shared": "shared (CATs)", "lynx": "LYNX"}
"""Procedures as printed, in the order of their colors."""


def risk_figure(
    risks: pd.DataFrame,
    note: str = "",
    *,
    variant: str,
    backbone: str | None = None,
    tasks: Sequence[str] = ("sst2", "qnli", "mnli", "qqp"),
    loss: str = "same",
) -> Figure:
    """One column per task and evaluated split: realized risk above, speed-up below, a line for each procedure.

    Args:
        risks: rows of `cosee.evaluation.risk_frames.risk_frame`.
        note: printed at the bottom.
        variant: the one whose thresholds are shown.
        backbone: which one; may be None if there is only one.
        tasks: panels in order; if none of them is in the frame, all tasks in it.
        loss: the loss whose risk is shown.

    Raises:
        InputError: there is nothing to show, or several backbones to choose from.
    """
    frame = select(risks, "risk", backbone=backbone, variant=variant, loss=loss)
    shown = panels(frame, [variant], tasks, "risk")
    at_hand = set(zip(frame["task"], frame["split"], strict=True))
    places = [(task, split) for task in shown for split in TASKS[task].eval_splits if (task, split) in at_hand]
    looks = line_styles(NAMES)
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(2, len(places), TEXT_WIDTH, 1.6, sharex=True, sharey="row")
        for column, (task, split) in enumerate(places):
            here = frame[(frame["task"] == task) & (frame["split"] == split)]
            levels = 100 * np.sort(here["level"].unique())
            above, below = axes[:, column]
            above.plot([0, levels[-1]], [0, levels[-1]], color="0.7", linewidth=0.8, zorder=1)
            for procedure in [name for name in NAMES if name in set(here["procedure"])]:
                of_procedure = here[here["procedure"] == procedure].groupby("level")
                means = of_procedure[["risk", "speedup"]].mean()
                above.plot(levels, 100 * means["risk"], label=NAMES[procedure], **looks[procedure])
                below.plot(levels, means["speedup"], label=NAMES[procedure], **looks[procedure])
            above.set_title(task_label(task) + ("" if split == "dev" else "-mm"))
            below.set_xlabel("level (%)")
            _ticks(below, levels)
        axes[0, 0].set_ylabel("realized risk (%)")
        axes[1, 0].set_ylabel("speed-up (×)")
        for ax in axes.flat:
            ax.grid(color="0.92", linewidth=0.6)
        return finish(figure, note)


def _ticks(ax: Axes, levels: np.ndarray) -> None:
    """Ticks at the levels, of which two close neighbors would print over each other."""
    kept = [level for place, level in enumerate(levels) if place != 1 or levels[1] > 2.5 * levels[0]]
    ax.set_xlim(0, 1.05 * levels[-1])
    ax.set_xticks(kept, [f"{level:g}" for level in kept])
