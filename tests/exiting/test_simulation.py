import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.evaluation.metrics import glue_scores
from cosee.evaluation.tradeoff import downsample_curve, oracle_curve, tradeoff_curve
from cosee.exiting.rules import RULES, check_threshold
from cosee.exiting.signals import SIGNALS, energy, normalized_energy
from cosee.exiting.simulation import exit_layers, random_scores, speedup_ratio, sweep, threshold_for_speedup

ORIENTATIONS = st.sampled_from(["larger", "smaller"])
EDGE_VALUES = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, np.nextafter(1, 2), 5e-324, -1e308, 1e308]
SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 5))
SCORES = SHAPES.flatmap(
    lambda shape: st.one_of(
        arrays(np.float64, shape, elements=st.integers(0, 4).map(lambda i: i / 4)),  # many ties
        arrays(np.float64, shape, elements=st.floats(0, 1)),
        arrays(np.float64, shape, elements=st.sampled_from(EDGE_VALUES)),
    )
)
SEEDS = st.integers(0, 2**32 - 1)


def first_exit(scores, threshold, harder_is):
    """Exit layers by their definition, one sample and one exit at a time."""
    layers = []
    for row in scores:
        passing = [m for m, s in enumerate(row) if (s < threshold if harder_is == "larger" else s > threshold)]
        layers.append(passing[0] if passing else len(row))
    return np.array(layers)


def answers(num_samples, num_layers, task, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, task.num_classes, num_samples)
    wrong = rng.random((num_samples, num_layers)) < 0.3
    return np.where(wrong, rng.integers(0, task.num_classes, wrong.shape), labels[:, None]), labels


@given(SCORES, ORIENTATIONS, st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=4))
def test_exit_layers_equal_their_definition(scores, harder_is, thresholds):
    layers = exit_layers(scores, thresholds, harder_is)
    assert layers.shape == (len(thresholds), len(scores))
    for k, threshold in enumerate(thresholds):
        np.testing.assert_array_equal(layers[k], first_exit(scores, threshold, harder_is))
        np.testing.assert_array_equal(layers[k], exit_layers(scores, threshold, harder_is))


def test_the_inequality_is_strict_and_nan_never_passes():
    scores = np.array([[0.5, 0.2], [np.nan, 0.4], [np.nan, np.nan]])
    np.testing.assert_array_equal(exit_layers(scores, 0.5, "larger"), [1, 1, 2])
    np.testing.assert_array_equal(exit_layers(scores, 0.2, "smaller"), [0, 1, 2])
    np.testing.assert_array_equal(exit_layers(scores, 0.4, "smaller"), [0, 2, 2])


@given(SCORES, ORIENTATIONS)
def test_a_looser_threshold_never_exits_later_and_the_extremes_are_the_first_and_last_exit(scores, harder_is):
    scores = np.nan_to_num(scores)
    thresholds = np.sort(np.concatenate([[-np.inf, np.inf], scores.ravel()]))
    layers = exit_layers(scores, thresholds, harder_is)
    layers = layers if harder_is == "larger" else layers[::-1]
    assert (np.diff(layers, axis=0) <= 0).all()
    assert (layers[0] == scores.shape[1]).all() and (layers[-1] == 0).all()


def test_normalized_and_plain_energy_have_the_same_operating_points():
    logits = np.random.default_rng(0).normal(0, 3, (200, 5, 3))
    plain, normalized = energy(logits), normalized_energy(logits)
    expected = sweep(plain, "larger")
    found = sweep(normalized, "larger")
    layers = [exit_layers(s, p.thresholds, "larger") for s, p in ((plain, expected), (normalized, found))]
    assert len(found.thresholds) > 200
    np.testing.assert_array_equal(*layers)


def test_a_model_without_internal_exits_has_one_operating_point():
    scores = np.empty((3, 0))
    np.testing.assert_array_equal(exit_layers(scores, [0.1, 0.9], "larger"), np.zeros((2, 3)))
    curve = tradeoff_curve(scores, [[1], [0], [1]], [1, 1, 1], "larger", TASKS["sst2"])
    assert curve["speedup"].tolist() == [1] and curve["accuracy"].tolist() == [2 / 3]


