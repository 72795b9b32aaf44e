"""Operating points of all curves at one target speed-up, from the outputs that finished runs have stored."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cosee.evaluation.families import choose_members
from cosee.evaluation.matched import OperatingPoint, deployed_point, matched_point
from cosee.evaluation.members import fitted_member, has_members, is_fitted
from cosee.evaluation.outputs import ExitOutputs, load_outputs
from cosee.exiting.rules import Rule
from cosee.methods import rule_named
from cosee.plan.curves import Curve
from cosee.plan.runs import Run

Points = dict[tuple[str, str], dict[int, OperatingPoint | None]]
"""(task, variant) -> seed -> operating point; None where the curve does not get to the target."""


def matched_points(
    curves: Iterable[Curve],
    target_speedup: float,
    root: str | Path = ".",
    *,
    selection: str = "sel",
    split: str = "dev",
) -> Points:
    """Points of equal mean exit layer on a split.

    Args:
        curves: one for every task, variant and seed.
        target_speedup: layers of the full model over the mean exit layer.
        root: folder of the workflow, which the folders of runs are relative to.
        selection: the split on which patiences and schedules are chosen, for rules that have some.
        split: the evaluated split.
    """
    points: Points = {}
    for curve in curves:
        models = [pair for run in curve.runs for pair in _models(Path(root), run, curve, selection, split)]
        point = matched_point(models, target_speedup)
        points.setdefault((curve.task, curve.variant), {})[curve.seed] = point
    return points


def deployed_points(
    curves: Iterable[Curve],
    targets: pd.DataFrame,
    root: str | Path = ".",
    *,
    selection: str = "sel",
    split: str = "dev",
) -> Points:
    """Points on a split at the thresholds that were sought for the target on the selection split.

    Args:
        curves: one for every task, variant and seed.
        targets: rows of `results/<task>/<signal>_targets.csv`, at most one for every task, variant and seed.
        root: as for `matched_points`.
        selection: the split on which rules are fitted, for those that are.
        split: the evaluated split.
    """
    chosen = {(row.task, row.variant, row.seed): row for row in targets.itertuples()}
    points: Points = {}
    for curve in curves:
        row = chosen.get((curve.task, curve.variant, curve.seed))
        if row is None:
            continue
        (run,) = (run for run in curve.runs if run.name == row.model)
        outputs = load_outputs(Path(root, run.outputs_file(split, curve.rule)))
        if is_fitted(row.rule):
            rule = fitted_member(row.rule, load_outputs(Path(root, run.outputs_file(selection, curve.rule))))
        else:
            rule = _rule(outputs, row.rule)
        point = deployed_point(outputs, rule, row.threshold)
        points.setdefault((curve.task, curve.variant), {})[curve.seed] = point
    return points


def _models(root: Path, run: Run, curve: Curve, selection: str, split: str) -> list[tuple[ExitOutputs, Rule | None]]:
    """Outputs of a run on a split with its exit rule, or with every rule behind its name that is on its curve."""
    outputs = load_outputs(root / run.outputs_file(split, curve.rule))
    is_chosen = has_members(rule_named(curve.rule))
    selected = load_outputs(root / run.outputs_file(selection, curve.rule)) if is_chosen else None
    return models_of(outputs, curve.rule, selected, curve.task)


def models_of(
    outputs: ExitOutputs, rule: str, selected: ExitOutputs | None, task: str
) -> list[tuple[ExitOutputs, Rule | None]]:
    """Outputs of one model with its exit rule, as `matched_point` takes them.

    Args:
        outputs: of the model, on the evaluated split.
        rule: name of the exit rule; one with a patience or with schedules comes once for each that is on its curve.
        selected: outputs on the selection split, which these are chosen on; needed by such rules only.
        task: key of `TASKS`.
    """
    head = _rule(outputs, rule)
    if head is None or selected is None or not has_members(head):
        return [(outputs, head)]
    chosen = choose_members(selected, head, task, ())
    return [(outputs, choice.curve) for choice in chosen if choice.curve is not None]


def _rule(outputs: ExitOutputs, name: str) -> Rule | None:
    """The exit rule of a curve; a static model has none."""
    return None if len(outputs.exit_depths) == 1 else rule_named(name)
