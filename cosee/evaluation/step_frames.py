"""Data frames of early exit against the known depth of examples, a row per number of steps (`cosee.evaluation.steps`).

They are without rows where examples record no steps, as those of GLUE. Layers are 1-based, shares and accuracies lie in
0..1, as in `cosee.evaluation.frames`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from cosee.evaluation.frames import NO_RULE, STATIC, RunId, Thresholds, identified, internal_scores
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.steps import frame_by_steps, oracle_depth, rank_correlation
from cosee.exiting.rules import Rule
from cosee.exiting.simulation import exit_layers

MEASURES = ("mean_exit_layer", "accuracy", "premature")
"""What is measured for each number of steps; `cosee.evaluation.steps.frame_by_steps` says what they are."""

COLUMNS = (
    *("task", "backbone", "variant", "exit_rule", "seed", "split", "model"),
    *("target_speedup", "threshold", "adjustable", "rule"),
    *("steps", "examples", *MEASURES, "rank_correlation", "oracle_depth"),
)
"""Columns of every frame of this module, in order."""


def steps_frame(run: RunId, outputs: ExitOutputs, split: str, rule: Rule, thresholds: Thresholds) -> pd.DataFrame:
    """What an exit rule does with examples of each number of steps, at thresholds.

    The thresholds are those of `targets_frame`. `rank_correlation` is that of exit and steps over all examples, the
    same in every row of a threshold.
    """
    if not _has_steps(outputs):
        return _frame([], run, split, rule.family)
    scores, rows = internal_scores(outputs, rule), []
    for target, threshold in thresholds:
        exits = exit_layers(scores, threshold, rule.harder_is)
        point = {"target_speedup": target, "threshold": threshold, "adjustable": rule.is_adjustable}
        correlation = rank_correlation(exits, outputs.steps)
        rows.append(frame_by_steps(outputs, exits, rule).assign(**point, rule=rule.name, rank_correlation=correlation))
    return _frame(rows, run, split, rule.family)


def static_steps_frame(run: RunId, outputs: ExitOutputs, split: str) -> pd.DataFrame:
    """The same of a model with one exit: what it solves. Neither target nor threshold."""
    found = [frame_by_steps(outputs, np.zeros(len(outputs.labels), dtype=np.int64))] if _has_steps(outputs) else []
    return _frame([rows.assign(adjustable=False, rule=NO_RULE) for rows in found], run, split, NO_RULE)


def oracle_depth_frame(run: RunId, by_depth: Mapping[int, ExitOutputs], split: str) -> pd.DataFrame:
    """Depth that examples of each number of steps take: mean over those that the deepest model answers rightly.

    Args:
        run: identity of the rows, of which the variant is `STATIC`.
        by_depth: outputs of a model of k layers, for several k.
        split: name of the split.
    """
    depths = sorted(by_depth)
    run = replace(run, variant=STATIC)
    if len(depths) < 2 or not all(_has_steps(outputs) for outputs in by_depth.values()):
        return _frame([], run, split, NO_RULE)
    deepest = by_depth[depths[-1]]
    right = np.stack([by_depth[k].predicted[:, 0] == deepest.labels for k in depths])
    found = pd.DataFrame({"steps": deepest.steps, "oracle_depth": oracle_depth(right, depths)})
    means = found.groupby("steps").mean()
    means.insert(0, "examples", found.groupby("steps").size())
    rows = means.reset_index().assign(adjustable=False, rule=NO_RULE)
    return _frame([rows], run, split, NO_RULE)


def _has_steps(outputs: ExitOutputs) -> bool:
    return outputs.steps is not None and bool((outputs.steps > 0).all())


def _frame(parts: Sequence[pd.DataFrame], run: RunId, split: str, exit_rule: str) -> pd.DataFrame:
    """The parts below one another, identified, in the order of `COLUMNS`."""
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    frame = identified(rows, run, split, exit_rule).reindex(columns=list(COLUMNS))
    return frame.astype({"steps": np.int64, "examples": np.int64})  # without rows too: else all become floats