@given(SCORES, ORIENTATIONS)
def test_the_sweep_has_each_distinct_operating_point_exactly_once(scores, harder_is):
    num_layers = scores.shape[1] + 1
    finite = scores[np.isfinite(scores)]
    beside = np.concatenate([finite, np.nextafter(finite, np.inf), np.nextafter(finite, -np.inf)])
    candidates = np.concatenate([beside, [-np.finfo(float).max, np.finfo(float).max]])
    if harder_is == "larger":
        scores = np.where(np.isposinf(scores), np.nan, scores)
    by_force = {tuple(first_exit(scores, t, harder_is)) for t in candidates}
    points = sweep(scores, harder_is)
    by_sweep = [tuple(row) for row in exit_layers(scores, points.thresholds, harder_is)]
    assert len(set(by_sweep)) == len(by_sweep)
    assert by_force <= set(by_sweep)
    # An example with an infinitely easy score exits early for every finite threshold: only there is one point more.
    if not np.isinf(scores).any():
        assert set(by_sweep) == by_force
    executed = points.executed_layers(len(scores), num_layers)
    np.testing.assert_array_equal(executed, np.add(by_sweep, 1).sum(axis=1))
    assert (np.diff(executed) < 0).all()


@given(SCORES, ORIENTATIONS, st.sampled_from(["sst2", "mrpc", "mnli"]), SEEDS)
def test_every_row_of_the_curve_is_what_its_threshold_gives(scores, harder_is, name, seed):
    task, num_samples, num_layers = TASKS[name], len(scores), scores.shape[1] + 1
    predictions, labels = answers(num_samples, num_layers, task, seed)
    curve = tradeoff_curve(scores, predictions, labels, harder_is, task)
    assert curve["speedup"].between(1, num_layers).all()
    assert curve["speedup"].is_monotonic_increasing and curve["speedup"].is_unique
    assert curve["speedup"].iloc[0] == 1 or np.isinf(scores).any()
    for row in curve.itertuples():
        layers = exit_layers(scores, row.threshold, harder_is)
        expected = glue_scores(predictions[np.arange(num_samples), layers], labels, task)
        assert row.mean_exit_layer == (layers + 1).mean()
        assert row.speedup == speedup_ratio(layers, num_layers)
        np.testing.assert_array_equal([row.score, row.accuracy, row.f1], list(expected.values()))


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("task", [TASKS["qqp"], TASKS["mnli"]], ids=["C=2", "C=3"])
def test_the_curve_of_real_signals_runs_from_the_last_exit_to_the_first_within_the_signals_range(name, task):
    signal, rng = SIGNALS[name], np.random.default_rng(0)
    logits = rng.normal(0, 3, (200, 12, task.num_classes))
    logits[:5] = 0  # the highest possible entropy, the lowest softmax score
    predictions, labels = logits.argmax(axis=-1), rng.integers(0, task.num_classes, 200)
    curve = tradeoff_curve(signal.score(logits[:, :-1]), predictions, labels, signal.harder_is, task)
    slowest, fastest = curve.iloc[0], curve.iloc[-1]
    assert (slowest["speedup"], fastest["speedup"]) == (1, 12)
    assert slowest["score"] == glue_scores(predictions[:, -1], labels, task)["score"]
    assert fastest["score"] == glue_scores(predictions[:, 0], labels, task)["score"]
    assert curve["threshold"].is_monotonic_increasing or curve["threshold"].is_monotonic_decreasing
    for threshold in curve["threshold"]:
        check_threshold(threshold, RULES[name], task.num_classes, 12)


@given(SCORES, ORIENTATIONS, SEEDS)
def test_the_curve_does_not_depend_on_the_order_of_rows(scores, harder_is, seed):
    task = TASKS["mrpc"]
    predictions, labels = answers(len(scores), scores.shape[1] + 1, task, seed)
    order = np.random.default_rng(seed).permutation(len(scores))
    curve = tradeoff_curve(scores, predictions, labels, harder_is, task)
    shuffled = tradeoff_curve(scores[order], predictions[order], labels[order], harder_is, task)
    pd.testing.assert_frame_equal(curve, shuffled, check_exact=True)


def test_thresholds_lie_midway_between_the_scores_they_separate():
    points = sweep([[0.2, 0.9], [0.4, 0.1]], "larger")
    np.testing.assert_allclose(points.thresholds, [0.1, 0.15, 0.3, np.nextafter(0.4, 1)], rtol=1e-15)
    points = sweep([[0.2, 0.9], [0.4, 0.1]], "smaller")
    np.testing.assert_allclose(points.thresholds, [0.9, 0.65, 0.3, np.nextafter(0.2, 0)], rtol=1e-15)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_threshold_outside_the_signals_range_is_refused(name):
    low, high = SIGNALS[name].range(3)
    check_threshold((low + high) / 2, RULES[name], 3, 12)
    for threshold in (low - 0.01, high + 0.01, np.nan):
        with pytest.raises(InputError, match=f"exit rule {name}"):
            check_threshold(threshold, RULES[name], 3, 12)


