import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score

from cosee.data.tasks import TASKS
from cosee.evaluation.metrics import cross_entropy, difficulty_inversion_score, glue_scores, glue_scores_from_counts
from cosee.exiting.signals import SIGNALS
from cosee.exiting.simulation import speedup_ratio

SEEDS = st.integers(0, 2**32 - 1)


def dis_by_pairs(signal, correct, harder_is, ties):
    """Difficulty inversion score by its definition, one pair at a time."""
    counts = []
    for easy in signal[correct]:
        for hard in signal[~correct]:
            ordered = easy < hard if harder_is == "larger" else easy > hard
            counts.append(ties if easy == hard else float(ordered))
    return 100 * np.mean(counts) if counts else np.nan


def test_speedup_is_a_ratio_of_means():
    exits = np.repeat([2, 4, 8, 12], [30, 40, 20, 10]) - 1
    assert speedup_ratio(exits, 12) == pytest.approx(2.40, abs=0.005)
    assert speedup_ratio(exits, 12) == 12 * 100 / (2 * 30 + 4 * 40 + 8 * 20 + 12 * 10)


@pytest.mark.parametrize(("mean_layer", "speedup"), [(8, 1.5), (6, 2), (4, 3), (3, 4)])
def test_speedup_of_the_usual_mean_layers(mean_layer, speedup):
    assert speedup_ratio([mean_layer - 2, mean_layer], 12) == speedup


def test_speedup_of_several_thresholds():
    np.testing.assert_array_equal(speedup_ratio([[0, 0], [11, 11], [0, 10]], 12), [12, 1, 2])


@pytest.mark.parametrize(("ties", "expected"), [(0, 66.67), (0.5, 75.00), (1, 83.33)])
def test_dis_golden(ties, expected):
    signal, correct = [0.05, 0.10, 0.20, 0.30, 0.30], [True, True, False, False, True]
    assert difficulty_inversion_score(signal, correct, "larger", ties) == pytest.approx(expected, abs=0.005)


@given(SEEDS, st.integers(1, 40), st.integers(1, 6), st.sampled_from(["larger", "smaller"]), st.sampled_from([0, 0.5]))
def test_dis_equals_its_definition(seed, num_samples, num_values, harder_is, ties):
    rng = np.random.default_rng(seed)
    signal = rng.integers(0, num_values, (num_samples, 3)) / num_values  # few values, many ties
    correct = rng.random((num_samples, 3)) < 0.6
    expected = [dis_by_pairs(s, c, harder_is, ties) for s, c in zip(signal.T, correct.T, strict=True)]
    np.testing.assert_allclose(difficulty_inversion_score(signal, correct, harder_is, ties), expected)


@given(SEEDS)
def test_dis_is_the_auroc_of_the_signal_as_an_error_detector(seed):
    rng = np.random.default_rng(seed)
    signal, correct = rng.normal(size=50).round(1), np.arange(50) % 3 > 0
    assert difficulty_inversion_score(signal, correct, "larger") == pytest.approx(100 * roc_auc_score(~correct, signal))


@given(SEEDS)
def test_dis_ignores_monotone_transforms_and_follows_the_orientation(seed):
    rng = np.random.default_rng(seed)
    signal, correct = rng.normal(size=60).round(1), np.arange(60) % 4 > 0
    dis = difficulty_inversion_score(signal, correct, "larger")
    assert difficulty_inversion_score(np.exp(signal), correct, "larger") == pytest.approx(dis)
    assert difficulty_inversion_score(3 * signal**3 - 7, correct, "larger") == pytest.approx(dis)
    assert difficulty_inversion_score(-signal, correct, "smaller") == pytest.approx(dis)
    assert difficulty_inversion_score(signal, correct, "smaller") == pytest.approx(100 - dis)


@pytest.mark.parametrize(("num_classes", "equal"), [(2, True), (3, False)])
def test_dis_of_entropy_and_softmax_is_equal_for_two_classes_only(num_classes, equal):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 2, (400, num_classes)), rng.integers(0, num_classes, 400)
    correct = logits.argmax(axis=1) == labels
    dis = {
        name: difficulty_inversion_score(signal.score(logits), correct, signal.harder_is)
        for name, signal in SIGNALS.items()
    }
    assert (dis["entropy"] == pytest.approx(dis["softmax"], abs=1e-9)) is equal
    assert dis["energy"] != pytest.approx(dis["entropy"], abs=0.1)


@pytest.mark.parametrize("correct", [[True] * 3, [False] * 3])
def test_dis_without_easy_or_without_hard_samples_is_nan(correct):
    assert np.isnan(difficulty_inversion_score([0.1, 0.2, 0.3], correct, "larger"))


@pytest.mark.parametrize("row", [0, 1], ids=["easy", "hard"])
def test_dis_of_a_nan_signal_is_nan_only_at_that_exit(row):
    signal = np.array([[0.1, 0.1], [0.2, 0.2]])
    signal[row, 1] = np.nan
    dis = difficulty_inversion_score(signal, [[True, True], [False, False]], "larger")
    np.testing.assert_array_equal(dis, [100, np.nan])


def test_dis_with_one_partition_for_every_exit():
    signal, correct = np.array([[0.1, 0.4], [0.2, 0.3]]), np.array([[True], [False]])
    np.testing.assert_array_equal(difficulty_inversion_score(signal, correct, "larger"), [100, 0])


@given(SEEDS, st.integers(1, 30), st.sampled_from(list(TASKS)))
def test_glue_scores_agree_with_scikit_learn(seed, num_samples, name):
    task, rng = TASKS[name], np.random.default_rng(seed)
    predictions, labels = rng.integers(0, task.num_classes, (2, num_samples))
    scores = glue_scores(predictions, labels, task)
    accuracy = accuracy_score(labels, predictions)
    assert scores["accuracy"] == pytest.approx(accuracy)
    if "f1" in task.metrics:
        f1 = f1_score(labels, predictions, zero_division=0)
        assert scores["f1"] == pytest.approx(f1)
        assert scores["score"] == pytest.approx((accuracy + f1) / 2)
    else:
        assert np.isnan(scores["f1"])
        assert scores["score"] == scores["accuracy"]


def test_glue_scores_of_several_thresholds_are_those_of_each():
    rng = np.random.default_rng(0)
    predictions, labels = rng.integers(0, 2, (4, 20)), rng.integers(0, 2, 20)
    together = glue_scores(predictions, labels, TASKS["mrpc"])
    for k, row in enumerate(predictions):
        for name, value in glue_scores(row, labels, TASKS["mrpc"]).items():
            assert together[name][k] == value


def test_f1_without_any_positive_is_zero():
    assert glue_scores_from_counts(5, 0, 5, TASKS["qqp"]) == {"score": 0.5, "accuracy": 1.0, "f1": 0.0}


def test_cross_entropy_of_every_exit_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(30, 4, 3)), rng.integers(0, 3, 30)
    loss = cross_entropy(logits, labels)
    assert loss.shape == (30, 4)
    for m in range(4):
        p = np.exp(logits[:, m]) / np.exp(logits[:, m]).sum(axis=1, keepdims=True)
        assert loss[:, m].mean() == pytest.approx(log_loss(labels, p, labels=[0, 1, 2]))


def test_cross_entropy_is_exact_for_saturated_logits():
    logits = np.array([[1e4, -1e4], [1e4, -1e4]], dtype=np.float32)
    np.testing.assert_array_equal(cross_entropy(logits, [0, 1]), [0, 2e4])
