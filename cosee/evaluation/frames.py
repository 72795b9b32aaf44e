"""Data frames of results, built from stored predictions: one function per kind of file.

Every function takes who was trained (`RunId`), its predictions on one split and the split's name, and gives long rows
that can be concatenated over runs, splits and signals. Layers are 1-based in these frames, scores lie in 0..1.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.evaluation.metrics import cross_entropy, difficulty_inversion_score, glue_scores
from cosee.evaluation.outputs import Predictions
from cosee.evaluation.selection import CRITERIA, criteria
from cosee.evaluation.tradeoff import oracle_curve, points_curve, thin, tradeoff_curve
from cosee.exiting.rules import Rule, members
from cosee.exiting.signals import energy, normalized_energy
from cosee.exiting.simulation import exit_layers, random_scores, speedup_ratio, threshold_for_speedup

NO_SIGNAL = "none"
"""Name in the column `signal` of rows to which no signal applies: static models, the oracle."""

TARGETS = (1.5, 2.0, 3.0, 4.0)
"""Speed-ups for which thresholds are sought unless others are asked for."""

Thresholds = Iterable[tuple[float, float]]
"""Pairs of a target speed-up (NaN for a threshold that was simply given) and a threshold."""


@dataclass(frozen=True)
class RunId:
    """Who was trained: the identity that every row of a result carries.

    Attributes:
        task: key of `TASKS`.
        backbone: key of the backbone.
        method: key of the variant.
        seed: seed of the run.
        model: name of the run: a variant may have several models, one per operating point.
    """

    task: str
    backbone: str
    method: str
    seed: int
    model: str


def tradeoff_frame(run: RunId, predictions: Predictions, split: str, rule: Rule, max_points: int = 500) -> pd.DataFrame:
    """Trade-off curve of a multi-exit model: threshold, mean_exit_layer, speedup, speedup_flops and the scores.

    The columns first_exit_score and rule are the same in every row: the score if every example exits at the first exit,
    and the exit rule that the thresholds belong to.
    """
    curve = thin(_curve(predictions, run.task, split, rule), max_points).assign(rule=rule.name)
    return _identified(curve, run, split, rule.family)


def random_frame(
    run: RunId,
    predictions: Predictions,
    split: str,
    rng: np.random.Generator,
    signal: str = NO_SIGNAL,
    max_points: int = 500,
) -> pd.DataFrame:
    """Control: the trade-off curve of the same exits when the scores are noise; method "random"."""
    predicted, labels = _answers(predictions, split)
    scores = random_scores((predicted.shape[0], predicted.shape[1] - 1), rng)
    curve = tradeoff_curve(scores, predicted, labels, "larger", TASKS[run.task], predictions.exit_costs)
    curve = _with_first_exit(curve, predicted, labels, run.task)
    return _identified(thin(curve, max_points), replace(run, method="random"), split, signal)


def oracle_frame(run: RunId, predictions: Predictions, split: str, signal: str = NO_SIGNAL) -> pd.DataFrame:
    """Control: the trade-off curve of the same exits under an oracle that knows the labels; method "oracle"."""
    predicted, labels = _answers(predictions, split)
    curve = oracle_curve(predicted, labels, TASKS[run.task], predictions.exit_costs)
    curve = _with_first_exit(curve, predicted, labels, run.task)
    return _identified(curve, replace(run, method="oracle"), split, signal)


def static_frame(run: RunId, predictions: Predictions, split: str, signal: str = NO_SIGNAL) -> pd.DataFrame:
    """Control: the one point of a truncated model of k layers, as a row of a trade-off curve; method "static"."""
    return _identified(_static_curve(predictions, run.task, split), replace(run, method="static"), split, signal)


def operating_points(
    selection: Sequence[Predictions], rule: Rule, targets: Iterable[float] = TARGETS
) -> list[list[tuple[float, float]]]:
    """For every target speed-up the model and threshold that come closest to it on the selection split.

    Args:
        selection: predictions of every model of a curve; one, unless the method has no knob at test time.
        rule: exit rule.
        targets: speed-ups.

    Returns:
        Pairs (target, threshold) of every model; a target belongs to one model, of equally close ones to the first.
    """
    scores = [_scores(predictions, rule) for predictions in selection]
    points: list[list[tuple[float, float]]] = [[] for _ in selection]
    for target in targets:
        found = [threshold_for_speedup(s, target, rule.harder_is, rule.thresholds) for s in scores]
        missed = [abs(speedup - target) for _, speedup in found]
        nearest = int(np.argmin(missed))
        points[nearest].append((target, found[nearest][0]))
    return points


def targets_frame(run: RunId, predictions: Predictions, split: str, rule: Rule, thresholds: Thresholds) -> pd.DataFrame:
    """What thresholds realise on a split: target_speedup, threshold, speedup, speedup_flops, score, accuracy, f1.

    The thresholds come from `operating_points` on the selection split. `adjustable` says whether they could be chosen:
    a method without a knob at test time shows the nearest of its trained points. `rule` is what the threshold is set
    on: of a family of rules, one member.
    """
    predicted, labels = _answers(predictions, split)
    target, threshold = np.reshape(list(thresholds), (-1, 2)).T
    layers = exit_layers(_scores(predictions, rule), threshold, rule.harder_is)
    realised = {
        "speedup": speedup_ratio(layers, predictions.num_layers),
        "speedup_flops": predictions.num_layers / np.asarray(predictions.exit_costs)[layers].mean(axis=-1),
    }
    realised |= glue_scores(predicted[np.arange(len(labels)), layers], labels, TASKS[run.task])
    frame = pd.DataFrame({"target_speedup": target, "threshold": threshold, **realised})
    frame = frame.assign(adjustable=rule.thresholds is None, rule=rule.name)
    return _identified(frame, run, split, rule.family)


def static_targets_frame(run: RunId, predictions: Predictions, split: str) -> pd.DataFrame:
    """The row of a static model in the same frame: neither target nor threshold."""
    frame = static_frame(run, predictions, split).drop(columns=["mean_exit_layer", "first_exit_score"])
    frame = frame.assign(method=run.method, adjustable=False, rule=NO_SIGNAL)
    frame.insert(frame.columns.get_loc("threshold"), "target_speedup", np.nan)
    return frame


def criteria_of(predictions: Predictions, task: str, rule: Rule) -> dict[str, float]:
    """Every selection criterion of one model on its selection split.

    A model with a single exit has one cost, whatever its hyper-parameters: its score stands for every criterion. Of a
    model that has diverged, whose logits are no numbers, all are NaN.
    """
    if not np.isfinite(predictions.logits).all():
        return dict.fromkeys(CRITERIA, np.nan)
    if len(predictions.exit_depths) == 1:
        (score,) = _static_curve(predictions, task, "selection")["score"]
        return dict.fromkeys(CRITERIA, float(score))
    return criteria(selection_curve(predictions, task, rule))


def selection_curve(predictions: Predictions, task: str, rule: Rule) -> pd.DataFrame:
    """What a model is selected by: the trade-off curve of its rule, of a family of rules those of all members together.

    Returns:
        The columns of `tradeoff_curve`, first_exit_score, and the name of each point's rule.
    """
    rules = members(rule, len(predictions.exit_depths))
    curves = [_curve(predictions, task, "selection", each).assign(rule=each.name) for each in rules]
    return pd.concat(curves, ignore_index=True)


def dis_frame(run: RunId, predictions: Predictions, split: str, rule: Rule) -> pd.DataFrame:
    """Difficulty inversion score of every internal exit: layer, dis, dis_strict (percent), num_easy, num_hard."""
    predicted, labels = _answers(predictions, split)
    scores, correct = _scores(predictions, rule), predicted[:, :-1] == labels[:, None]
    frame = pd.DataFrame(
        {
            "layer": predictions.exit_depths[:-1],
            "dis": difficulty_inversion_score(scores, correct, rule.harder_is),
            "dis_strict": difficulty_inversion_score(scores, correct, rule.harder_is, ties=0),
            "num_easy": correct.sum(axis=0),
            "num_hard": (~correct).sum(axis=0),
        }
    )
    return _identified(frame, run, split, rule.family)


def layers_frame(run: RunId, predictions: Predictions, split: str) -> pd.DataFrame:
    """Every exit used for all samples: layer, score, accuracy, f1, loss (mean cross-entropy in nats)."""
    predicted, labels = _answers(predictions, split)
    scores = glue_scores(predicted.T, labels, TASKS[run.task])
    loss = cross_entropy(predictions.logits, labels).mean(axis=0)
    return _identified(pd.DataFrame({"layer": predictions.exit_depths, **scores, "loss": loss}), run, split)


def histogram_frame(
    run: RunId, predictions: Predictions, split: str, rule: Rule, thresholds: Thresholds
) -> pd.DataFrame:
    """How many samples of each class exit where: threshold, target_speedup, layer, label, count, speedup."""
    _, labels = _answers(predictions, split)
    classes, num_exits = TASKS[run.task].classes, len(predictions.exit_depths)
    scores = _scores(predictions, rule)
    frames = []
    for target, threshold in thresholds:
        layers = exit_layers(scores, threshold, rule.harder_is)
        counts = np.bincount(layers * len(classes) + labels, minlength=num_exits * len(classes))
        frame = pd.DataFrame(
            {
                "threshold": threshold,
                "target_speedup": target,
                "layer": np.repeat(predictions.exit_depths, len(classes)),
                "label": np.tile(classes, num_exits),
                "count": counts,
                "speedup": speedup_ratio(layers, predictions.num_layers),
            }
        )
        frames.append(frame)
    return _identified(pd.concat(frames, ignore_index=True), run, split, rule.family)


def density_frame(
    run: RunId, predictions: Predictions, split: str, layers: Sequence[int] | None = None, bins: int = 60
) -> pd.DataFrame:
    """Distribution of the energy over samples: layer, kind ("raw", "normalized"), bin_left, bin_right, density.

    All layers share the bins of their kind: 0..1 for the normalised energy, the range of the values for the raw one.
    """
    depths = np.asarray(predictions.exit_depths)
    exits = np.flatnonzero(np.isin(depths, depths if layers is None else layers))
    logits = predictions.logits[:, exits].astype(np.float64)
    frames = []
    for kind, values, span in (("raw", energy(logits), None), ("normalized", normalized_energy(logits), (0, 1))):
        edges = np.histogram_bin_edges(values, bins, range=span)
        for depth, column in zip(depths[exits], values.T, strict=True):
            density, _ = np.histogram(column, edges, density=True)
            columns = {"bin_left": edges[:-1], "bin_right": edges[1:], "density": density}
            frames.append(pd.DataFrame({"layer": depth, "kind": kind, **columns}))
    return _identified(pd.concat(frames, ignore_index=True), run, split)


def _curve(predictions: Predictions, task: str, split: str, rule: Rule) -> pd.DataFrame:
    """Trade-off curve of one model: of all thresholds, or of the only ones that the rule has."""
    predicted, labels = _answers(predictions, split)
    scores, costs = _scores(predictions, rule), predictions.exit_costs
    if rule.thresholds is None:
        curve = tradeoff_curve(scores, predicted, labels, rule.harder_is, TASKS[task], costs)
    else:
        curve = points_curve(scores, rule.thresholds, predicted, labels, rule.harder_is, TASKS[task], costs)
    return _with_first_exit(curve, predicted, labels, task)


def _with_first_exit(curve: pd.DataFrame, predicted: NDArray, labels: NDArray, task: str) -> pd.DataFrame:
    """The curve with the score of its model's first exit beside every point."""
    return curve.assign(first_exit_score=float(glue_scores(predicted[:, 0], labels, TASKS[task])["score"]))


