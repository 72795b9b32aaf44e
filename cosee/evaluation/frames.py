"""Data frames of results, built from stored outputs: one function per kind of file.

Every function takes the identity of a run (`RunId`), its outputs on one split and the split's name, and returns a long
frame; frames can be concatenated over runs, splits and exit rules. Layers are 1-based in these frames, scores lie in
0..1.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.evaluation.confidence import CALIBRATION, answer_calibration
from cosee.evaluation.members import members_on
from cosee.evaluation.metrics import cross_entropy, difficulty_inversion_score, glue_scores
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.selection import CRITERIA, criteria
from cosee.evaluation.tradeoff import downsample_curve, oracle_curve, points_curve, tradeoff_curve
from cosee.exiting.rules import Rule
from cosee.exiting.signals import energy, normalized_energy
from cosee.exiting.simulation import exit_layers, random_scores, speedup_ratio, threshold_for_speedup

NO_RULE = "none"
"""Value of the column `exit_rule` in rows without an exit rule: static models, the oracle."""

RANDOM, ORACLE, STATIC = CONTROLS = ("random", "oracle", "static")
"""The controls, which stand in the column `variant` too: exits at random, by an oracle, and models of k layers."""

IDENTITY = ("task", "backbone", "variant", "seed", "split", "model")
"""Columns that every frame of results begins with."""
CURVE = (*IDENTITY, "exit_rule", "threshold", "speedup", "score")
"""Columns of a trade-off curve that tables read."""
TARGET = (*IDENTITY, "exit_rule", "target_speedup", "speedup", "score")
"""Columns of scores at target speed-ups that tables read."""

TARGETS = (1.5, 2.0, 3.0, 4.0)
"""Default target speed-ups."""

Thresholds = Iterable[tuple[float, float]]
"""Pairs of a target speed-up (NaN for a threshold that was given) and a threshold."""


@dataclass(frozen=True)
class RunId:
    """Identity of a run, which every row of a result carries.

    Attributes:
        task: key of `TASKS`.
        backbone: key of the backbone.
        variant: key of the variant, or one of `CONTROLS`.
        seed: seed of the run.
        model: name of the run: a variant may have several models, one per operating point.
    """

    task: str
    backbone: str
    variant: str
    seed: int
    model: str


def tradeoff_frame(run: RunId, outputs: ExitOutputs, split: str, rule: Rule, max_points: int = 500) -> pd.DataFrame:
    """Trade-off curve of a multi-exit model: threshold, mean_exit_layer, speedup, speedup_flops and the scores.

    The columns first_exit_score and rule are the same in every row: the score if every example exits at the first exit,
    and the exit rule that the thresholds belong to.
    """
    curve = downsample_curve(_curve(outputs, run.task, split, rule), max_points).assign(rule=rule.name)
    return _identified(curve, run, split, rule.family)


def random_frame(
    run: RunId,
    outputs: ExitOutputs,
    split: str,
    rng: np.random.Generator,
    rule: Rule | None = None,
    max_points: int = 500,
) -> pd.DataFrame:
    """Control: the trade-off curve of the same exits and answers with random scores; variant `RANDOM`."""
    predicted, labels = _answers_and_labels(outputs, split, rule)
    scores = random_scores((predicted.shape[0], predicted.shape[1] - 1), rng)
    curve = tradeoff_curve(scores, predicted, labels, "larger", TASKS[run.task], outputs.exit_costs)
    curve = _with_first_exit(curve, predicted, labels, run.task)
    return _identified(downsample_curve(curve, max_points), replace(run, variant=RANDOM), split, _rule_name(rule))


def oracle_frame(run: RunId, outputs: ExitOutputs, split: str, rule: Rule | None = None) -> pd.DataFrame:
    """Control: the curve of the same exits and answers for an oracle that knows the labels; variant `ORACLE`."""
    predicted, labels = _answers_and_labels(outputs, split, rule)
    curve = oracle_curve(predicted, labels, TASKS[run.task], outputs.exit_costs)
    curve = _with_first_exit(curve, predicted, labels, run.task)
    return _identified(curve, replace(run, variant=ORACLE), split, _rule_name(rule))


def static_frame(run: RunId, outputs: ExitOutputs, split: str, exit_rule: str = NO_RULE) -> pd.DataFrame:
    """Control: the one point of a truncated model of k layers, as a row of a trade-off curve; variant `STATIC`."""
    return _identified(_static_curve(outputs, run.task, split), replace(run, variant=STATIC), split, exit_rule)


def operating_points(
    selection: Sequence[ExitOutputs], rule: Rule, targets: Iterable[float] = TARGETS
) -> list[list[tuple[float, float]]]:
    """Model and threshold closest to every target speed-up on the selection split.

    Args:
        selection: outputs of every model of a curve; one, unless the method has no test-time threshold.
        rule: exit rule.
        targets: speed-ups.

    Returns:
        Pairs (target, threshold) of every model; a target belongs to one model, among equally close ones to the first.
    """
    scores = [_scores(outputs, rule) for outputs in selection]
    points: list[list[tuple[float, float]]] = [[] for _ in selection]
    for target in targets:
        found = [threshold_for_speedup(s, target, rule.harder_is, rule.thresholds) for s in scores]
        missed = [abs(speedup - target) for _, speedup in found]
        nearest = int(np.argmin(missed))
        points[nearest].append((target, found[nearest][0]))
    return points


def targets_frame(run: RunId, outputs: ExitOutputs, split: str, rule: Rule, thresholds: Thresholds) -> pd.DataFrame:
    """Results of thresholds on a split: target_speedup, threshold, speedup, speedup_flops, score, accuracy, f1.

    The thresholds come from `operating_points` on the selection split. `adjustable` is false for a
    method without a test-time threshold, which shows the nearest of its trained points. `rule` is the exit rule
    that the threshold belongs to: of a family of rules, one member.
    """
    predicted, labels = _answers_and_labels(outputs, split, rule)
    target, threshold = np.reshape(list(thresholds), (-1, 2)).T
    layers = exit_layers(_scores(outputs, rule), threshold, rule.harder_is)
    realized = {
        "speedup": speedup_ratio(layers, outputs.num_layers),
        "speedup_flops": outputs.num_layers / np.asarray(outputs.exit_costs)[layers].mean(axis=-1),
    }
    realized |= glue_scores(predicted[np.arange(len(labels)), layers], labels, TASKS[run.task])
    frame = pd.DataFrame({"target_speedup": target, "threshold": threshold, **realized})
    frame = frame.assign(adjustable=rule.is_adjustable, rule=rule.name)
    return _identified(frame, run, split, rule.family)


def static_targets_frame(run: RunId, outputs: ExitOutputs, split: str) -> pd.DataFrame:
    """The row of a static model in the same frame: neither target nor threshold."""
    frame = static_frame(run, outputs, split).drop(columns=["mean_exit_layer", "first_exit_score"])
    frame = frame.assign(variant=run.variant, adjustable=False, rule=NO_RULE)
    frame.insert(frame.columns.get_loc("threshold"), "target_speedup", np.nan)
    return frame


def calibration_frame(run: RunId, outputs: ExitOutputs, split: str, rule: Rule, thresholds: Thresholds) -> pd.DataFrame:
    """Calibration of the answers at thresholds: target_speedup, threshold, speedup, and `answer_calibration`.

    The thresholds are those of `targets_frame`; `adjustable` and `rule` as there.
    """
    _answers_and_labels(outputs, split)
    answers = outputs.answer_scores(rule)
    scores, rows = _scores(outputs, rule), []
    for target, threshold in thresholds:
        layers = exit_layers(scores, threshold, rule.harder_is)
        point = {"target_speedup": target, "threshold": threshold}
        point["speedup"] = float(speedup_ratio(layers, outputs.num_layers))
        rows.append(point | answer_calibration(answers, outputs.labels, layers))
    frame = pd.DataFrame(rows, columns=["target_speedup", "threshold", "speedup", *CALIBRATION], dtype=np.float64)
    frame = frame.assign(adjustable=rule.is_adjustable, rule=rule.name)
    return _identified(frame, run, split, rule.family)


def static_calibration_frame(run: RunId, outputs: ExitOutputs, split: str) -> pd.DataFrame:
    """The row of a static model in the same frame: neither target nor threshold, and no early exit."""
    _, labels = _answers_and_labels(outputs, split)
    point = {"target_speedup": np.nan, "threshold": np.nan, "speedup": outputs.num_layers / outputs.exit_depths[0]}
    measures = answer_calibration(outputs.logits, labels, np.zeros(len(labels), dtype=np.int64))
    frame = pd.DataFrame([point | measures]).assign(adjustable=False, rule=NO_RULE)
    return _identified(frame, run, split, NO_RULE)


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


def dis_frame(run: RunId, outputs: ExitOutputs, split: str, rule: Rule) -> pd.DataFrame:
    """Difficulty inversion score of every internal exit: layer, dis, dis_strict (percent), num_easy, num_hard."""
    predicted, labels = _answers_and_labels(outputs, split, rule)
    scores, correct = _scores(outputs, rule), predicted[:, :-1] == labels[:, None]
    frame = pd.DataFrame(
        {
            "layer": outputs.exit_depths[:-1],
            "dis": difficulty_inversion_score(scores, correct, rule.harder_is),
            "dis_strict": difficulty_inversion_score(scores, correct, rule.harder_is, ties=0),
            "num_easy": correct.sum(axis=0),
            "num_hard": (~correct).sum(axis=0),
        }
    )
    return _identified(frame, run, split, rule.family)


def layers_frame(run: RunId, outputs: ExitOutputs, split: str, rule: Rule | None = None) -> pd.DataFrame:
    """Every exit used for all examples, with a rule's answers: layer, score, accuracy, f1, loss (mean, in nats)."""
    predicted, labels = _answers_and_labels(outputs, split, rule)
    scores = glue_scores(predicted.T, labels, TASKS[run.task])
    loss = cross_entropy(outputs.answer_scores(rule), labels).mean(axis=0)
    return _identified(pd.DataFrame({"layer": outputs.exit_depths, **scores, "loss": loss}), run, split)


