import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosee.data.tasks import TASKS
from cosee.evaluation.matched import deployed_point, matched_point
from cosee.evaluation.metrics import glue_scores, glue_scores_from_counts
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers, speedup_ratio

LAYERS = 6


def outputs_of(seed, num_examples=40, depths=range(1, LAYERS + 1), learned=False):
    rng = np.random.default_rng(seed)
    depths = tuple(depths)
    logits = rng.normal(size=(num_examples, len(depths), 2)) * np.arange(1, len(depths) + 1)[:, None]
    labels = np.random.default_rng(99).integers(0, 2, num_examples)
    scores = rng.random((num_examples, len(depths))) if learned else None
    return ExitOutputs(logits, labels, np.arange(num_examples), LAYERS, depths, tuple(map(float, depths)), scores)


def policy_outputs(seed, rate):
    """A method without a test-time threshold: its policy exits at each internal exit with a given rate."""
    outputs = outputs_of(seed, learned=True)
    np.random.default_rng(seed).shuffle(outputs.learned_scores)
    return ExitOutputs(**vars(outputs) | {"learned_scores": outputs.learned_scores + rate - 0.5})


def mean_layer(outputs, rule, threshold):
    return 1 + exit_layers(outputs.exit_scores(rule), threshold, rule.harder_is).mean()


def test_a_deployed_point_has_the_answers_of_the_exits_that_are_taken():
    outputs, rule = outputs_of(1), RULES["energy"]
    point = deployed_point(outputs, rule, 0.3)
    layers = exit_layers(outputs.exit_scores(rule), 0.3, "larger")
    assert len(set(layers)) > 1
    chosen = np.array([outputs.logits[n, layer].argmax() for n, layer in enumerate(layers)])
    np.testing.assert_array_equal(point.right, chosen == outputs.labels)
    np.testing.assert_array_equal(point.labels, outputs.labels)
    assert point.speedup == pytest.approx(speedup_ratio(layers, LAYERS))


@pytest.mark.parametrize(("name", "share"), [("geometric", 0.5), ("voting", 0.99)])
def test_points_have_the_answers_of_the_rule(name, share):
    outputs, rule = outputs_of(1, num_examples=400), RULES[name]
    # Before the last exit, a vote is decided by the exit that gives the last one: its own answer is the majority's.
    threshold = float(np.quantile(outputs.exit_scores(rule), share)) - 0.5 * (name == "voting")
    layers = exit_layers(outputs.exit_scores(rule), threshold, rule.harder_is)
    answers = np.array([rule.answer(outputs.logits[n : n + 1])[0, m].argmax() for n, m in enumerate(layers)])
    own = outputs.predicted[np.arange(len(layers)), layers]
    assert len(set(layers)) > 1 and (answers != own).any()
    np.testing.assert_array_equal(deployed_point(outputs, rule, threshold).right, answers == outputs.labels)
    slowest = matched_point([(outputs, rule)], 1.0)
    np.testing.assert_array_equal(slowest.right, rule.answer(outputs.logits)[:, -1].argmax(-1) == outputs.labels)


@pytest.mark.parametrize("speedup", [1.5, 2, 6])
def test_a_static_model_matches_at_its_own_depth_only(speedup):
    outputs = outputs_of(2, depths=(3,))
    deployed, matched = deployed_point(outputs, None, np.nan), matched_point([(outputs, None)], speedup)
    assert deployed.speedup == 2
    if speedup != 2:
        assert matched is None
        return
    np.testing.assert_array_equal(matched.right, outputs.predicted[:, 0] == outputs.labels)
    np.testing.assert_array_equal(matched.right, deployed.right)


