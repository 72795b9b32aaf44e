import math

import numpy as np
import pytest
import torch
from helpers.objectives import CPU, FakeModel, M, NoWaiting, batch_of, random_labels, random_logits
from torch.nn import functional as F

from cosee.exiting.signals import SIGNALS
from cosee.methods import cosee as cosee_module
from cosee.methods.cosee import Cosee
from cosee.training.schedule import Schedule

K = 5
EACH_SIGNAL = pytest.mark.parametrize("signal", SIGNALS)


def seen_thresholds(monkeypatch):
    """A list that collects the thresholds of every step."""
    seen, original = [], cosee_module.simulate_exits

    def spy(signal, thresholds, harder_is):
        seen.append(thresholds.tolist())
        return original(signal, thresholds, harder_is)

    monkeypatch.setattr(cosee_module, "simulate_exits", spy)
    return seen


def loss_by_loops(logits, labels, thresholds, method, beta):
    """Eq. 1-11 as printed: one threshold, one sample and one exit at a time, in double precision."""
    logits = logits.double().tolist()
    signals, cross_entropy, correct = [], [], []
    for n, exits in enumerate(logits):
        signals.append([]), cross_entropy.append([]), correct.append([])
        for f in exits:
            total = sum(math.exp(x) for x in f)
            p = [math.exp(x) / total for x in f]
            signals[n].append(
                {
                    "energy": 1 / (1 + total),
                    "entropy": -sum(q * math.log(q) for q in p) / math.log(len(p)),
                    "softmax": max(p),
                }[method.signal]
            )
            cross_entropy[n].append(-math.log(p[labels[n]]))
            correct[n].append(p.index(max(p)) == labels[n])
    larger = method.signal != "softmax"
    loss_ce = 0.0
    for threshold in thresholds:
        for n in range(len(logits)):
            fires = [m for m in range(M - 1) if (signals[n][m] < threshold if larger else signals[n][m] > threshold)]
            exit_layer = fires[0] if fires else M - 1
            decay = [math.exp(-beta * abs(m - exit_layer)) for m in range(M)]
            loss_ce += sum(d / sum(decay) * ce for d, ce in zip(decay, cross_entropy[n], strict=True))
    loss_ce /= len(thresholds) * len(logits)
    hinges = []
    for m in range(M - 1):
        easy = [signals[n][m] for n in range(len(logits)) if correct[n][m]]
        hard = [signals[n][m] for n in range(len(logits)) if not correct[n][m]]
        if easy and hard:
            gap = sum(easy) / len(easy) - sum(hard) / len(hard)
            hinges.append(max(0.0, (gap if larger else -gap) + method.margin))
    loss_osc = sum(hinges) / (max(1, len(hinges)) if method.osc_average == "present" else M - 1)
    return loss_ce, loss_osc


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_without_alpha_and_beta_it_is_the_mean_cross_entropy_of_all_exits(margin):
    logits, labels = random_logits().requires_grad_(), random_labels()
    objective = Cosee(alpha=0.0, beta0=0.0, margin=margin).objective(Schedule(10, 2), 0, CPU)
    mean = sum(F.cross_entropy(logits[:, m], labels) for m in range(M)) / M
    (expected,) = torch.autograd.grad(mean, logits)
    for step in (0, 7, 19):
        loss, parts = objective(FakeModel(logits), batch_of(labels), step)
        (gradient,) = torch.autograd.grad(loss, logits)
        torch.testing.assert_close(loss, mean)
        torch.testing.assert_close(gradient, expected)
        assert parts["mean_ce"] == loss


def test_the_general_path_has_the_same_loss_and_gradient_as_alpha_and_beta_vanish():
    logits, labels = random_logits().requires_grad_(), random_labels()
    found = []
    for settings in ({"alpha": 0.0, "beta0": 0.0}, {"alpha": 0.0, "beta0": 1e-12}, {"alpha": 1e-12, "beta0": 0.0}):
        loss, _ = Cosee(**settings).objective(Schedule(10, 2), 0, CPU)(FakeModel(logits), batch_of(labels), 19)
        found.append((loss, *torch.autograd.grad(loss, logits)))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-6, atol=1e-7)


