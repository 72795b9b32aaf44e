"""Frame of certified thresholds: promised against realized risk of a curve, and the speed-up that is left."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from cosee.data.tasks import TASKS
from cosee.evaluation.families import choose_members
from cosee.evaluation.frames import RunId
from cosee.evaluation.members import has_members
from cosee.evaluation.metrics import glue_scores
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.risk import losses, realized, taken_exits
from cosee.evaluation.risk_procedures import (
    QUANTILES,
    CalibrationPoints,
    calibrate,
    certified_point,
    given_points,
    swept_points,
)
from cosee.exiting.rules import Rule
from cosee.exiting.simulation import exit_layers, speedup_ratio

COLUMNS = (
    *("task", "backbone", "variant", "exit_rule", "seed", "split", "model", "rule", "adjustable"),
    *("loss", "procedure", "level", "confidence", "num_calibration", "threshold"),
    *("risk", "low", "high", "speedup", "speedup_flops", "score"),
)
"""Columns of `risk_frame`; an empty threshold means that none was certified."""


def deployed_rule(selection: ExitOutputs, rule: Rule, task: str, target: float) -> Rule:
    """The member of a family of rules that is best for a speed-up on the selection split; any other rule itself."""
    if not has_members(rule):
        return rule
    (chosen,) = [choice.rule for choice in choose_members(selection, rule, task, [target]) if choice.points]
    return chosen


def by_speed(selection: Sequence[ExitOutputs], rule: Rule) -> list[int]:
    """Numbers of the models of a curve from the slowest to the fastest on the selection split."""
    if len(selection) == 1:
        return [0]
    exits = [exit_layers(model.exit_scores(rule), rule.thresholds[0], rule.harder_is) for model in selection]
    return sorted(range(len(selection)), key=lambda number: -exits[number].mean())


def risk_frame(
    identities: Sequence[RunId],
    calibration: Sequence[ExitOutputs],
    evaluated: Mapping[str, Sequence[ExitOutputs]],
    rule: Rule,
    *,
    levels: Iterable[float],
    confidence: float,
    kinds: Iterable[str],
    procedures: Iterable[str],
) -> pd.DataFrame:
    """Thresholds that procedures choose on calibration examples, and their risks on other splits.

    Args:
        identities: of every model of a curve; one, unless the method has no test-time threshold.
        calibration: outputs of each on the calibration examples, from the slowest model to the fastest, an order that
            these examples do not decide.
        evaluated: split -> outputs of each on it.
        rule: exit rule.
        levels: largest risks.
        confidence: 1 - δ, for `ltt`.
        kinds: losses.
        procedures: procedures; those that take a quantile of scores are left out where there are several models.

    Returns:
        `COLUMNS`, risks as shares, with 95 % Clopper-Pearson limits.
    """
    lines = []
    shown = [name for name in procedures if len(calibration) == 1 or name not in QUANTILES]
    levels = list(levels)
    for kind in kinds:
        scored = [(model.exit_scores(rule), losses(model.answers(rule), model.labels, kind)) for model in calibration]
        if rule.thresholds is None:
            points = swept_points(*scored[0], rule.harder_is)
        else:
            points = given_points(scored, rule.thresholds, rule.harder_is)
        for procedure in shown:
            for level in levels:
                if procedure in QUANTILES:
                    threshold = calibrate(
                        *scored[0], rule.harder_is, level, confidence, procedure, thresholds=rule.thresholds
                    )
                    model = 0
                else:
                    model, threshold = _at(points, certified_point(points, level, confidence, procedure))
                certified = {"loss": kind, "procedure": procedure, "level": level, "confidence": confidence}
                certified |= {"num_calibration": points.num_examples}
                certified |= {"threshold": np.nan if threshold is None else threshold}
                for split, outputs in evaluated.items():
                    found = _realized(outputs[model], rule, threshold, kind, identities[model].task)
                    identity = vars(identities[model]) | {"exit_rule": rule.family, "rule": rule.name}
                    identity |= {"split": split, "adjustable": rule.thresholds is None}
                    lines.append(identity | certified | found)
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _at(points: CalibrationPoints, chosen: int | None) -> tuple[int, float | None]:
    """Model and threshold of a point; the slowest model without early exit if there is none."""
    return (0, None) if chosen is None else (int(points.model[chosen]), float(points.thresholds[chosen]))


def _realized(outputs: ExitOutputs, rule: Rule, threshold: float | None, kind: str, task: str) -> dict[str, float]:
    """Risk, its limits, speed-ups and score of a threshold."""
    exits = taken_exits(outputs.exit_scores(rule), threshold, rule.harder_is)
    answers = outputs.answers(rule)
    risk = realized(losses(answers, outputs.labels, kind), exits)
    return {
        **vars(risk),
        "speedup": float(speedup_ratio(exits, outputs.num_layers)),
        "speedup_flops": float(outputs.num_layers / np.asarray(outputs.exit_costs)[exits].mean()),
        "score": float(glue_scores(answers[np.arange(len(exits)), exits], outputs.labels, TASKS[task])["score"]),
    }
