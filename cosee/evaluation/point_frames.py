"""Operating points: thresholds for target speed-ups, chosen on one split, and what they give on others, as frames."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from cosee.data.tasks import TASKS
from cosee.evaluation.confidence import CALIBRATION, answer_calibration
from cosee.evaluation.curve_frames import static_frame
from cosee.evaluation.frames import NO_RULE, RunId, Thresholds, answers_and_labels, identified, internal_scores
from cosee.evaluation.metrics import glue_scores
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import Rule
from cosee.exiting.simulation import exit_layers, speedup_ratio, threshold_for_speedup

TARGETS = (1.5, 2.0, 3.0, 4.0)
"""Default target speed-ups."""


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
    scores = [internal_scores(outputs, rule) for outputs in selection]
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
    predicted, labels = answers_and_labels(outputs, split, rule)
    target, threshold = np.reshape(list(thresholds), (-1, 2)).T
    layers = exit_layers(internal_scores(outputs, rule), threshold, rule.harder_is)
    realized = {
        "speedup": speedup_ratio(layers, outputs.num_layers),
        "speedup_flops": outputs.num_layers / np.asarray(outputs.exit_costs)[layers].mean(axis=-1),
    }
    realized |= glue_scores(predicted[np.arange(len(labels)), layers], labels, TASKS[run.task])
    frame = pd.DataFrame({"target_speedup": target, "threshold": threshold, **realized})
    frame = frame.assign(adjustable=rule.is_adjustable, rule=rule.name)
    return identified(frame, run, split, rule.family)


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
    answers_and_labels(outputs, split)
    answers = outputs.answer_scores(rule)
    scores, rows = internal_scores(outputs, rule), []
    for target, threshold in thresholds:
        layers = exit_layers(scores, threshold, rule.harder_is)
        point = {"target_speedup": target, "threshold": threshold}
        point["speedup"] = float(speedup_ratio(layers, outputs.num_layers))
        rows.append(point | answer_calibration(answers, outputs.labels, layers))
    frame = pd.DataFrame(rows, columns=["target_speedup", "threshold", "speedup", *CALIBRATION], dtype=np.float64)
    frame = frame.assign(adjustable=rule.is_adjustable, rule=rule.name)
    return identified(frame, run, split, rule.family)


def static_calibration_frame(run: RunId, outputs: ExitOutputs, split: str) -> pd.DataFrame:
    """The row of a static model in the same frame: neither target nor threshold, and no early exit."""
    _, labels = answers_and_labels(outputs, split)
    point = {"target_speedup": np.nan, "threshold": np.nan, "speedup": outputs.num_layers / outputs.exit_depths[0]}
    measures = answer_calibration(outputs.logits, labels, np.zeros(len(labels), dtype=np.int64))
    frame = pd.DataFrame([point | measures]).assign(adjustable=False, rule=NO_RULE)
    return identified(frame, run, split, NO_RULE)