def histogram_frame(run: RunId, outputs: ExitOutputs, split: str, rule: Rule, thresholds: Thresholds) -> pd.DataFrame:
    """Examples of each class by exit layer: threshold, target_speedup, layer, label, count, speedup."""
    _, labels = _answers_and_labels(outputs, split)
    classes, num_exits = TASKS[run.task].classes, len(outputs.exit_depths)
    scores = _scores(outputs, rule)
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
    return _identified(pd.concat(frames, ignore_index=True), run, split, rule.family)


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
    return _identified(pd.concat(frames, ignore_index=True), run, split)


def _curve(outputs: ExitOutputs, task: str, split: str, rule: Rule) -> pd.DataFrame:
    """Trade-off curve of one model: of all thresholds, or of the fixed ones of the rule."""
    predicted, labels = _answers_and_labels(outputs, split, rule)
    scores, costs = _scores(outputs, rule), outputs.exit_costs
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
    predicted, labels = _answers_and_labels(outputs, split)
    point = {
        "threshold": np.nan,
        "mean_exit_layer": float(depth),
        "speedup": outputs.num_layers / depth,
        "speedup_flops": outputs.num_layers / outputs.exit_costs[0],
    }
    return pd.DataFrame([point | glue_scores(predicted[:, 0], labels, TASKS[task]) | {"first_exit_score": np.nan}])


