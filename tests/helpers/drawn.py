"""Figures of made-up results, and what is read off them."""

from helpers import frames

from cosee.figures import (
    dis_figure,
    energy_figure,
    exit_histogram_figure,
    latency_figure,
    tradeoff_figure,
    training_figure,
)

LABELS = {variant: frames.LABELS[variant] for variant in ("vanilla", "wo_osc", "cosee")}
NOTE = "Data: generated. Backbone: tiny. Split: dev. Protocol: heldout. Runs: 3 seeds (1, 2, 3)."


def all_figures(seeds=(1, 2, 3), num_layers=12):
    few = {"seeds": seeds, "num_layers": num_layers}
    return {
        "tradeoff": tradeoff_figure(frames.tradeoff(("sst2", "qqp"), tuple(LABELS), **few), LABELS, NOTE),
        "exits": exit_histogram_figure(frames.histogram(**few), NOTE),
        "energy": energy_figure(frames.density(**few), NOTE),
        "methods": tradeoff_figure(
            frames.tradeoff(("sst2", "qqp"), tuple(LABELS), **few), LABELS, NOTE, emphasized="cosee"
        ),
        "dis": dis_figure(frames.dis(**few), LABELS, NOTE),
        "latency": latency_figure(frames.timings(num_layers), NOTE),
        "training": training_figure(frames.history(seeds=seeds, steps=200), LABELS, NOTE),
    }


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]
