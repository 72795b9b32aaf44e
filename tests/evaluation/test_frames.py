import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.evaluation import frames
from cosee.evaluation.confidence import CALIBRATION, answer_calibration
from cosee.evaluation.frames import RunId
from cosee.evaluation.metrics import difficulty_inversion_score, glue_scores
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.selection import CRITERIA, criteria
from cosee.evaluation.tradeoff import tradeoff_curve
from cosee.exiting.rules import RULES
from cosee.exiting.signals import SIGNALS
from cosee.exiting.simulation import exit_layers, speedup_ratio

ENERGY = RULES["energy"]
MRPC, MNLI = RunId("mrpc", "bert", "cosee", 13, "cosee-energy"), RunId("mnli", "albert", "vanilla", 7, "vanilla")
RUNS = pytest.mark.parametrize("run", [MRPC, MNLI], ids=["C=2", "C=3"])
IDENTITY = "task backbone variant exit_rule seed split model".split()
TRADEOFF = [*IDENTITY, *"threshold mean_exit_layer speedup speedup_flops score accuracy f1 first_exit_score".split()]
TARGETS = [
    *IDENTITY,
    *"target_speedup threshold speedup speedup_flops score accuracy f1 adjustable rule".split(),
]


def multi_exit(run, num_samples=300, num_layers=6, seed=0):
    """Logits that become more right and more certain with depth."""
    rng, num_classes = np.random.default_rng(seed), TASKS[run.task].num_classes
    labels = rng.integers(0, num_classes, num_samples)
    evidence = rng.gamma(2, 0.4, (num_samples, 1, 1)) * np.arange(1, num_layers + 1)[:, None]
    logits = rng.normal(0, 1, (num_samples, num_layers, num_classes)) + evidence * np.eye(num_classes)[labels][:, None]
    depths = tuple(range(1, num_layers + 1))
    costs = tuple(1.1 * depth for depth in depths)
    return ExitOutputs(logits.astype(np.float32), labels, np.arange(num_samples), num_layers, depths, costs)


def truncated(run, depth=3, num_layers=6):
    full = multi_exit(run)
    return ExitOutputs(full.logits[:, depth - 1 : depth], full.labels, full.idx, num_layers, (depth,), (1.1 * depth,))


def assert_identity(frame, run, split, exit_rule=None, variant=None):
    expected = {"task": run.task, "backbone": run.backbone, "variant": variant or run.variant}
    expected |= ({"exit_rule": exit_rule} if exit_rule else {}) | {"seed": run.seed, "split": split, "model": run.model}
    assert list(frame.columns[: len(expected)]) == list(expected)
    assert len(frame) and (frame[list(expected)] == list(expected.values())).all(axis=None)


@RUNS
@pytest.mark.parametrize("name", SIGNALS)
def test_tradeoff_frame_is_the_curve_of_the_float64_scores(run, name):
    signal, predictions, task = SIGNALS[name], multi_exit(run), TASKS[run.task]
    frame = frames.tradeoff_frame(run, predictions, "dev", RULES[name], max_points=10_000)
    assert list(frame.columns) == [*TRADEOFF, "rule"]
    assert set(frame["rule"]) == {name}
    assert_identity(frame, run, "dev", name)
    logits = predictions.logits.astype(np.float64)
    scores, labels, costs = signal.score(logits[:, :-1]), predictions.labels, predictions.exit_costs
    curve = tradeoff_curve(scores, logits.argmax(-1), labels, signal.harder_is, task, costs)
    pd.testing.assert_frame_equal(frame[TRADEOFF[7:-1]], curve)
    np.testing.assert_allclose(frame["speedup_flops"], frame["speedup"] / 1.1)


def test_tradeoff_frame_is_thinned_but_keeps_both_ends():
    frame = frames.tradeoff_frame(MRPC, multi_exit(MRPC), "dev", ENERGY, max_points=20)
    assert 10 <= len(frame) <= 20
    assert (frame["speedup"].iloc[0], frame["speedup"].iloc[-1]) == (1, 6)


@RUNS
def test_controls_bound_the_signal(run):
    predictions = multi_exit(run)
    rng = np.random.default_rng(0)
    chance = frames.random_frame(run, predictions, "dev", rng)
    oracle = frames.oracle_frame(run, predictions, "dev", RULES["energy"])
    signal = frames.tradeoff_frame(run, predictions, "dev", ENERGY)
    assert list(chance.columns) == list(oracle.columns) == TRADEOFF
    assert_identity(chance, run, "dev", "none", variant="random")
    assert_identity(oracle, run, "dev", "energy", variant="oracle")
    assert len(oracle) == 6 and oracle["threshold"].isna().all()
    at_two = [np.interp(2, frame["speedup"], frame["accuracy"]) for frame in (chance, signal, oracle)]
    assert at_two[0] < at_two[1] < at_two[2]