@given(st.integers(0, 50), st.floats(1, LAYERS), st.sampled_from(["energy", "softmax", "patience", "fpabee"]))
def test_the_mixture_of_the_neighboring_thresholds_has_exactly_the_target(seed, speedup, name):
    """Against a search over every threshold that separates two scores."""
    outputs, rule = outputs_of(seed), RULES[name]
    scores = np.unique(outputs.exit_scores(rule))
    finite = scores[np.isfinite(scores)]
    thresholds = np.concatenate([[finite[0] - 1], (finite[:-1] + finite[1:]) / 2, [finite[-1] + 1]])
    layers = np.array([mean_layer(outputs, rule, threshold) for threshold in thresholds])
    target = LAYERS / speedup
    point = matched_point([(outputs, rule)], speedup)
    if target < layers.min():
        assert point is None
        return
    slow = np.where(layers >= target - 1e-9, layers, np.inf).argmin()
    fast = np.where(layers <= target + 1e-9, layers, -np.inf).argmax()
    gap = layers[slow] - layers[fast]
    weight = (layers[slow] - target) / gap if gap > 1e-9 else 0
    assert (1 - weight) * layers[slow] + weight * layers[fast] == pytest.approx(target)
    right = [deployed_point(outputs, rule, thresholds[neighbor]).right for neighbor in (slow, fast)]
    np.testing.assert_allclose(point.right, (1 - weight) * right[0] + weight * right[1], atol=1e-9)
    assert point.speedup == speedup


def test_expected_scores_are_those_of_random_mixtures():
    """Patience has so few thresholds that mixing matters; examples take the fast or the slow exit at random."""
    outputs, rule = outputs_of(3, num_examples=400), RULES["patience"]
    speedup, rng = 1.7, np.random.default_rng(0)
    patience = range(1, LAYERS)
    layers = {p: mean_layer(outputs, rule, p - 0.5) for p in patience}
    slow = min((p for p in patience if layers[p] >= LAYERS / speedup), key=layers.get)
    fast = max((p for p in patience if layers[p] <= LAYERS / speedup), key=layers.get)
    weight = (layers[slow] - LAYERS / speedup) / (layers[slow] - layers[fast])
    assert 0.1 < weight < 0.9 and layers[slow] - layers[fast] > 0.3
    exits = [exit_layers(outputs.exit_scores(rule), p - 0.5, rule.harder_is) for p in (slow, fast)]
    drawn = np.where(rng.random((20_000, 400)) < weight, exits[1], exits[0])
    assert 1 + drawn.mean() == pytest.approx(LAYERS / speedup, abs=0.002)
    scores = glue_scores(outputs.predicted[np.arange(400), drawn], outputs.labels, TASKS["mrpc"])
    point = matched_point([(outputs, rule)], speedup)
    counts = point.right.sum(), point.right[outputs.labels == 1].sum()
    found = glue_scores_from_counts(*counts, 400, TASKS["mrpc"])
    assert found["accuracy"] == pytest.approx(scores["accuracy"].mean(), abs=3e-4)
    assert found["f1"] == pytest.approx(scores["f1"].mean(), abs=1e-3)


def test_trained_models_are_mixed_where_a_method_has_no_threshold():
    rule = RULES["policy"]
    models = [policy_outputs(seed, rate) for seed, rate in enumerate((0.2, 0.35, 0.6))]
    layers = [mean_layer(outputs, rule, 0.5) for outputs in models]
    assert layers == sorted(layers, reverse=True)
    target = 0.3 * layers[1] + 0.7 * layers[2]
    right = [deployed_point(outputs, rule, 0.5).right for outputs in models]
    point = matched_point([(each, rule) for each in models], LAYERS / target)
    np.testing.assert_allclose(point.right, 0.3 * right[1] + 0.7 * right[2], atol=1e-9)
    np.testing.assert_allclose(
        matched_point([(each, rule) for each in models[::-1]], LAYERS / target).right, point.right
    )
    np.testing.assert_array_equal(matched_point([(each, rule) for each in models], LAYERS / layers[0]).right, right[0])
    for outside in (layers[0] + 0.01, layers[2] - 0.01):
        assert matched_point([(each, rule) for each in models], LAYERS / outside) is None


def test_no_label_moves_a_matched_point():
    outputs, rule = outputs_of(5), RULES["energy"]
    flipped = ExitOutputs(**vars(outputs) | {"labels": 1 - outputs.labels})
    points = [matched_point([(some, rule)], 2.3) for some in (outputs, flipped)]
    np.testing.assert_allclose(points[0].right, 1 - points[1].right)
