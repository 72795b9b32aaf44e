"""Operating points: found on one split, realized on another; calibration of the answers there."""

import numpy as np
import pytest
from helpers.exit_outputs import IDENTITY, MRPC, RUNS, assert_identity, multi_exit, truncated

from cosee.data.tasks import TASKS
from cosee.evaluation.confidence import CALIBRATION, answer_calibration
from cosee.evaluation.curve_frames import tradeoff_frame
from cosee.evaluation.metrics import glue_scores
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.point_frames import (
    calibration_frame,
    operating_points,
    static_calibration_frame,
    static_targets_frame,
    targets_frame,
)
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers, speedup_ratio

ENERGY = RULES["energy"]
POLICY = RULES["policy"]
TARGETS = [
    *IDENTITY,
    *"target_speedup threshold speedup speedup_flops score accuracy f1 adjustable rule".split(),
]


@RUNS
def test_targets_are_found_on_the_selection_split_and_realized_on_another(run):
    sel, dev = multi_exit(run, seed=1), multi_exit(run, seed=2)
    (thresholds,) = operating_points([sel], ENERGY, (1.5, 3.0))
    frame = targets_frame(run, dev, "dev", ENERGY, thresholds)
    assert list(frame.columns) == TARGETS
    assert_identity(frame, run, "dev", "energy")
    assert frame["target_speedup"].tolist() == [1.5, 3.0]
    for row in frame.itertuples():
        on_sel = exit_layers(sel.exit_scores(ENERGY), row.threshold, "larger")
        assert speedup_ratio(on_sel, 6) == pytest.approx(row.target_speedup, rel=0.01)
        on_dev = exit_layers(dev.exit_scores(ENERGY), row.threshold, "larger")
        assert row.speedup == speedup_ratio(on_dev, 6) and row.adjustable
        assert row.speedup_flops == pytest.approx(row.speedup / 1.1)
        expected = glue_scores(dev.predicted[np.arange(300), on_dev], dev.labels, TASKS[run.task])
        np.testing.assert_array_equal([row.score, row.accuracy, row.f1], list(expected.values()))


def halting(run, speed, seed=0):
    """Outputs of a method with a policy that exits the earlier, the larger `speed`."""
    predictions = multi_exit(run, seed=seed)
    learned = np.random.default_rng(seed).random((300, 6)) < speed
    return ExitOutputs(**vars(predictions) | {"learned_scores": learned.astype(np.float32)})


def test_a_method_without_a_knob_shows_the_nearest_of_its_trained_points():
    models = [halting(MRPC, speed) for speed in (0.05, 0.2, 0.6)]
    reached = [speedup_ratio(exit_layers(m.exit_scores(POLICY), 0.5, "smaller"), 6) for m in models]
    assert reached[0] < 1.5 < reached[1] < 3 < reached[2] < 4
    points = operating_points(models, POLICY, (1.1, 1.5, 3.0, 4.0))
    nearest = [int(np.abs(np.array(reached) - target).argmin()) for target in (1.1, 1.5, 3.0, 4.0)]
    assert [[target for target, _ in of_model] for of_model in points] == [
        [t for t, n in zip((1.1, 1.5, 3.0, 4.0), nearest, strict=True) if n == m] for m in range(3)
    ]
    frame = targets_frame(MRPC, models[2], "dev", POLICY, points[2])
    assert not frame["adjustable"].any() and set(frame["threshold"]) == {0.5}
    np.testing.assert_allclose(frame["speedup"], reached[2])
    assert len(targets_frame(MRPC, models[0], "dev", POLICY, [])) == 0
    (point,) = tradeoff_frame(MRPC, models[1], "dev", POLICY).to_dict("records")
    assert (point["threshold"], point["speedup"]) == (0.5, pytest.approx(reached[1]))


def test_static_models_have_a_row_among_the_targets():
    frame = static_targets_frame(MRPC, truncated(MRPC, depth=2), "dev")
    assert list(frame.columns) == TARGETS
    assert_identity(frame, MRPC, "dev", "none")
    assert frame[["target_speedup", "threshold"]].isna().all(axis=None)
    assert frame["speedup"].tolist() == [3]


@RUNS
def test_calibration_frame_measures_the_answers_at_each_threshold(run):
    predictions = multi_exit(run)
    points = [(1.5, 0.05), (2.0, 0.2)]
    frame = calibration_frame(run, predictions, "dev", ENERGY, points)
    assert_identity(frame, run, "dev", "energy")
    expected = ["target_speedup", "threshold", "speedup", *CALIBRATION, "adjustable", "rule"]
    assert list(frame.columns[7:]) == expected
    assert list(zip(frame["target_speedup"], frame["threshold"], strict=True)) == points
    targets = targets_frame(run, predictions, "dev", ENERGY, points)
    assert frame["speedup"].tolist() == targets["speedup"].tolist()
    for row in frame.itertuples():
        layers = exit_layers(predictions.exit_scores(ENERGY), row.threshold, "larger")
        found = answer_calibration(predictions.logits, predictions.labels, layers)
        assert [getattr(row, name) for name in CALIBRATION] == list(found.values())
    assert calibration_frame(run, predictions, "dev", ENERGY, []).empty


def test_calibration_of_a_static_model_is_that_of_its_only_exit():
    predictions = truncated(MRPC, depth=2)
    frame = static_calibration_frame(MRPC, predictions, "dev")
    assert_identity(frame, MRPC, "dev", "none")
    (row,) = frame.itertuples()
    assert (row.speedup, row.early, row.ece, row.nll) == (3, 0, row.ece_last, row.nll_last)
    assert frame[["target_speedup", "threshold", "exit_bias"]].isna().all(axis=None)
