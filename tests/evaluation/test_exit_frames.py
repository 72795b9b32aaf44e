"""Measures of every exit: inversion of difficulty, scores, exit layers, distribution of the energy."""

import numpy as np
import pytest
from helpers.exit_outputs import MRPC, RUNS, assert_identity, multi_exit, truncated

from cosee.data.tasks import TASKS
from cosee.evaluation.exit_frames import density_frame, dis_frame, histogram_frame, layers_frame
from cosee.evaluation.metrics import difficulty_inversion_score, glue_scores
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import RULES
from cosee.exiting.signals import SIGNALS
from cosee.exiting.simulation import exit_layers, speedup_ratio

ENERGY = RULES["energy"]


@RUNS
def test_dis_frame_has_a_row_for_every_internal_exit(run):
    predictions = multi_exit(run)
    logits = np.round(predictions.logits)  # ties
    frame = dis_frame(run, ExitOutputs(**(vars(predictions) | {"logits": logits})), "dev", ENERGY)
    assert_identity(frame, run, "dev", "energy")
    assert list(frame.columns[7:]) == ["layer", "dis", "dis_strict", "num_easy", "num_hard"]
    assert frame["layer"].tolist() == [1, 2, 3, 4, 5]
    for row in frame.itertuples():
        exit_logits = logits[:, row.layer - 1].astype(np.float64)
        correct = exit_logits.argmax(-1) == predictions.labels
        assert (row.num_easy, row.num_hard) == (correct.sum(), 300 - correct.sum())
        assert row.dis == difficulty_inversion_score(SIGNALS["energy"].score(exit_logits), correct, "larger")
        assert row.dis_strict < row.dis


@RUNS
def test_layers_frame_scores_every_exit_for_all_examples(run):
    predictions = multi_exit(run)
    frame = layers_frame(run, predictions, "dev")
    assert_identity(frame, run, "dev")
    assert list(frame.columns[6:]) == ["layer", "score", "accuracy", "f1", "loss"]
    assert frame["layer"].tolist() == [1, 2, 3, 4, 5, 6]
    for m, row in enumerate(frame.itertuples()):
        expected = glue_scores(predictions.predicted[:, m], predictions.labels, TASKS[run.task])
        np.testing.assert_array_equal([row.score, row.accuracy, row.f1], list(expected.values()))
        p = np.exp(predictions.logits[:, m].astype(np.float64))
        p = p[np.arange(300), predictions.labels] / p.sum(axis=1)
        assert row.loss == pytest.approx(-np.log(p).mean())


def test_layers_frame_of_a_truncated_model_names_its_depth():
    assert layers_frame(MRPC, truncated(MRPC, depth=4), "dev")["layer"].tolist() == [4]


@RUNS
def test_histogram_frame_counts_every_example_once_where_it_exits(run):
    predictions, classes = multi_exit(run), TASKS[run.task].classes
    frame = histogram_frame(run, predictions, "fit", ENERGY, [(2.0, 0.2), (np.nan, 0.05)])
    assert_identity(frame, run, "fit", "energy")
    assert list(frame.columns[7:]) == ["threshold", "target_speedup", "layer", "label", "count", "speedup"]
    assert len(frame) == 2 * 6 * len(classes)
    for threshold, rows in frame.groupby("threshold"):
        layers = exit_layers(predictions.exit_scores(ENERGY), threshold, "larger")
        assert rows["count"].sum() == 300
        assert rows["speedup"].unique().tolist() == [speedup_ratio(layers, 6)]
        for row in rows.itertuples():
            here = (layers == row.layer - 1) & (predictions.labels == classes.index(row.label))
            assert row.count == here.sum()


def test_density_frame_has_common_bins_and_unit_mass():
    predictions = multi_exit(MRPC)
    frame = density_frame(MRPC, predictions, "dev", layers=[2, 5], bins=20)
    assert_identity(frame, MRPC, "dev")
    assert list(frame.columns[6:]) == ["layer", "kind", "bin_left", "bin_right", "density"]
    assert len(frame) == 2 * 2 * 20
    for (kind, layer), rows in frame.groupby(["kind", "layer"]):
        width = rows["bin_right"] - rows["bin_left"]
        assert (rows["density"] * width).sum() == pytest.approx(1)
        logits = predictions.logits[:, layer - 1].astype(np.float64)
        total = np.exp(logits).sum(axis=1)
        values = -np.log(total) if kind == "raw" else 1 / (1 + total)
        mean = ((rows["bin_left"] + rows["bin_right"]) / 2 * rows["density"] * width).sum()
        assert mean == pytest.approx(values.mean(), abs=width.max() / 2)
    edges = frame.groupby(["kind", "layer"])["bin_left"].apply(tuple)
    assert edges["raw"].nunique() == edges["normalized"].nunique() == 1
    normalized = frame[frame["kind"] == "normalized"]
    assert (normalized["bin_left"].min(), normalized["bin_right"].max()) == (0, 1)


def test_densities_of_all_exits_need_no_labels():
    predictions = multi_exit(MRPC)
    unlabeled = ExitOutputs(**(vars(predictions) | {"labels": np.full(300, -1)}))
    assert density_frame(MRPC, unlabeled, "test")["layer"].unique().tolist() == [1, 2, 3, 4, 5, 6]
