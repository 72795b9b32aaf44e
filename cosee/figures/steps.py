"""Figure of early exit against the known depth of examples: exit layer and accuracy by number of steps."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from cosee.evaluation.frames import STATIC
from cosee.figures.frames import panels, select
from cosee.figures.style import STYLE, TEXT_WIDTH, finish, line_styles, new_figure, task_label

ORACLE_LABEL = "models of k layers"


def steps_figure(
    frame: pd.DataFrame,
    labels: Mapping[str, str],
    note: str = "",
    *,
    target: float,
    backbone: str | None = None,
    tasks: Sequence[str] = ("sst2", "qnli", "mnli", "qqp"),
) -> Figure:
    """One column per task: mean exit layer above, accuracy below, against the steps that an answer takes.

    Above, a dotted line is the number of layers from which models of k layers are right. Below, methods that have no
    exits are shown too.

    Args:
        frame: rows of `cosee.evaluation.step_frames`.
        labels: variant -> name in the legend, in display order; other variants are omitted.
        note: printed at the bottom.
        target: the target speed-up that is shown.
        backbone: which one; may be None if there is only one.
        tasks: panels in order; if none of them is in the frame, all tasks in it.

    Raises:
        InputError: there is nothing to show, or several backbones to choose from.
    """
    at_target = (frame["target_speedup"] == target) | frame["target_speedup"].isna()
    frame = select(frame[at_target], "steps", backbone=backbone, split="dev")
    shown = panels(frame, list(labels), tasks, "steps")
    looks = line_styles(labels)
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(2, len(shown), TEXT_WIDTH, 1.7, sharex=True, sharey="row")
        for (above, below), task in zip(axes.T, shown, strict=True):
            of_task = frame[frame["task"] == task]
            oracle = of_task[of_task["variant"] == STATIC].groupby("steps")["oracle_depth"].mean()
            above.plot(oracle.index, oracle, color="0.4", linestyle=":", label=ORACLE_LABEL)
            for variant, label in labels.items():
                rows = of_task[of_task["variant"] == variant]
                means = rows.groupby("steps")[["mean_exit_layer", "accuracy"]].mean()
                if rows["target_speedup"].notna().any():
                    above.plot(means.index, means["mean_exit_layer"], label=label, **looks[variant])
                below.plot(means.index, 100 * means["accuracy"], label=label, **looks[variant])
            above.set_title(task_label(task))
            below.set_xlabel("steps")
            below.set_xticks(sorted(of_task["steps"].unique()))
        axes[0, 0].set_ylabel("exit layer")
        axes[1, 0].set_ylabel("accuracy (%)")
        for ax in axes.flat:
            ax.grid(color="0.92", linewidth=0.6)
        return finish(figure, note)