@EACH_SIGNAL
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("osc_average", ["present", "all"])
def test_the_whole_objective_equals_naive_loops(signal, classes, osc_average, monkeypatch):
    method = Cosee(signal=signal, alpha=0.7, beta0=1.5, margin=0.3, num_thresholds=K, osc_average=osc_average)
    objective, thresholds = method.objective(Schedule(4, 2), 3, CPU), seen_thresholds(monkeypatch)
    for step in range(8):
        logits, labels = random_logits(step, classes), random_labels(step, classes)
        loss, parts = objective(FakeModel(logits), batch_of(labels), step)
        loss_ce, loss_osc = loss_by_loops(logits, labels.tolist(), thresholds[-1], method, 1.5 * step / 8)
        assert parts["loss_ce"].item() == pytest.approx(loss_ce, rel=1e-6, abs=1e-6)
        assert parts["loss_osc"].item() == pytest.approx(loss_osc, rel=1e-6, abs=1e-6)
        assert loss.item() == pytest.approx(loss_ce + 0.7 * loss_osc, rel=1e-6, abs=1e-6)
        if step == 3:
            objective.end_epoch()


def test_the_two_averages_of_the_calibration_loss_differ():
    logits, labels = random_logits(), random_labels()
    logits[:, 0] = 3.0 * F.one_hot(labels, 2)  # exit 1 is right on all samples
    logits[:, 1] = logits[:, 2] = torch.tensor([1.0, 0.0])  # exits 2 and 3 on some
    parts = {
        average: Cosee(osc_average=average).objective(Schedule(4, 2), 0, CPU)(FakeModel(logits), batch_of(labels), 0)[1]
        for average in ("present", "all")
    }
    assert parts["present"]["loss_osc"].item() == pytest.approx(1.5 * parts["all"]["loss_osc"].item(), rel=1e-6)


def test_the_decay_grows_from_zero_to_almost_its_final_value():
    objective = Cosee(beta0=10.0).objective(Schedule(5, 4), 0, CPU)
    model, batch = FakeModel(random_logits()), batch_of(random_labels())
    betas = [objective(model, batch, step)[1]["beta"].item() for step in range(20)]
    np.testing.assert_allclose(betas, 10.0 * np.arange(20) / 20, rtol=1e-6)
    first = objective(model, batch, 0)[1]
    assert first["loss_ce"].item() == pytest.approx(first["mean_ce"].item(), rel=1e-6)  # the first step is uniform


@EACH_SIGNAL
def test_thresholds_are_fresh_every_step_and_the_same_for_the_same_seed(signal, monkeypatch):
    thresholds = seen_thresholds(monkeypatch)
    model, batch = FakeModel(random_logits()), batch_of(random_labels())

    def drawn(seed, steps=range(6)):
        thresholds.clear()
        objective = Cosee(signal=signal, num_thresholds=K).objective(Schedule(6, 2), seed, CPU)
        for step in steps:
            objective(model, batch, step)
        return list(thresholds)

    first = drawn(1)
    assert {len(row) for row in first} == {K}
    assert len({value for row in first for value in row}) == 6 * K
    assert drawn(1) == first and drawn(2) != first
    assert drawn(1, [4]) == first[4:5]  # a step's draw does not depend on the steps before it
    assert all(0 <= value <= 1 for row in first for value in row)


