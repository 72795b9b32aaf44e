"""Settings of COSEE beyond the paper: a measured initial range, and weights without consistency per example."""

import copy

import numpy as np
import pytest
import torch
from helpers.objectives import CPU, FakeModel, batch_of, random_labels, random_logits
from helpers.tiny import token_split
from helpers.training import FIT, Killed, assert_same, die_after, fresh, run

from cosee.data.batches import DeviceSplit
from cosee.exiting.signals import SIGNALS
from cosee.methods import cosee as cosee_module
from cosee.methods import make_method
from cosee.methods.cosee import Cosee
from cosee.training.schedule import Schedule

MEASURED = Cosee(alpha=0.5, beta0=2.0, initial_range="measured")


def measure(folder, method=MEASURED, seed=0, fit=FIT):
    """The range [2] that a fresh model in training mode starts with."""
    objective = method.objective(Schedule(5, 2), seed, CPU)
    model = copy.deepcopy(fresh(method, folder, seed)).train()
    objective.begin_stage(0, model, fit)
    return objective.state()["range"], model


# --- initial range ----------------------------------------------------------------------------------------------------


def test_the_default_is_the_range_of_the_paper(tiny_bert):
    assert make_method("cosee", {}).initial_range == "unit"
    found, _ = measure(tiny_bert, Cosee())
    assert found.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_measured_range_is_that_of_the_untrained_signals(signal, tiny_bert, monkeypatch):
    method = Cosee(signal=signal, initial_range="measured", dropout=0.0)
    found, model = measure(tiny_bert, method)
    model.eval()  # the encoder's own dropout apart, this is what was measured
    with torch.no_grad():
        signals = SIGNALS[signal].score(model(FIT.batch(np.arange(len(FIT))))[:, :-1])
    assert found[0] < found[1]
    assert found[0].item() == pytest.approx(signals.min().item(), abs=0.05)
    assert found[1].item() == pytest.approx(signals.max().item(), abs=0.05)


def test_an_energy_of_two_classes_is_measured_far_below_one(tiny_bert):
    found, _ = measure(tiny_bert)
    assert 0 < found[0] < found[1] < 0.5  # 1/3 for logits of 0


def test_the_measurement_is_made_with_dropout_from_a_stream_of_its_own(tiny_bert):
    first, _ = measure(tiny_bert)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    again, model = measure(tiny_bert)
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training
    assert not torch.equal(
        first, measure(tiny_bert, Cosee(alpha=0.5, beta0=2.0, initial_range="measured", dropout=0))[0]
    )
    assert not torch.equal(first, measure(tiny_bert, seed=1)[0])


def test_the_measurement_reads_a_bounded_number_of_examples_in_small_batches(tiny_bert, monkeypatch):
    monkeypatch.setattr(cosee_module, "MEASURED_EXAMPLES", 11)
    monkeypatch.setattr(cosee_module, "MEASURED_BATCH", 4)
    sizes, seen = [], []

    class Watched(DeviceSplit):
        def batch(self, rows):
            sizes.append(len(rows))
            seen.extend(rows.tolist())
            return super().batch(rows)

    measure(tiny_bert, fit=Watched(token_split(40), CPU))
    assert sizes == [4, 4, 3]
    assert len(set(seen)) == 11


def test_the_first_epoch_draws_its_thresholds_from_the_measured_range(tiny_bert, tmp_path):
    _, history, _ = run(tiny_bert, MEASURED, tmp_path / "state")
    found, _ = measure(tiny_bert)
    first = history[history["epoch"] == 1]
    assert set(first["threshold_low"]) == {found[0].item()}
    assert set(first["threshold_high"]) == {found[1].item()}
    assert set(history.loc[history["epoch"] == 2, "threshold_high"]) != {found[1].item()}


def test_training_meets_the_same_random_numbers_with_and_without_the_measurement(tiny_bert, tmp_path):
    # Without a decay factor the thresholds have no effect: everything but their range must be the same.
    _, plain, _ = run(tiny_bert, Cosee(alpha=0.5, beta0=0.0), tmp_path / "plain")
    measured = Cosee(alpha=0.5, beta0=0.0, initial_range="measured")
    _, with_measurement, _ = run(tiny_bert, measured, tmp_path / "measured")
    assert plain["loss"].tolist() == with_measurement["loss"].tolist()


@pytest.mark.parametrize("saves", [1, 3, 6])
def test_a_killed_run_keeps_the_range_that_it_measured(saves, tiny_bert, tmp_path):
    with pytest.raises(Killed):
        run(tiny_bert, MEASURED, tmp_path / "state", progress=die_after(saves), save_minutes=0.0)
    resumed = run(tiny_bert, MEASURED, tmp_path / "state")
    assert_same(resumed, run(tiny_bert, MEASURED, tmp_path / "uninterrupted"))


# --- weights without consistency --------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0, 5, 9])
def test_static_weights_give_the_loss_of_the_mean_weights(step, monkeypatch):
    logits, labels = random_logits(), random_labels()
    seen = []
    original = cosee_module.weighted_cross_entropy

    def spy(cross_entropy, weights):
        seen.append(weights)
        return original(cross_entropy, weights)

    monkeypatch.setattr(cosee_module, "weighted_cross_entropy", spy)
    for sample_wise in (True, False):
        objective = Cosee(beta0=10.0, sample_wise=sample_wise).objective(Schedule(10, 1), 0, CPU)
        objective(FakeModel(logits), batch_of(labels), step)
    own, static = seen
    torch.testing.assert_close(static, own.mean(dim=0, keepdim=True).expand_as(own))
    assert (step == 0) == torch.allclose(own, static)  # uniform in the first step, consistent per example later


def test_static_weights_need_the_setting():
    assert make_method("cosee", {}).sample_wise is True