def test_a_softmax_threshold_below_one_half_is_refused_for_two_classes_only():
    check_threshold(0.4, RULES["softmax"], 3, 12)
    with pytest.raises(InputError, match=r"between 0\.5 and 1"):
        check_threshold(0.4, RULES["softmax"], 2, 12)


@given(SCORES, ORIENTATIONS, st.floats(1, 2))
def test_the_threshold_for_a_speedup_is_the_closest_of_all(scores, harder_is, target):
    num_layers = scores.shape[1] + 1
    threshold, reached = threshold_for_speedup(scores, target, harder_is)
    realized = speedup_ratio(exit_layers(scores, threshold, harder_is), num_layers)
    everything = speedup_ratio(exit_layers(scores, sweep(scores, harder_is).thresholds, harder_is), num_layers)
    assert abs(realized - target) == np.abs(everything - target).min() and reached == realized


def test_of_two_equally_close_operating_points_the_slower_is_taken():
    scores = [[0.1], [0.1]]  # speed-up 1 or 2
    assert (exit_layers(scores, threshold_for_speedup(scores, 1.5, "larger")[0], "larger") == 1).all()
    assert (exit_layers(scores, threshold_for_speedup(scores, 1.51, "larger")[0], "larger") == 0).all()


@pytest.mark.parametrize("target", [0.9, 3.1, np.nan])
def test_a_target_that_no_threshold_can_reach_is_refused(target):
    with pytest.raises(InputError, match="between 1 and 3"):
        threshold_for_speedup(np.zeros((4, 2)), target, "larger")


@given(SEEDS, st.integers(1, 8), st.integers(1, 6), st.sampled_from(["mrpc", "mnli"]))
def test_the_oracle_equals_its_definition(seed, num_samples, num_layers, name):
    task = TASKS[name]
    predictions, labels = answers(num_samples, num_layers, task, seed)
    curve = oracle_curve(predictions, labels, task)
    assert len(curve) == num_layers and curve["threshold"].isna().all()
    for first, (_, row) in zip(reversed(range(num_layers)), curve.iterrows(), strict=True):
        layers = []
        for predicted, label in zip(predictions, labels, strict=True):
            right = [m for m in range(first, num_layers) if predicted[m] == label]
            layers.append(right[0] if right else num_layers - 1)
        expected = glue_scores(predictions[np.arange(num_samples), layers], labels, task)
        assert row["mean_exit_layer"] == np.add(layers, 1).mean()
        assert row["accuracy"] == expected["accuracy"] and row["score"] == expected["score"]


@given(SCORES, ORIENTATIONS, SEEDS)
def test_no_signal_is_more_accurate_than_the_oracle(scores, harder_is, seed):
    task = TASKS["sst2"]
    predictions, labels = answers(len(scores), scores.shape[1] + 1, task, seed)
    curve = tradeoff_curve(scores, predictions, labels, harder_is, task)
    assert curve["accuracy"].max() <= oracle_curve(predictions, labels, task)["accuracy"].max()


def test_random_scores_follow_the_generator_and_exit_as_often_at_every_layer():
    scores = random_scores((20_000, 3), np.random.default_rng(0))
    np.testing.assert_array_equal(scores, random_scores((20_000, 3), np.random.default_rng(0)))
    share = np.bincount(exit_layers(scores, 0.5, "larger")) / 20_000
    np.testing.assert_allclose(share, [0.5, 0.25, 0.125, 0.125], atol=0.01)


def test_thinning_keeps_both_ends_and_spreads_evenly_in_speedup():
    speedup = np.sort(1 + 11 * np.random.default_rng(0).random(20_000) ** 4)  # most points are slow
    curve = pd.DataFrame({"speedup": speedup, "score": np.linspace(1, 0, 20_000)})
    thinned = downsample_curve(curve, 100)
    assert 90 <= len(thinned) <= 100
    assert thinned.iloc[0].equals(curve.iloc[0]) and thinned.iloc[-1].equals(curve.iloc[-1])
    assert thinned["speedup"].diff().max() < 1.5 * (speedup[-1] - speedup[0]) / 99
    assert thinned.merge(curve).equals(thinned)


def test_thinning_leaves_a_short_curve_alone():
    curve = pd.DataFrame({"speedup": [1.0, 2.0, 3.0]})
    assert downsample_curve(curve, 3).equals(curve)
    assert downsample_curve(curve, 2)["speedup"].tolist() == [1, 3]