def _answers_and_labels(
    outputs: ExitOutputs, split: str, rule: Rule | None = None
) -> tuple[NDArray[np.int64], NDArray[np.integer]]:
    """Label ids that all exits answer [N, M], by a rule if one is given, and labels [N]."""
    if (outputs.labels < 0).any():
        raise InputError(f"Split {split!r} has examples without a label; it can be predicted, but not evaluated.")
    if not np.isfinite(outputs.logits).all():
        raise InputError(f"The logits of split {split!r} contain NaN or inf: training diverged. Choose another run.")
    return outputs.answers(rule), outputs.labels


def _rule_name(rule: Rule | None) -> str:
    """Value of the column `exit_rule`."""
    return NO_RULE if rule is None else rule.family


def _scores(outputs: ExitOutputs, rule: Rule) -> NDArray[np.float64]:
    """Scores of the internal exits [N, M-1] of a model with an exit after every layer."""
    if outputs.exit_depths != tuple(range(1, outputs.num_layers + 1)):
        raise InputError(
            f"The model has exits after layers {outputs.exit_depths} of {outputs.num_layers}; exit rules are evaluated "
            "on models with an exit after every layer."
        )
    return outputs.exit_scores(rule)


def _identified(frame: pd.DataFrame, run: RunId, split: str, exit_rule: str | None = None) -> pd.DataFrame:
    """The frame after the columns task, backbone, variant, (exit_rule,) seed, split, model."""
    identity = {"task": run.task, "backbone": run.backbone, "variant": run.variant}
    identity |= {} if exit_rule is None else {"exit_rule": exit_rule}
    identity |= {"seed": run.seed, "split": split, "model": run.model}
    return pd.concat([pd.DataFrame(identity, index=frame.index), frame], axis=1)
