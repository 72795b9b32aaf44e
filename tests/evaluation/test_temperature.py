"""The fitted temperatures are those of a population, and the best on the split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosee.errors import InputError
from cosee.evaluation.metrics import cross_entropy
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.temperature import BOUNDS, fit_temperatures, temperatures_of


def drawn(seed, temperatures, num_examples=4000, num_classes=3):
    """Logits [N, M, C] whose labels [N] are drawn from the softmax of logits / temperature at every exit."""
    rng = np.random.default_rng(seed)
    calibrated = rng.normal(0, 1.5, (num_examples, num_classes))
    labels = (calibrated + rng.gumbel(size=calibrated.shape)).argmax(axis=-1)
    return calibrated[:, None] * np.asarray(temperatures)[:, None], labels


def test_the_temperatures_of_a_population_are_found():
    temperatures = np.array([0.25, 1.0, 6.0])
    fitted = fit_temperatures(*drawn(0, temperatures))
    np.testing.assert_allclose(fitted, temperatures, rtol=0.1)
    np.testing.assert_allclose(fitted / temperatures, fitted[1], rtol=1e-9)  # the same examples, in other units


@settings(max_examples=25)
@given(seed=st.integers(0, 99), num_classes=st.sampled_from([2, 3]))
def test_no_other_temperature_has_a_lower_cross_entropy(seed, num_classes):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(0, 2, (50, 4, num_classes)), rng.integers(0, num_classes, 50)
    logits[np.arange(50), :, labels] += 1
    fitted = fit_temperatures(logits, labels)
    best = cross_entropy(logits / fitted[:, None], labels).mean(axis=0)
    for factor in (0.5, 0.9, 0.999, 1.001, 1.1, 2.0):
        other = np.clip(factor * fitted, *BOUNDS)
        assert (cross_entropy(logits / other[:, None], labels).mean(axis=0) >= best - 1e-12).all()


def test_exits_without_error_and_exits_without_skill_have_the_bounds():
    labels = np.array([0, 1, 0, 1])
    right = np.where(np.eye(2)[labels] > 0, 5.0, -5.0)
    fitted = fit_temperatures(np.stack([right, -right], axis=1), labels)
    assert fitted == pytest.approx(BOUNDS)


def test_a_split_without_labels_is_refused():
    logits = np.zeros((2, 1, 2))
    outputs = ExitOutputs(logits, np.array([0, -1]), np.arange(2), 1, (1,), (1.0,))
    with pytest.raises(InputError, match="has examples without a label; choose one with labels, such as sel"):
        temperatures_of(outputs)


def test_a_temperature_changes_no_prediction():
    logits, labels = drawn(1, [0.3, 2.0])
    scaled = logits / fit_temperatures(logits, labels)[:, None]
    np.testing.assert_array_equal(scaled.argmax(-1), logits.argmax(-1))
