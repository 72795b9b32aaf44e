"""Figures: a data frame of results -> a matplotlib figure, with the panels and axes of the paper.

Every function takes a frame (`cosee.evaluation.frames`), the labels of the variants in display order if there are
several, and a note on data, backbone, split, protocol and seeds (`cosee.plan.captions.Context.sentence`) that
is printed at the bottom. A panel without data is omitted.
"""

from cosee.figures.energy import energy_figure
from cosee.figures.exits import exit_histogram_figure
from cosee.figures.frames import paper_layers
from cosee.figures.heatmap import dis_figure
from cosee.figures.latency import latency_figure
from cosee.figures.risk import risk_figure
from cosee.figures.steps import steps_figure
from cosee.figures.style import save
from cosee.figures.tradeoff import tradeoff_figure
from cosee.figures.training import training_figure

__all__ = [
    "dis_figure",
    "energy_figure",
    "exit_histogram_figure",
    "latency_figure",
    "paper_layers",
    "risk_figure",
    "save",
    "steps_figure",
    "tradeoff_figure",
    "training_figure",
]