def _static_curve(predictions: Predictions, task: str, split: str) -> pd.DataFrame:
    """The one point of a truncated model."""
    (depth,) = predictions.exit_depths
    predicted, labels = _answers(predictions, split)
    point = {
        "threshold": np.nan,
        "mean_exit_layer": float(depth),
        "speedup": predictions.num_layers / depth,
        "speedup_flops": predictions.num_layers / predictions.exit_costs[0],
    }
    return pd.DataFrame([point | glue_scores(predicted[:, 0], labels, TASKS[task]) | {"first_exit_score": np.nan}])


def _answers(predictions: Predictions, split: str) -> tuple[NDArray[np.int64], NDArray[np.integer]]:
    """Predicted label ids of all exits [N, M] and labels [N]."""
    if (predictions.labels < 0).any():
        raise InputError(f"split {split!r} has rows without a label: it can be predicted, but not evaluated")
    if not np.isfinite(predictions.logits).all():
        raise InputError(f"the logits of split {split!r} are no numbers: the training diverged; choose another run")
    return predictions.predicted, predictions.labels


def _scores(predictions: Predictions, rule: Rule) -> NDArray[np.float64]:
    """Scores of the internal exits [N, M-1] of a model with an exit after every layer."""
    if predictions.exit_depths != tuple(range(1, predictions.num_layers + 1)):
        raise InputError(
            f"the model has exits after layers {predictions.exit_depths} of {predictions.num_layers}: exit signals are "
            "evaluated on models with an exit after every layer"
        )
    return predictions.scores(rule)


def _identified(frame: pd.DataFrame, run: RunId, split: str, signal: str | None = None) -> pd.DataFrame:
    """Put the columns task, backbone, method, (signal,) seed, split, model before those of the frame."""
    identity = {"task": run.task, "backbone": run.backbone, "method": run.method}
    identity |= {} if signal is None else {"signal": signal}
    identity |= {"seed": run.seed, "split": split, "model": run.model}
    return pd.concat([pd.DataFrame(identity, index=frame.index), frame], axis=1)