@pytest.mark.parametrize("name", ["geometric", "voting"])
def test_every_frame_has_the_answers_of_the_rule(name):
    predictions, rule = multi_exit(MRPC), RULES[name]
    as_logits = ExitOutputs(**vars(predictions) | {"logits": rule.answer(predictions.logits.astype(np.float64))})
    scores = predictions.exit_scores(rule)
    own = replace(rule, answer=None, score=lambda logits, learned: scores)
    assert (as_logits.predicted != predictions.predicted).any()
    points = [(2.0, float(np.median(scores)))]
    for make in (
        lambda outputs, rule: frames.tradeoff_frame(MRPC, outputs, "dev", rule),
        lambda outputs, rule: frames.oracle_frame(MRPC, outputs, "dev", rule),
        lambda outputs, rule: frames.random_frame(MRPC, outputs, "dev", np.random.default_rng(0), rule),
        lambda outputs, rule: frames.targets_frame(MRPC, outputs, "dev", rule, points),
        lambda outputs, rule: frames.dis_frame(MRPC, outputs, "dev", rule),
        lambda outputs, rule: frames.calibration_frame(MRPC, outputs, "dev", rule, points),
        lambda outputs, rule: frames.layers_frame(MRPC, outputs, "dev", rule),
    ):
        pd.testing.assert_frame_equal(make(predictions, rule), make(as_logits, own))


def test_static_frame_is_one_point_at_the_cost_of_its_depth():
    predictions = truncated(MRPC, depth=3)
    frame = frames.static_frame(MRPC, predictions, "dev")
    assert list(frame.columns) == TRADEOFF
    assert_identity(frame, MRPC, "dev", "none", variant="static")
    (row,) = frame.to_dict("records")
    assert np.isnan(row["threshold"]) and (row["mean_exit_layer"], row["speedup"]) == (3, 2)
    expected = glue_scores(predictions.logits[:, 0].argmax(-1), predictions.labels, TASKS["mrpc"])
    assert {name: row[name] for name in expected} == expected


@RUNS
def test_targets_are_found_on_the_selection_split_and_realised_on_another(run):
    sel, dev = multi_exit(run, seed=1), multi_exit(run, seed=2)
    (thresholds,) = frames.operating_points([sel], ENERGY, (1.5, 3.0))
    frame = frames.targets_frame(run, dev, "dev", ENERGY, thresholds)
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


POLICY = RULES["policy"]


def halting(run, speed, seed=0):
    """Outputs of a method with a policy that leaves the earlier, the larger `speed`."""
    predictions = multi_exit(run, seed=seed)
    learned = np.random.default_rng(seed).random((300, 6)) < speed
    return ExitOutputs(**vars(predictions) | {"learned_scores": learned.astype(np.float32)})


def test_a_method_without_a_knob_shows_the_nearest_of_its_trained_points():
    models = [halting(MRPC, speed) for speed in (0.05, 0.2, 0.6)]
    reached = [speedup_ratio(exit_layers(m.exit_scores(POLICY), 0.5, "smaller"), 6) for m in models]
    assert reached[0] < 1.5 < reached[1] < 3 < reached[2] < 4
    points = frames.operating_points(models, POLICY, (1.1, 1.5, 3.0, 4.0))
    nearest = [int(np.abs(np.array(reached) - target).argmin()) for target in (1.1, 1.5, 3.0, 4.0)]
    assert [[target for target, _ in of_model] for of_model in points] == [
        [t for t, n in zip((1.1, 1.5, 3.0, 4.0), nearest, strict=True) if n == m] for m in range(3)
    ]
    frame = frames.targets_frame(MRPC, models[2], "dev", POLICY, points[2])
    assert not frame["adjustable"].any() and set(frame["threshold"]) == {0.5}
    np.testing.assert_allclose(frame["speedup"], reached[2])
    assert len(frames.targets_frame(MRPC, models[0], "dev", POLICY, [])) == 0
    (point,) = frames.tradeoff_frame(MRPC, models[1], "dev", POLICY).to_dict("records")
    assert (point["threshold"], point["speedup"]) == (0.5, pytest.approx(reached[1]))


def test_static_models_have_a_row_among_the_targets():
    frame = frames.static_targets_frame(MRPC, truncated(MRPC, depth=2), "dev")
    assert list(frame.columns) == TARGETS
    assert_identity(frame, MRPC, "dev", "none")
    assert frame[["target_speedup", "threshold"]].isna().all(axis=None)
    assert frame["speedup"].tolist() == [3]


@RUNS
def test_calibration_frame_measures_the_answers_at_each_threshold(run):
    predictions = multi_exit(run)
    points = [(1.5, 0.05), (2.0, 0.2)]
    frame = frames.calibration_frame(run, predictions, "dev", ENERGY, points)
    assert_identity(frame, run, "dev", "energy")
    expected = ["target_speedup", "threshold", "speedup", *CALIBRATION, "adjustable", "rule"]
    assert list(frame.columns[7:]) == expected
    assert list(zip(frame["target_speedup"], frame["threshold"], strict=True)) == points
    targets = frames.targets_frame(run, predictions, "dev", ENERGY, points)
    assert frame["speedup"].tolist() == targets["speedup"].tolist()
    for row in frame.itertuples():
        layers = exit_layers(predictions.exit_scores(ENERGY), row.threshold, "larger")
        found = answer_calibration(predictions.logits, predictions.labels, layers)
        assert [getattr(row, name) for name in CALIBRATION] == list(found.values())
    assert frames.calibration_frame(run, predictions, "dev", ENERGY, []).empty


