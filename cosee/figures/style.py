"""Style of all figures: sizes for a printed page, colors for all kinds of color vision, reproducible files."""

import textwrap
from collections.abc import Iterable, Mapping
from itertools import cycle
from math import ceil
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cosee.data.tasks import TASKS
from cosee.whole import whole_file

TEXT_WIDTH = 7.0
"""Text width of a printed page in inches; figures have this size, so that fonts keep theirs."""

STYLE: Mapping[str, Any] = MappingProxyType(
    {
        "font.size": 8,
        "text.parse_math": False,  # a "$" in a label is a dollar
        "axes.titlesize": 8.5,
        "axes.labelsize": 8,
        "xtick.labelsize": 7.5,
        "ytick.labelsize": 7.5,
        "legend.fontsize": 7.5,
        "legend.title_fontsize": 8,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.7,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "lines.linewidth": 1.4,
        "lines.markersize": 4,
        "hatch.linewidth": 0.5,
    }
)
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The palette of Okabe and Ito without yellow, which is too pale for lines on paper."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
_LINES = ("-", (0, (5, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (1.5, 1)))
_INCHES_PER_CHARACTER = 0.053  # of 7-point text, a little more than the mean of ordinary sentences
_INCHES_PER_LINE = 0.135


def line_styles(labels: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Color, marker and line style of every variant, by its position in `labels` and thus the same in all figures."""
    looks = zip(labels, cycle(COLORS), cycle(_MARKERS), cycle(_LINES), strict=False)
    return {variant: {"color": color, "marker": mark, "linestyle": line} for variant, color, mark, line in looks}


def task_label(task: str) -> str:
    """Name of a task as printed."""
    return TASKS[task].label if task in TASKS else task


def new_figure(
    rows: int, columns: int, width: float, panel_height: float, **subplots: Any
) -> tuple[Figure, np.ndarray]:
    """A figure with rows x columns axes [rows, columns], drawn without a display and without global state."""
    figure = Figure(figsize=(width, rows * panel_height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **subplots)


def grid_figure(
    count: int, panel_height: float = 2.1, columns: int | None = None, **subplots: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels: narrow if there is one, in pairs up to four and in threes above by default."""
    columns = min(count, columns or (count if count < 3 else 2 if count == 4 else 3))
    width = TEXT_WIDTH if count > 1 else 0.65 * TEXT_WIDTH
    figure, axes = new_figure(ceil(count / columns), columns, width, panel_height, **subplots)
    for spare in axes.flat[count:]:
        spare.remove()
    return figure, list(axes.flat[:count])


def finish(figure: Figure, note: str, title: str | None = None) -> Figure:
    """Add one legend for all axes (with a title) above and the note below, and enlarge the figure for both."""
    width, height = figure.get_size_inches()
    entries = {}
    for axes in figure.axes:
        entries |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    if entries:
        longest = max(map(len, entries))
        fitting = max(1, int(width / ((longest + 9) * _INCHES_PER_CHARACTER)))
        columns = ceil(len(entries) / ceil(len(entries) / fitting))
        figure.legend(
            entries.values(), entries, loc="outside upper center", ncols=columns, handlelength=2.8, title=title
        )
        height += 0.15 + _INCHES_PER_LINE * (ceil(len(entries) / columns) + (title is not None))
    if note:
        lines = textwrap.wrap(note, int(width / _INCHES_PER_CHARACTER))
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7, color="0.35", linespacing=1.25)
        height += 0.08 + _INCHES_PER_LINE * len(lines)
    figure.set_size_inches(width, height)
    return figure


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as .svg, .png (300 dots per inch) or .pdf; the same figure always gives the same bytes."""
    undated = {
        ".svg": {"Date": None, "Creator": None},
        ".png": {"Software": None},
        ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    with whole_file(path) as temporary, mpl.rc_context({"svg.hashsalt": "cosee"}):
        figure.savefig(temporary, dpi=300, metadata=undated[temporary.suffix])
