"""Trade-off curves of models and controls as frames, and what selection reads of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosee.data.tasks import TASKS
from cosee.evaluation.frames import (
    NO_RULE,
    ORACLE,
    RANDOM,
    STATIC,
    RunId,
    answers_and_labels,
    identified,
    internal_scores,
    rule_name,
)
from cosee.evaluation.members import members_on
from cosee.evaluation.metrics import glue_scores
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.selection import CRITERIA, criteria
from cosee.evaluation.tradeoff import downsample_curve, oracle_curve, points_curve, tradeoff_curve
from cosee.exiting.rules import Rule
from cosee.exiting.simulation import random_scores


def tradeoff_frame(run: RunId, outputs: ExitOutputs, split: str, rule: Rule, max_points: int = 500) -> pd.DataFrame:
    """Trade-off curve of a multi-exit model: threshold, mean_exit_layer, speedup, speedup_flops and the scores.

    The columns first_exit_score and rule are the same in every row: the score if every example exits at the first exit,
    and the exit rule that the thresholds belong to.
    """
    curve = downsample_curve(_curve(outputs, run.task, split, rule), max_points).assign(rule=rule.name)
    return identified(curve, run, split, rule.family)


def random_frame(
    run: RunId,
    outputs: ExitOutputs,
    split: str,
    rng: np.random.Generator,
    rule: Rule | None = None,
    max_points: int = 500,
) -> pd.DataFrame:
    """Control: the trade-off curve of the same exits and answers with random scores; variant `RANDOM`."""
    predicted, labels = answers_and_labels(outputs, split, rule)
    scores = random_scores((predicted.shape[0], predicted.shape[1] - 1), rng)
    curve = tradeoff_curve(scores, predicted, labels, "larger", TASKS[run.task], outputs.exit_costs)
    curve = _with_first_exit(curve, predicted, labels, run.task)
    return identified(downsample_curve(curve, max_points), replace(run, variant=RANDOM), split, rule_name(rule))


def oracle_frame(run: RunId, outputs: ExitOutputs, split: str, rule: Rule | None = None) -> pd.DataFrame:
    """Control: the curve of the same exits and answers for an oracle that knows the labels; variant `ORACLE`."""
    predicted, labels = answers_and_labels(outputs, split, rule)
    curve = oracle_curve(predicted, labels, TASKS[run.task], outputs.exit_costs)
    curve = _with_first_exit(curve, predicted, labels, run.task)
    return identified(curve, replace(run, variant=ORACLE), split, rule_name(rule))


def static_frame(run: RunId, outputs: ExitOutputs, split: str, exit_rule: str = NO_RULE) -> pd.DataFrame:
    """Control: the one point of a truncated model of k layers, as a row of a trade-off curve; variant `STATIC`."""
    return identified(_static_curve(outputs, run.task, split), replace(run, variant=STATIC), split, exit_rule)


def criteria_of(outputs: ExitOutputs, task: str, rule: Rule) -> dict[str, float]:
    """Every selection criterion of one model on its selection split.

    A model with a single exit has one cost, whatever its hyper-parameters: its score is every criterion. All criteria
    are NaN for a diverged model, whose logits contain NaN or inf.
    """
    if not np.isfinite(outputs.logits).all():
        return dict.fromkeys(CRITERIA, np.nan)
    if len(outputs.exit_depths) == 1:
        (score,) = _static_curve(outputs, task, "selection")["score"]
        return dict.fromkeys(CRITERIA, float(score))
    return criteria(selection_curve(outputs, task, rule))


def selection_curve(outputs: ExitOutputs, task: str, rule: Rule) -> pd.DataFrame:
    """Trade-off curve that a model is selected by; for a family of rules, the curves of all members together.

    Returns:
        The columns of `tradeoff_curve`, first_exit_score, and the name of each point's rule.
    """
    rules = members_on(rule, outputs)
    curves = [_curve(outputs, task, "selection", each).assign(rule=each.name) for each in rules]
    return pd.concat(curves, ignore_index=True)


def _curve(outputs: ExitOutputs, task: str, split: str, rule: Rule) -> pd.DataFrame:
    """Trade-off curve of one model: of all thresholds, or of the fixed ones of the rule."""
    predicted, labels = answers_and_labels(outputs, split, rule)
    scores, costs = internal_scores(outputs, rule), outputs.exit_costs
    if rule.thresholds is None:
        curve = tradeoff_curve(scores, predicted, labels, rule.harder_is, TASKS[task], costs)
    else:
        curve = points_curve(scores, rule.thresholds, predicted, labels, rule.harder_is, TASKS[task], costs)
    return _with_first_exit(curve, predicted, labels, task)


def _with_first_exit(curve: pd.DataFrame, predicted: NDArray, labels: NDArray, task: str) -> pd.DataFrame:
    """The curve with the score of its model's first exit beside every point."""
    return curve.assign(first_exit_score=float(glue_scores(predicted[:, 0], labels, TASKS[task])["score"]))


def _static_curve(outputs: ExitOutputs, task: str, split: str) -> pd.DataFrame:
    """The one point of a truncated model."""
    (depth,) = outputs.exit_depths
    predicted, labels = answers_and_labels(outputs, split)
    point = {
        "threshold": np.nan,
        "mean_exit_layer": float(depth),
        "speedup": outputs.num_layers / depth,
        "speedup_flops": outputs.num_layers / outputs.exit_costs[0],
    }
    return pd.DataFrame([point | glue_scores(predicted[:, 0], labels, TASKS[task]) | {"first_exit_score": np.nan}])
