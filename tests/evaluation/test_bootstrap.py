import numpy as np
import pytest

from cosee.data.tasks import TASKS
from cosee.evaluation.bootstrap import interval, operating_point_at, paired_bootstrap, score_difference
from cosee.evaluation.metrics import glue_scores
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers, speedup_ratio


def experiment(rng, num_rows, num_seeds, rates=(0.8, 0.75), spread=0.0, shared=0.0):
    """Answers of two methods, and the labels.

    A row has the same luck with all seeds; `shared` is how often both methods have the same. A method is right at its
    rate, which the seed moves by `spread`.
    """
    labels = rng.integers(0, 2, num_rows)
    common = rng.random(num_rows)
    answers = []
    for rate in rates:
        luck = np.where(rng.random(num_rows) < shared, common, rng.random(num_rows))
        right = luck < rate + spread * rng.normal(size=(num_seeds, 1))
        answers.append(np.where(right, labels, 1 - labels))
    return *answers, labels


@pytest.mark.parametrize("task", ["sst2", "mrpc"])
def test_replicates_equal_a_loop_over_drawn_rows_and_seeds(task):
    ours, theirs, labels = experiment(np.random.default_rng(1), 60, 3)
    found = paired_bootstrap(ours, theirs, labels, TASKS[task], np.random.default_rng(5), 20)
    # The draws themselves: of rows by their pattern of answers, then of seeds.
    right = np.stack([ours, theirs]) == labels
    flags = np.concatenate([right.reshape(6, -1), (right & (labels == 1)).reshape(6, -1)])
    patterns = sorted({tuple(column) for column in flags.T})
    members = [[n for n in range(60) if tuple(flags[:, n]) == pattern] for pattern in patterns]
    rng = np.random.default_rng(5)
    rows = rng.multinomial(60, [len(group) / 60 for group in members], 20)
    seeds = rng.multinomial(3, [1 / 3] * 3, 20)
    for value, of_rows, of_seeds in zip(found, rows, seeds, strict=True):
        drawn = [group[0] for group, times in zip(members, of_rows, strict=True) for _ in range(times)]
        differences = []
        for seed, times in enumerate(of_seeds):
            scores = [glue_scores(side[seed, drawn], labels[drawn], TASKS[task])["score"] for side in (ours, theirs)]
            differences += [scores[0] - scores[1]] * times
        assert value == pytest.approx(np.mean(differences))


def test_draws_have_the_spread_of_rows_drawn_one_by_one():
    ours, theirs, labels = experiment(np.random.default_rng(2), 300, 1)
    rng, naive = np.random.default_rng(3), []
    for _ in range(4000):
        drawn = rng.integers(0, 300, 300)
        naive.append(score_difference(ours[:, drawn], theirs[:, drawn], labels[drawn], TASKS["mrpc"]))
    found = paired_bootstrap(ours, theirs, labels, TASKS["mrpc"], rng, 4000)
    assert found.mean() == pytest.approx(np.mean(naive), abs=0.003)
    assert found.std() == pytest.approx(np.std(naive), rel=0.08)


def test_difference_is_the_mean_over_seeds():
    ours, theirs, labels = experiment(np.random.default_rng(4), 100, 2)
    scores = [[glue_scores(side[seed], labels, TASKS["mrpc"])["score"] for seed in (0, 1)] for side in (ours, theirs)]
    expected = np.mean(scores[0]) - np.mean(scores[1])
    assert score_difference(ours, theirs, labels, TASKS["mrpc"]) == pytest.approx(expected)


def test_the_interval_covers_the_true_difference_as_often_as_it_says():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(200):
        ours, theirs, labels = experiment(rng, 200, 10, rates=(0.80, 0.76), spread=0.06)
        low, high = interval(paired_bootstrap(ours, theirs, labels, TASKS["sst2"], rng, 300))
        hits += low <= 0.04 <= high
    assert 0.90 <= hits / 200 <= 0.98


def test_pairing_makes_the_interval_narrow():
    widths = []
    for shared in (0.0, 0.9):
        ours, theirs, labels = experiment(np.random.default_rng(6), 500, 3, shared=shared)
        low, high = interval(paired_bootstrap(ours, theirs, labels, TASKS["sst2"], np.random.default_rng(7)))
        widths.append(high - low)
    assert widths[1] < 0.6 * widths[0]


def test_seeds_widen_the_interval_and_one_seed_has_no_spread_of_its_own():
    rng = np.random.default_rng(8)
    labels = rng.integers(0, 2, 400)
    theirs = np.stack([labels] * 4)
    ours = np.stack([np.where(np.arange(400) < 400 * (1 - error), labels, 1 - labels) for error in (0, 0.1, 0.2, 0.3)])
    spread = [
        np.std(paired_bootstrap(some, theirs[: len(some)], labels, TASKS["sst2"], np.random.default_rng(9)))
        for some in (ours, ours[1:2])
    ]
    assert spread[0] > 2 * spread[1]
    assert spread[1] == pytest.approx(np.sqrt(0.1 * 0.9 / 400), rel=0.1)


def test_equal_methods_never_differ_and_the_generator_decides():
    ours, theirs, labels = experiment(np.random.default_rng(10), 50, 2)
    assert not paired_bootstrap(ours, ours, labels, TASKS["mrpc"], np.random.default_rng(0)).any()
    draws = [paired_bootstrap(ours, theirs, labels, TASKS["mrpc"], np.random.default_rng(s)) for s in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


def test_interval_holds_the_level():
    assert interval(np.arange(101.0)) == pytest.approx((2.5, 97.5))
    assert interval(np.arange(101.0), 0.5) == pytest.approx((25, 75))


def test_the_predictions_at_an_operating_point_are_those_of_the_exits_taken():
    rng = np.random.default_rng(11)
    logits, labels = rng.normal(size=(40, 6, 2)), rng.integers(0, 2, 40)
    predictions = ExitOutputs(logits, labels, np.arange(40), 6, tuple(range(1, 7)), tuple(range(1, 7)))
    rule = RULES["energy"]
    point = operating_point_at(predictions, rule, 0.3)
    layers = exit_layers(predictions.exit_scores(rule), 0.3, "larger")
    assert len(set(layers)) > 1
    np.testing.assert_array_equal(point.predicted, [logits[n, layer].argmax() for n, layer in enumerate(layers)])
    np.testing.assert_array_equal(point.labels, labels)
    assert point.speedup == speedup_ratio(layers, 6)


def test_the_operating_point_of_a_static_model_is_its_one_exit():
    logits = np.random.default_rng(12).normal(size=(10, 1, 3))
    point = operating_point_at(ExitOutputs(logits, np.zeros(10, int), np.arange(10), 12, (6,), (6.0,)), None, np.nan)
    np.testing.assert_array_equal(point.predicted, logits[:, 0].argmax(axis=-1))
    assert point.speedup == 2
