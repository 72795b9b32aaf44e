"""Figure 3: distribution of the energy score at three exits, raw and normalized."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cosee.figures.frames import paper_layers, select
from cosee.figures.style import COLORS, STYLE, finish, grid_figure, task_label

_KINDS = {"raw": "energy score", "normalized": "normalized energy score"}
_LINES = ("-", "--", "-.", ":")


def energy_figure(
    density: pd.DataFrame,
    note: str = "",
    *,
    task: str | None = None,
    variant: str | None = None,
    backbone: str | None = None,
    split: str = "dev",
    seed: int | None = None,
    layers: Sequence[int] | None = None,
) -> Figure:
    """One panel for the energy score (Eq. 10) and one for the normalized energy score (Eq. 11), one outline per exit.

    Args:
        density: a density frame.
        note: printed at the bottom.
        task: which one; like the next two it may be None if there is only one.
        variant: which one.
        backbone: which one.
        split: which one.
        seed: which run, as bins differ between runs; the first if None.
        layers: exits (1-based); those of the paper if None, scaled to the depth.

    Raises:
        InputError: there is nothing to show, or several tasks, variants or backbones to choose from.
    """
    frame = select(density, "energy distribution", task=task, variant=variant, backbone=backbone, split=split)
    seed = int(frame["seed"].min()) if seed is None else seed
    frame = select(frame, "energy distribution", seed=seed)
    at_hand = sorted(frame["layer"].unique())
    layers = layers or (paper_layers(at_hand[-1]) if len(at_hand) > 3 else at_hand)
    kinds = [kind for kind in _KINDS if kind in set(frame["kind"])]
    with mpl.rc_context(STYLE):
        figure, axes = grid_figure(len(kinds))
        for ax, kind in zip(axes, kinds, strict=True):
            for place, layer in enumerate(layers):
                rows = frame[(frame["kind"] == kind) & (frame["layer"] == layer)].sort_values("bin_left")
                edges = np.append(rows["bin_left"], rows["bin_right"].iloc[-1:])
                look = {"color": COLORS[place % len(COLORS)], "linestyle": _LINES[place % len(_LINES)]}
                ax.stairs(rows["density"], edges, label=f"layer {layer}", linewidth=1.2, **look)
                ax.stairs(rows["density"], edges, fill=True, color=look["color"], alpha=0.15)
            filled = frame[(frame["kind"] == kind) & frame["layer"].isin(layers) & (frame["density"] > 0)]
            ax.set(xlabel=_KINDS[kind], ylabel="density", ylim=(0, None))
            left, right = filled["bin_left"].min(), filled["bin_right"].max()
            ax.set_xlim(left - 0.02 * (right - left), right + 0.02 * (right - left))
        return finish(figure, note, title=f"{task_label(frame['task'].iloc[0])}, seed {seed}")
