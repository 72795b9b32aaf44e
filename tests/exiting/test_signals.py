import subprocess
import sys
from math import log

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cosee.exiting.signals import SIGNALS, energy, log_softmax, normalized_energy, normalized_entropy, softmax_score

EACH = pytest.mark.parametrize("signal", SIGNALS.values(), ids=lambda signal: signal.name)
CLASSES = pytest.mark.parametrize("num_classes", [2, 3])


def logits_arrays(largest: float = 50.0):
    shapes = st.tuples(st.integers(1, 4), st.integers(1, 3), st.sampled_from([2, 3]))
    return shapes.flatmap(lambda shape: hnp.arrays(np.float64, shape, elements=st.floats(-largest, largest)))


def random_logits(num_classes: int, scale: float = 3.0, rows: int = 200) -> torch.Tensor:
    generator = torch.Generator().manual_seed(num_classes)
    return scale * torch.randn(rows, num_classes, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ((0, 0), 1 / 3),
        ((2, -2), 0.117310),
        ((4, -4), 0.017980),
        ((1, -1), 0.244728),
        ((3, 1), 0.042010),
        ((0, 0, 0), 0.25),
        ((4, -2, -2), 0.017899),
        ((-2, -2), 0.786986),  # both logits negative: harder than undecided
    ],
)
def test_golden_energies(logits, expected):
    assert normalized_energy(np.array(logits, dtype=float)) == pytest.approx(expected, abs=1e-6)
    assert energy(np.array(logits, dtype=float)) == pytest.approx(-log(sum(np.exp(logits))), abs=1e-12)


@pytest.mark.parametrize(
    ("logits", "expected"), [((0, 0), 1), ((2, -2), 0.129979), ((4, -4), 0.004354), ((3, 1), 0.527065), ((7, 7, 7), 1)]
)
def test_golden_entropies(logits, expected):
    assert normalized_entropy(np.array(logits, dtype=float)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("logits", "expected"), [((0, 0), 0.5), ((1, -1), 0.880797), ((0, 0, 0), 1 / 3), ((9, -9), 1)])
def test_golden_softmax_scores(logits, expected):
    assert softmax_score(np.array(logits, dtype=float)) == pytest.approx(expected, abs=1e-6)


@EACH
@given(logits=logits_arrays())
def test_torch_and_numpy_agree(signal, logits):
    with_torch = signal.score(torch.from_numpy(logits))
    np.testing.assert_allclose(with_torch.numpy(), signal.score(logits), rtol=1e-12, atol=1e-15)
    assert with_torch.shape == logits.shape[:-1]


@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_precision_of_the_logits_is_kept(signal, dtype):
    logits = np.array([[1.0, 2.0]], dtype=dtype)
    assert signal.score(logits).dtype == dtype
    assert str(signal.score(torch.from_numpy(logits)).dtype) == f"torch.{np.dtype(dtype).name}"


@EACH
@CLASSES
def test_values_and_gradients_are_finite_for_huge_logits_in_float32(signal, num_classes):
    sizes = (-1e4, -200.0, -90.0, -1.0, 0.0, 1.0, 90.0, 200.0, 1e4)
    logits = torch.cartesian_prod(*[torch.tensor(sizes)] * num_classes).requires_grad_()
    scores = signal.score(logits)
    (gradient,) = torch.autograd.grad(scores.sum(), logits)
    assert scores.isfinite().all() and gradient.isfinite().all()
    low, high = signal.range(num_classes)
    assert scores.min() >= low - 1e-6 and scores.max() <= high + 1e-6


@CLASSES
def test_normalized_energy_is_the_sigmoid_of_minus_logsumexp(num_classes):
    logits = random_logits(num_classes, 10.0)
    expected = torch.sigmoid(-torch.logsumexp(logits, -1))
    torch.testing.assert_close(normalized_energy(logits), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(energy(logits), -torch.logsumexp(logits, -1), rtol=1e-12, atol=1e-12)


@CLASSES
def test_gradients_are_the_analytic_ones(num_classes):
    logits = random_logits(num_classes).requires_grad_()
    p = torch.softmax(logits, -1).detach()
    energies = torch.sigmoid(-torch.logsumexp(logits, -1)).detach()[:, None]
    entropies = -(p * p.log()).sum(-1, keepdim=True)
    top = torch.nn.functional.one_hot(p.argmax(-1), num_classes)
    expected = {
        "energy": -energies * (1 - energies) * p,
        "entropy": -p * (p.log() + entropies) / log(num_classes),
        "softmax": p.amax(-1, keepdim=True) * (top - p),
    }
    for name, gradient in expected.items():
        (found,) = torch.autograd.grad(SIGNALS[name].score(logits).sum(), logits)
        torch.testing.assert_close(found, gradient, rtol=1e-9, atol=1e-13)


@EACH
@CLASSES
def test_the_range_is_attained_but_not_left(signal, num_classes):
    low, high = signal.range(num_classes)
    logits = np.concatenate([random_logits(num_classes, scale).numpy() for scale in (0.1, 1, 10, 100)])
    extremes = np.array([[0.0] * num_classes, [40.0] + [-40.0] * (num_classes - 1), [-40.0] * num_classes])
    assert signal.score(logits).min() >= low - 1e-12 and signal.score(logits).max() <= high + 1e-12
    assert signal.score(extremes).min() == pytest.approx(low, abs=1e-9)
    assert signal.score(extremes).max() == pytest.approx(high, abs=1e-9)


@EACH
@CLASSES
def test_a_more_decided_sample_is_easier(signal, num_classes):
    top = np.linspace(0, 8, 50)
    scores = signal.score(np.stack([top, *[np.zeros_like(top)] * (num_classes - 1)], axis=-1))
    change = np.diff(scores)
    assert (change < 0).all() if signal.harder_is == "larger" else (change > 0).all()


@given(logits=logits_arrays(10.0), shift=st.floats(0.5, 20))
def test_only_energy_sees_a_shift_of_all_logits(logits, shift):
    np.testing.assert_allclose(normalized_entropy(logits + shift), normalized_entropy(logits), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(softmax_score(logits + shift), softmax_score(logits), rtol=1e-9)
    assert (normalized_energy(logits + shift) < normalized_energy(logits)).all()


@given(logits=logits_arrays(1e4))
def test_log_softmax_sums_to_one(logits):
    assert np.exp(log_softmax(logits)).sum(-1) == pytest.approx(1)


def test_the_module_imports_neither_torch_nor_pandas():
    code = "import sys, cosee.exiting.signals; print(sorted({'torch', 'pandas', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
