"""Operating points of all curves at one target speed-up, from the outputs that finished runs have stored."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cosee.evaluation.matched import OperatingPoint, deployed_point, matched_point
from cosee.evaluation.outputs import ExitOutputs, load_outputs
from cosee.exiting.rules import Rule
from cosee.methods import rule_named
from cosee.plan.curves import Curve

Points = dict[tuple[str, str], dict[int, OperatingPoint | None]]
"""(task, variant) -> seed -> operating point; None where the curve does not get to the target."""


def matched_points(curves: Iterable[Curve], target_speedup: float, root: str | Path = ".") -> Points:
    """Points of equal mean exit layer on dev.

    Args:
        curves: one for every task, variant and seed.
        target_speedup: layers of the full model over the mean exit layer.
        root: folder of the workflow, which the folders of runs are relative to.
    """
    points: Points = {}
    for curve in curves:
        models = [load_outputs(Path(root, run.folder, "logits-dev.npz")) for run in curve.runs]
        point = matched_point(models, _rule(models[0], curve.rule), target_speedup)
        points.setdefault((curve.task, curve.variant), {})[curve.seed] = point
    return points


def deployed_points(curves: Iterable[Curve], targets: pd.DataFrame, root: str | Path = ".") -> Points:
    """Points on dev at the thresholds that were sought for the target on the selection split.

    Args:
        curves: one for every task, variant and seed.
        targets: rows of `results/<task>/<signal>_targets.csv`, at most one for every task, variant and seed.
        root: as for `matched_points`.
    """
    chosen = {(row.task, row.variant, row.seed): row for row in targets.itertuples()}
    points: Points = {}
    for curve in curves:
        row = chosen.get((curve.task, curve.variant, curve.seed))
        if row is None:
            continue
        (folder,) = (run.folder for run in curve.runs if run.name == row.model)
        outputs = load_outputs(Path(root, folder, "logits-dev.npz"))
        point = deployed_point(outputs, _rule(outputs, curve.rule), row.threshold)
        points.setdefault((curve.task, curve.variant), {})[curve.seed] = point
    return points


def _rule(outputs: ExitOutputs, name: str) -> Rule | None:
    """The exit rule of a curve; a static model has none."""
    return None if len(outputs.exit_depths) == 1 else rule_named(name)
