"""The results that a page is made from, wherever they come from: a built workflow, or folders of finished runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from cosee.evaluation.outputs import ExitOutputs
from cosee.runs.points import Points


class Series(NamedTuple):
    """One line of a trade-off chart: a variant with an exit rule, or a control.

    Attributes:
        id: `variant|exit rule`, as in the page's address.
        variant: key of the variant, or a control.
        rule: name of the exit rule, or of its family.
        label: name for people.
        kind: "signal" (exits by the signal that is chosen), "own" (has an exit rule of its own), "static" (no early
            exit) or "control".
    """

    id: str
    variant: str
    rule: str
    label: str
    kind: str


def series_id(variant: str, rule: str) -> str:
    """The name of a series in addresses and frames."""
    return f"{variant}|{rule}"


@dataclass(frozen=True)
class Line:
    """The trade-off curve of one seed, with the stored outputs behind it.

    Attributes:
        task: key of `TASKS`.
        backbone: key of the backbone.
        series: name of the series.
        seed: seed of the run.
        outputs: split -> (name of the model, its outputs), several where each operating point is a model of its own.
        selection: the split on which rules are fitted, for those that are.
    """

    task: str
    backbone: str
    series: str
    seed: int
    outputs: Callable[[str], list[tuple[str, ExitOutputs]]]
    selection: str = "sel"


@dataclass
class Source:
    """Everything that a page shows.

    Attributes:
        title: heading of the page.
        data: the data in words.
        backbones: key of a backbone -> its description.
        series: every series, in display order.
        reference: name of the series that the others are compared with at first.
        targets: speed-ups at which differences are given.
        frames: "tradeoff", "targets", "dis", "layers", "calibration" and, where thresholds were certified, "risk" ->
            result frame of `cosee.evaluation`, all tasks and exit rules together.
        lines: trade-off curves with the outputs behind them.
        points: (backbone, target speed-up) -> operating points at equal cost on dev, by task and series.
        histories: training curves: task, backbone, variant, name, seed, step, mean_ce, threshold_low, threshold_high.
        examples: task -> columns split, idx and, where they may be shown, text_a, text_b, and difficulty or steps.
        no_text: why there are no texts.
        latency: measured wall-clock speed-ups; None if nothing was timed.
        provenance: headings and facts of the provenance panel.
        claims: rows of the claims view, see `cosee.explorer.claims`; None if there is no list.
        links: name -> address of further pages, relative to this one.
    """

    title: str
    data: str
    backbones: Mapping[str, str]
    series: list[Series]
    reference: str
    targets: list[float]
    frames: Mapping[str, pd.DataFrame]
    lines: list[Line]
    points: Mapping[tuple[str, float], Points]
    histories: pd.DataFrame
    examples: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    no_text: str = ""
    latency: pd.DataFrame | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    claims: list[list[Any]] | None = None
    links: Mapping[str, str] = field(default_factory=dict)


HISTORY = ("step", "mean_ce", "threshold_low", "threshold_high")
"""Columns of histories that the training view shows."""


EXAMPLES = ("split", "idx", "text_a", "text_b", "difficulty", "steps")
"""Columns of examples that the page shows."""


def with_series(frame: pd.DataFrame) -> pd.DataFrame:
    """A result frame with the name of each row's series."""
    return frame.assign(series=frame["variant"].str.cat(frame["exit_rule"], sep="|"))
