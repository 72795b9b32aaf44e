"""Figures 1 and 7: exit layers by class."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cosee.exiting.signals import SIGNALS
from cosee.figures.frames import select
from cosee.figures.style import COLORS, STYLE, TEXT_WIDTH, finish, new_figure, task_label

_SPLITS = {"fit": "train", "dev": "dev", "dev_mm": "dev (mismatched)"}
_HATCHES = ("", "////", "....")


def exit_histogram_figure(
    histogram: pd.DataFrame,
    note: str = "",
    *,
    task: str | None = None,
    variant: str | None = None,
    backbone: str | None = None,
    exit_rule: str | None = None,
) -> Figure:
    """One row per split, one column per threshold; bars are percent of the split's examples, by exit layer and class.

    Bars are means over seeds, whiskers go from the lowest to the highest. If training examples are shown too, the other
    rows of panels state their distance from them: the fraction of examples that would have to exit elsewhere to make
    both equal (total variation distance).

    Args:
        histogram: a histogram frame; one split and one threshold give Figure 1.
        note: printed at the bottom.
        task: which one; like the next three it may be None if there is only one.
        variant: which one.
        backbone: which one.
        exit_rule: which one.

    Raises:
        InputError: there is nothing to show, or several tasks, variants, backbones or exit rules to choose from.
    """
    frame = select(histogram, "exit layers", task=task, variant=variant, backbone=backbone, exit_rule=exit_rule)
    sizes = frame.groupby(["seed", "split", "threshold"])["count"].transform("sum")
    frame = frame.assign(percent=100 * frame["count"] / sizes)
    # A target speed-up has its own threshold for every seed; a threshold that was given is the same for all.
    frame["point"] = frame["target_speedup"].where(frame["target_speedup"].notna(), -frame["threshold"])
    points = frame.groupby("point")["speedup"].mean().sort_values().index
    splits = [split for split in _SPLITS if split in set(frame["split"])]
    rule = frame["exit_rule"].iloc[0]
    name = SIGNALS[rule].label if rule in SIGNALS else rule
    width = TEXT_WIDTH if len(points) > 1 else 0.65 * TEXT_WIDTH
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(len(splits), len(points), width, 1.75, sharex=True, sharey=True)
        for row, split in zip(axes, splits, strict=True):
            for ax, point in zip(row, points, strict=True):
                rows = frame[(frame["split"] == split) & (frame["point"] == point)]
                _bars(ax, rows)
                text = [f"{rows['speedup'].mean():.2f}× speed-up"]
                if "fit" in splits and split != "fit":
                    train = frame[(frame["split"] == "fit") & (frame["point"] == point)]
                    text.append(f"{_distance(rows, train):.1f} % off train")
                ax.text(0.98, 0.97, "\n".join(text), transform=ax.transAxes, ha="right", va="top", fontsize=7)
            row[0].set_ylabel(f"{_SPLITS[split]}: examples (%)")
        for ax, point in zip(axes[0], points, strict=True):
            ax.set_title(_title(frame[frame["point"] == point]))
        for ax in axes[-1]:
            ax.set_xlabel("exit layer")
        axes[0, 0].set_ylim(0, 1.35 * frame.groupby(["point", "split", "seed"])["percent"].max().max())
        return finish(figure, note, title=f"{task_label(frame['task'].iloc[0])}, {name}")


def _bars(ax: Axes, rows: pd.DataFrame) -> None:
    classes = list(rows["label"].unique())
    layers = np.sort(rows["layer"].unique())
    width = 0.84 / len(classes)
    for place, label in enumerate(classes):
        percent = rows[rows["label"] == label].groupby("layer")["percent"].agg(["mean", "min", "max"]).loc[layers]
        x = layers + (place - (len(classes) - 1) / 2) * width
        look = {"color": COLORS[place], "hatch": _HATCHES[place % 3], "edgecolor": "white", "linewidth": 0}
        ax.bar(x, percent["mean"], width, label=label, **look)
        if rows["seed"].nunique() > 1:
            ax.vlines(x, percent["min"], percent["max"], color="0.2", linewidth=0.7)
    ax.set_xticks(layers)
    ax.margins(x=0.02)


def _distance(rows: pd.DataFrame, others: pd.DataFrame) -> float:
    """Total variation distance in percent between two histograms, mean over seeds."""
    keys = ["seed", "layer", "label"]
    difference = rows.set_index(keys)["percent"] - others.set_index(keys)["percent"]
    return float(difference.abs().groupby("seed").sum().mean() / 2)


def _title(rows: pd.DataFrame) -> str:
    threshold, target = rows.groupby("seed")["threshold"].first().mean(), rows["target_speedup"].iloc[0]
    if np.isnan(target):
        return f"τ = {threshold:g}"
    return f"τ = {threshold:.3g} (target {target:g}×)"
