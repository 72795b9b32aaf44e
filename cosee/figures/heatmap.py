"""Figure 5: difficulty inversion score of each variant's exits."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cosee.figures.frames import ordered, panels, paper_layers, select
from cosee.figures.style import STYLE, TEXT_WIDTH, finish, new_figure, task_label


def dis_figure(
    dis: pd.DataFrame,
    labels: Mapping[str, str],
    note: str = "",
    *,
    backbone: str | None = None,
    exit_rule: str | None = None,
    split: str = "dev",
    tasks: Sequence[str] = ("sst2", "qnli"),
    layers: Sequence[int] | None = None,
) -> Figure:
    """One panel per task, variants x exits; cells show the mean over seeds, with two or more the deviation below.

    Args:
        dis: a DIS frame.
        labels: variant -> name, in display order; other variants are omitted.
        note: printed at the bottom.
        backbone: which one; like the exit rule it may be None if there is only one.
        exit_rule: which one.
        split: which one.
        tasks: panels in order; if none of them is in the frame, all tasks in it.
        layers: exits (1-based); those of the paper if None, scaled to the depth.

    Raises:
        InputError: there is nothing to show, or several backbones or exit rules to choose from.
    """
    from seaborn import heatmap  # takes a second to import, and no other figure needs it

    frame = select(dis, "DIS", backbone=backbone, exit_rule=exit_rule, split=split)
    layers = list(layers or paper_layers(int(frame["layer"].max()) + 1))
    shown = panels(frame, labels, tasks, "DIS")
    frame = frame[frame["task"].isin(shown) & frame["variant"].isin(labels) & frame["layer"].isin(layers)]
    variants = ordered(frame["variant"], labels)
    cells = frame.groupby(["task", "variant", "layer"])["dis"].agg(["mean", "std"])
    scale = {"vmin": cells["mean"].min(), "vmax": cells["mean"].max()}
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(1, len(shown), TEXT_WIDTH, 0.5 + 0.36 * len(variants), sharey=True)
        for ax, task in zip(axes[0], shown, strict=True):
            of_task = cells.loc[task].reindex(pd.MultiIndex.from_product([variants, layers]))
            mean = of_task["mean"].unstack().loc[variants, layers]
            text = of_task.apply(_cell, axis=1).unstack().loc[variants, layers]
            heatmap(mean, annot=text, fmt="", annot_kws={"fontsize": 7}, cmap="cividis", cbar=False, ax=ax, **scale)
            for row, column in np.argwhere(mean.isna().to_numpy()):  # seaborn writes no text in these cells
                ax.text(column + 0.5, row + 0.5, "–", ha="center", va="center", fontsize=7)
            ax.set_title(task_label(task))
            ax.set(xlabel="layer", ylabel="", facecolor="0.9")
            ax.set_yticklabels([labels[variant] for variant in variants], rotation=0)
            ax.tick_params(length=0)
        image = axes[0, 0].collections[0]
        figure.colorbar(image, ax=list(axes[0]), label="DIS (%)", pad=0.02, aspect=12)
        return finish(figure, note)


def _cell(row: pd.Series) -> str:
    return f"{row['mean']:.1f}" + ("" if np.isnan(row["std"]) else f"\n±{row['std']:.1f}")
