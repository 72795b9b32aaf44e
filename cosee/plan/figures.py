"""How each figure is made: its file, its script, its inputs and its seeds."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from cosee.plan.configuration import Configuration
from cosee.plan.runs import Run
from cosee.plan.shown import result_files, shown_curves, shown_seeds, shown_tasks


class FigureKind(NamedTuple):
    """How a figure is made.

    Attributes:
        shows: what it shows, in names of files.
        draw: function of `workflow/scripts/figure.py` that draws it.
        reads: end of the names of the results that it is drawn from; None: the training histories.
        split: the splits that it shows, in words.
    """

    shows: str
    draw: str
    reads: str | None
    split: str = "dev"


FIGURE_KINDS: Mapping[str, FigureKind] = MappingProxyType(
    {
        "fig1": FigureKind("exit-layers", "exits", "exits.csv"),
        "fig3": FigureKind("energy", "energy", "density.csv"),
        "fig4": FigureKind("tradeoff-energy", "tradeoff", "tradeoff.csv"),
        "fig5": FigureKind("dis", "dis", "dis.csv"),
        "fig6": FigureKind("training", "training", None, "fit, the training examples"),
        "fig7": FigureKind("exit-layers", "exits", "exits.csv", "fit and dev"),
        "fig8": FigureKind("tradeoff-entropy", "tradeoff", "tradeoff.csv"),
        "fig9": FigureKind("tradeoff-softmax", "tradeoff", "tradeoff.csv"),
        "methods": FigureKind("tradeoff-methods", "methods", "tradeoff.csv"),
        "steps": FigureKind("steps", "steps", "steps.csv"),
        "risk": FigureKind("risk", "risk", "risk.csv", "cal (thresholds) and dev (realized risk)"),
    }
)


def figure_stem(name: str) -> str:
    """Name of a figure's files without their ending; the figures of the paper have numbers, others do not."""
    shows = FIGURE_KINDS[name].shows
    return f"{name}_{shows}" if name.startswith("fig") else shows


def figure_rule(name: str) -> str:
    """Name of a figure's rule and of its caption; there is a table of methods too."""
    return name if name.startswith("fig") else f"{name}_figure"


def figure_inputs(config: Configuration, name: str) -> list[str]:
    """Results that a figure is drawn from; none for one that shows the training of its runs (`figure_runs`)."""
    spec, reads = config.figures.shown[name], FIGURE_KINDS[name].reads
    return result_files(config, spec, reads) if reads else []


def figure_runs(config: Configuration, name: str) -> list[Run]:
    """Runs whose training histories a figure shows."""
    if FIGURE_KINDS[name].reads:
        return []
    return [run for curve in shown_curves(config, config.figures.shown[name]) for run in curve.runs]


def reference_inputs(config: Configuration, name: str) -> list[str]:
    """Trade-off curves of the first signal, which figures of the other signals show too."""
    spec, first = config.figures.shown[name], config.signals[0]
    if FIGURE_KINDS[name].draw != "tradeoff" or spec.signal == first:
        return []
    return [f"results/{task}/{first}_tradeoff.csv" for task in shown_tasks(config, spec)]


def figure_seeds(config: Configuration, name: str) -> tuple[int, ...]:
    """Seeds that a figure shows: those of all its variants; Figure 3 draws one, as bins differ between runs."""
    seeds = shown_seeds(config, config.figures.shown[name])
    return seeds[:1] if FIGURE_KINDS[name].draw == "energy" else seeds