@EACH_SIGNAL
def test_the_thresholds_of_an_epoch_span_the_signals_of_the_one_before(signal, monkeypatch):
    objective, thresholds = (
        Cosee(signal=signal, num_thresholds=200).objective(Schedule(3, 3), 0, CPU),
        seen_thresholds(monkeypatch),
    )
    low, high = 0.0, 1.0
    for epoch in range(3):
        signals = []
        for position in range(3):
            logits = random_logits(10 * epoch + position) / (epoch + 1)
            _, parts = objective(FakeModel(logits), batch_of(random_labels()), 3 * epoch + position)
            assert parts["threshold_low"].item() == pytest.approx(low)
            assert parts["threshold_high"].item() == pytest.approx(high)
            assert low <= min(thresholds[-1]) < low + 0.05 * (high - low)
            assert high - 0.05 * (high - low) < max(thresholds[-1]) <= high
            signals.append(SIGNALS[signal].score(logits[:, :-1]))  # the last exit plays no part
        low, high = torch.stack(signals).min().item(), torch.stack(signals).max().item()
        objective.end_epoch()


def test_the_state_carries_the_range_over_to_another_process(monkeypatch):
    thresholds = seen_thresholds(monkeypatch)
    first, second = (Cosee().objective(Schedule(3, 3), 0, CPU) for _ in range(2))
    for step in range(4):
        first(FakeModel(random_logits(step)), batch_of(random_labels()), step)
        if step == 2:
            first.end_epoch()
    second.restore({name: value.clone() for name, value in first.state().items()})
    for objective in (first, second):
        objective(FakeModel(random_logits(9)), batch_of(random_labels()), 4)
        objective.end_epoch()
    assert thresholds[-1] == thresholds[-2]
    assert torch.equal(first.state()["range"], second.state()["range"])


def test_calibration_reaches_the_logits_and_weighting_does_not_add_to_it():
    logits, labels = random_logits().requires_grad_(), random_labels()
    gradients = []
    for alpha in (0.0, 1.0):
        loss, _ = Cosee(alpha=alpha, beta0=1.0).objective(Schedule(10, 1), 0, CPU)(
            FakeModel(logits), batch_of(labels), 9
        )
        gradients.append(torch.autograd.grad(loss, logits)[0])
    assert (gradients[0] - gradients[1])[:, :-1].abs().max() > 1e-4
    torch.testing.assert_close(gradients[0][:, -1], gradients[1][:, -1])  # the last exit is not calibrated


def test_bf16_logits_are_weighed_in_float32():
    logits, labels = random_logits().bfloat16(), random_labels()
    loss, parts = Cosee().objective(Schedule(10, 1), 0, CPU)(FakeModel(logits), batch_of(labels), 5)
    assert {loss.dtype, *(part.dtype for part in parts.values())} == {torch.float32}


def test_saturated_logits_give_finite_losses_and_gradients():
    for signal in SIGNALS:
        logits = (random_logits() * 5000).requires_grad_()
        loss, _ = Cosee(signal=signal, alpha=1.0).objective(Schedule(10, 1), 0, CPU)(
            FakeModel(logits), batch_of(random_labels()), 5
        )
        (gradient,) = torch.autograd.grad(loss, logits)
        assert loss.isfinite() and gradient.isfinite().all()


@EACH_SIGNAL
def test_a_step_does_not_wait_for_the_device(signal):
    objective = Cosee(signal=signal).objective(Schedule(3, 2), 0, CPU)
    logits, batch = random_logits().requires_grad_(), batch_of(random_labels())
    with NoWaiting():
        for step in range(6):
            loss, _ = objective(FakeModel(logits), batch, step)
            loss.backward()
            if step == 2:
                objective.end_epoch()
    assert logits.grad.abs().sum() > 0


@EACH_SIGNAL
def test_a_step_runs_where_no_value_can_be_read_at_all(signal):
    meta = torch.device("meta")
    objective = Cosee(signal=signal).objective(Schedule(3, 2), 0, meta)
    loss, parts = objective(FakeModel(random_logits().to(meta)), batch_of(random_labels().to(meta)), 4)
    assert {loss.device, *(part.device for part in parts.values())} == {meta}
