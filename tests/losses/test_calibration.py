import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cosee.losses.calibration import signal_calibration_loss


def loss_by_loops(signal, correct, margin, harder_is, average):
    """Eq. 6-8 as printed, exit by exit."""
    total, present = 0.0, 0
    for m in range(signal.shape[1]):
        easy = [float(s) for s, right in zip(signal[:, m], correct[:, m], strict=True) if right]
        hard = [float(s) for s, right in zip(signal[:, m], correct[:, m], strict=True) if not right]
        if not easy or not hard:
            continue
        gap = sum(easy) / len(easy) - sum(hard) / len(hard)
        total += max(0.0, (gap if harder_is == "larger" else -gap) + margin)
        present += 1
    return total / (max(present, 1) if average == "present" else signal.shape[1])


def random_case(seed, samples=9, internal=6):
    generator = torch.Generator().manual_seed(seed)
    signal = torch.rand(samples, internal, dtype=torch.float64, generator=generator)
    correct = torch.rand(samples, internal, generator=generator) < torch.rand(internal, generator=generator)
    return signal, correct


def test_golden_value():
    signal = torch.tensor([[0.05], [0.10], [0.2], [0.25], [0.3]])
    correct = torch.tensor([[True], [True], [False], [False], [False]])
    assert signal_calibration_loss(signal, correct, 0.3, "larger").item() == pytest.approx(0.125, abs=1e-7)


def test_the_two_averages_differ_where_an_exit_has_only_one_kind():
    signal = torch.tensor([[0.1, 0.7, 0.2], [0.3, 0.9, 0.4]])
    correct = torch.tensor([[True, True, False], [False, True, True]])
    # Exit 1: 0.1 - 0.3 + 0.3 = 0.1; exit 2 has no wrong sample; exit 3: 0.4 - 0.2 + 0.3 = 0.5.
    assert signal_calibration_loss(signal, correct, 0.3, "larger", "present").item() == pytest.approx(0.6 / 2)
    assert signal_calibration_loss(signal, correct, 0.3, "larger", "all").item() == pytest.approx(0.6 / 3)


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("average", ["present", "all"])
def test_a_batch_of_one_kind_gives_zero_loss_and_zero_gradient(right, average):
    signal = torch.rand(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = signal_calibration_loss(signal, torch.full((4, 3), right), 0.3, "larger", average)
    (gradient,) = torch.autograd.grad(loss, signal)
    assert loss.item() == 0
    assert torch.equal(gradient, torch.zeros(4, 3))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("harder_is", ["larger", "smaller"])
@pytest.mark.parametrize("average", ["present", "all"])
def test_equals_the_loop(seed, harder_is, average):
    signal, correct = random_case(seed)
    found = signal_calibration_loss(signal, correct, 0.3, harder_is, average)
    assert found.item() == pytest.approx(loss_by_loops(signal, correct, 0.3, harder_is, average), abs=1e-12)


def test_equations_7_and_8_mirror_each_other():
    signal, correct = random_case(3)
    larger = signal_calibration_loss(signal, correct, 0.3, "larger")
    torch.testing.assert_close(larger, signal_calibration_loss(1 - signal, correct, 0.3, "smaller"))
    assert larger != signal_calibration_loss(signal, correct, 0.3, "smaller")


@given(
    st.integers(0, 2**31), st.floats(-1, 1), st.sampled_from(["larger", "smaller"]), st.sampled_from(["present", "all"])
)
def test_is_never_negative(seed, margin, harder_is, average):
    signal, correct = random_case(seed)
    assert signal_calibration_loss(signal, correct, margin, harder_is, average) >= 0


def test_descent_moves_right_and_wrong_samples_apart_by_the_margin():
    signal = torch.full((4, 1), 0.5, dtype=torch.float64).requires_grad_()
    correct = torch.tensor([[True], [True], [False], [False]])
    optimizer = torch.optim.SGD([signal], lr=0.01)
    for _ in range(200):
        optimizer.zero_grad()
        signal_calibration_loss(signal, correct, 0.3, "larger").backward()
        optimizer.step()
    means = signal.detach()[correct].mean(), signal.detach()[~correct].mean()
    assert means[1] - means[0] == pytest.approx(0.3, abs=0.02)