def test_calibration_of_a_static_model_is_that_of_its_only_exit():
    predictions = truncated(MRPC, depth=2)
    frame = frames.static_calibration_frame(MRPC, predictions, "dev")
    assert_identity(frame, MRPC, "dev", "none")
    (row,) = frame.itertuples()
    assert (row.speedup, row.early, row.ece, row.nll) == (3, 0, row.ece_last, row.nll_last)
    assert frame[["target_speedup", "threshold", "exit_bias"]].isna().all(axis=None)


@RUNS
def test_dis_frame_has_a_row_for_every_internal_exit(run):
    predictions = multi_exit(run)
    logits = np.round(predictions.logits)  # ties
    frame = frames.dis_frame(run, ExitOutputs(**(vars(predictions) | {"logits": logits})), "dev", ENERGY)
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
def test_layers_frame_scores_every_exit_for_all_samples(run):
    predictions = multi_exit(run)
    frame = frames.layers_frame(run, predictions, "dev")
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
    assert frames.layers_frame(MRPC, truncated(MRPC, depth=4), "dev")["layer"].tolist() == [4]


@RUNS
def test_histogram_frame_counts_every_sample_once_where_it_exits(run):
    predictions, classes = multi_exit(run), TASKS[run.task].classes
    frame = frames.histogram_frame(run, predictions, "fit", ENERGY, [(2.0, 0.2), (np.nan, 0.05)])
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
    frame = frames.density_frame(MRPC, predictions, "dev", layers=[2, 5], bins=20)
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
    unlabelled = ExitOutputs(**(vars(predictions) | {"labels": np.full(300, -1)}))
    assert frames.density_frame(MRPC, unlabelled, "test")["layer"].unique().tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "frame",
    [
        lambda p: frames.tradeoff_frame(MRPC, p, "test", ENERGY),
        lambda p: frames.oracle_frame(MRPC, p, "test"),
        lambda p: frames.targets_frame(MRPC, p, "test", ENERGY, [(2.0, 0.1)]),
        lambda p: frames.dis_frame(MRPC, p, "test", ENERGY),
        lambda p: frames.layers_frame(MRPC, p, "test"),
        lambda p: frames.histogram_frame(MRPC, p, "test", ENERGY, [(2.0, 0.1)]),
    ],
)
def test_nothing_is_evaluated_without_labels_or_logits(frame):
    predictions = multi_exit(MRPC)
    diverged = ExitOutputs(**(vars(predictions) | {"logits": np.full_like(predictions.logits, np.nan)}))
    with pytest.raises(InputError, match="logits of split 'test' contain NaN or inf: training diverged"):
        frame(diverged)
    unlabelled = ExitOutputs(**(vars(predictions) | {"labels": np.full(300, -1)}))
    with pytest.raises(InputError, match="'test' has examples without a label"):
        frame(unlabelled)


@RUNS
def test_selection_criteria_are_those_of_the_whole_curve(run):
    predictions = multi_exit(run)
    curve = frames.tradeoff_frame(run, predictions, "sel", ENERGY, max_points=10_000)
    assert frames.criteria_of(predictions, run.task, ENERGY) == criteria(curve)


def test_a_truncated_model_has_its_score_as_every_selection_criterion():
    (score,) = frames.static_frame(MRPC, truncated(MRPC), "sel")["score"]
    assert frames.criteria_of(truncated(MRPC), "mrpc", ENERGY) == pytest.approx(dict.fromkeys(CRITERIA, score))


def test_a_truncated_model_has_no_tradeoff_curve():
    with pytest.raises(InputError, match=r"layers \(3,\) of 6"):
        frames.tradeoff_frame(MRPC, truncated(MRPC), "dev", ENERGY)


def test_a_curve_survives_csv_so_well_that_its_thresholds_still_give_the_same_points(tmp_path):
    predictions = multi_exit(MRPC)
    frame = frames.tradeoff_frame(MRPC, predictions, "dev", ENERGY)
    frame.to_csv(tmp_path / "curve.csv", index=False)
    read = pd.read_csv(tmp_path / "curve.csv")
    layers = exit_layers(predictions.exit_scores(ENERGY), read["threshold"].to_numpy(), "larger")
    np.testing.assert_array_equal(speedup_ratio(layers, 6), frame["speedup"])


def test_evaluation_never_imports_torch():
    code = "import sys, cosee.evaluation.frames, cosee.evaluation.selection; "
    code += "print({'torch', 'transformers', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
