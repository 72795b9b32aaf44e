"""The folder of a workflow that has run, with random outputs in place of trained models."""

import numpy as np
from helpers.presets import read

from cosee.evaluation.outputs import ExitOutputs, save_outputs
from cosee.io import write_frame, write_json
from cosee.plan.configuration import configuration
from cosee.plan.runs import display_names
from cosee.plan.shown import shown_curves
from cosee.runs.points import matched_points
from cosee.tables import differences

LAYERS = 12


def config_of(variants, seeds):
    """The mini preset, of which some variants are trained on two tasks."""
    config = read("config")
    experiment = {"backbone": "bert", "tasks": ["sst2", "mrpc"], "signals": ["energy"], "variants": list(variants)}
    return configuration(config | {"seeds": list(seeds), "experiments": [experiment]})


def random_outputs(rng, labels, accuracy, confidence):
    """Outputs whose exits are correct at a rate, alike for all exits of an example."""
    right = rng.random(len(labels)) < accuracy
    sign = np.where(right == (labels == 1), 1, -1)[:, None] * confidence * rng.uniform(0.5, 1.5, (len(labels), LAYERS))
    depths = tuple(range(1, LAYERS + 1))
    logits = np.stack([-sign, sign], axis=-1)
    return ExitOutputs(logits, labels, np.arange(len(labels)), LAYERS, depths, tuple(map(float, depths)))


def write_workflow_folder(folder, accuracies, seeds=range(6), draw=0, num_examples=200):
    """Manifest, stored outputs of every run, and the table of differences; returns the table."""
    config = config_of(accuracies, seeds)
    curves = shown_curves(config, config.tables.differences, accuracies)
    for curve in curves:
        labels = np.random.default_rng(len(curve.task)).integers(0, 2, num_examples)
        rng = np.random.default_rng([draw, curve.seed, list(accuracies).index(curve.variant), len(curve.task)])
        outputs = random_outputs(rng, labels, accuracies[curve.variant], np.linspace(0.5, 2, LAYERS))
        save_outputs(folder / curve.runs[0].folder / "logits-dev.npz", outputs)
    write_json(folder / "results/manifest.json", {"config": config.as_mapping()})
    points, names = matched_points(curves, 2.0, folder), display_names(config, accuracies)
    views = {"matched": points, "deployed": points}
    table = differences(views, names, "cosee", backbone="bert", target_speedup=2.0)
    write_frame(folder / "results/tables/differences.csv", table)
    return table
