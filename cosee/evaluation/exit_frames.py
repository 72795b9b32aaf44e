"""Measures of every exit as frames: inversion of difficulty, scores, how many examples exit, distribution of energy."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cosee.data.tasks import TASKS
from cosee.evaluation.frames import RunId, Thresholds, answers_and_labels, identified, internal_scores
from cosee.evaluation.metrics import cross_entropy, difficulty_inversion_score, glue_scores
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import Rule
from cosee.exiting.signals import energy, normalized_energy
from cosee.exiting.simulation import exit_layers, speedup_ratio


def dis_frame(run: RunId, outputs: ExitOutputs, split: str, rule: Rule) -> pd.DataFrame:
    """Difficulty inversion score of every internal exit: layer, dis, dis_strict (percent), num_easy, num_hard."""
    predicted, labels = answers_and_labels(outputs, split, rule)
    scores, correct = internal_scores(outputs, rule), predicted[:, :-1] == labels[:, None]
    frame = pd.DataFrame(
        {
            "layer": outputs.exit_depths[:-1],
            "dis": difficulty_inversion_score(scores, correct, rule.harder_is),
            "dis_strict": difficulty_inversion_score(scores, correct, rule.harder_is, ties=0),
            "num_easy": correct.sum(axis=0),
            "num_hard": (~correct).sum(axis=0),
        }
    )
    return identified(frame, run, split, rule.family)


def layers_frame(run: RunId, outputs: ExitOutputs, split: str, rule: Rule | None = None) -> pd.DataFrame:
    """Every exit used for all examples, with a rule's answers: layer, score, accuracy, f1, loss (mean, in nats)."""
    predicted, labels = answers_and_labels(outputs, split, rule)
    scores = glue_scores(predicted.T, labels, TASKS[run.task])
    loss = cross_entropy(outputs.answer_scores(rule), labels).mean(axis=0)
    return identified(pd.DataFrame({"layer": outputs.exit_depths, **scores, "loss": loss}), run, split)


def histogram_frame(run: RunId, outputs: ExitOutputs, split: str, rule: Rule, thresholds: Thresholds) -> pd.DataFrame:
    """Examples of each class by exit layer: threshold, target_speedup, layer, label, count, speedup."""
    _, labels = answers_and_labels(outputs, split)
    classes, num_exits = TASKS[run.task].classes, len(outputs.exit_depths)
    scores = internal_scores(outputs, rule)
    frames = []
    for target, threshold in thresholds:
        layers = exit_layers(scores, threshold, rule.harder_is)
        counts = np.bincount(layers * len(classes) + labels, minlength=num_exits * len(classes))
        frame = pd.DataFrame(
            {
                "threshold": threshold,
                "target_speedup": target,
                "layer": np.repeat(outputs.exit_depths, len(classes)),
                "label": np.tile(classes, num_exits),
                "count": counts,
                "speedup": speedup_ratio(layers, outputs.num_layers),
            }
        )
        frames.append(frame)
    return identified(pd.concat(frames, ignore_index=True), run, split, rule.family)


def density_frame(
    run: RunId, outputs: ExitOutputs, split: str, layers: Sequence[int] | None = None, bins: int = 60
) -> pd.DataFrame:
    """Distribution of the energy over examples: layer, kind ("raw", "normalized"), bin_left, bin_right, density.

    All layers share the bins of their kind: 0..1 for the normalized energy, the range of the values for the raw one.
    """
    depths = np.asarray(outputs.exit_depths)
    exits = np.flatnonzero(np.isin(depths, depths if layers is None else layers))
    logits = outputs.logits[:, exits].astype(np.float64)
    frames = []
    for kind, values, span in (("raw", energy(logits), None), ("normalized", normalized_energy(logits), (0, 1))):
        edges = np.histogram_bin_edges(values, bins, range=span)
        for depth, column in zip(depths[exits], values.T, strict=True):
            density, _ = np.histogram(column, edges, density=True)
            columns = {"bin_left": edges[:-1], "bin_right": edges[1:], "density": density}
            frames.append(pd.DataFrame({"layer": depth, "kind": kind, **columns}))
    return identified(pd.concat(frames, ignore_index=True), run, split)
