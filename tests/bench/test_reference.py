"""The reference step gives the loss of the training loop."""

import numpy as np
import pytest
import torch
from helpers.tiny import token_split

from cosee.bench.reference import collate, exits_one_by_one, looped_loss, padded_example
from cosee.data.batches import DeviceSplit
from cosee.exiting.signals import SIGNALS
from cosee.methods.cosee import Cosee
from cosee.models.loading import load_backbone
from cosee.training.schedule import Schedule

CPU = torch.device("cpu")
SPLIT = token_split(24)


def reference_batch(rows, length=20):
    return collate([padded_example(SPLIT, row, length, 0) for row in rows], CPU)


def test_rows_are_padded_to_the_length_asked_for():
    rows = [3, 0, 7]
    ours, reference = DeviceSplit(SPLIT, CPU).batch(np.array(rows)), reference_batch(rows)
    assert reference.input_ids.shape == (3, 20)
    longest = ours.input_ids.shape[1]
    for name in ("input_ids", "token_type_ids", "attention_mask"):
        assert torch.equal(getattr(reference, name)[:, :longest].long(), getattr(ours, name).long())
        assert not getattr(reference, name)[:, longest:].any()
    assert torch.equal(reference.labels, ours.labels)


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("osc_average", ["present", "all"])
def test_loss_and_gradients_are_those_of_the_objective(signal, osc_average, tiny_bert):
    method = Cosee(signal=signal, alpha=0.5, beta0=3.0, osc_average=osc_average, num_thresholds=4)
    model = method.build(load_backbone(tiny_bert), 2, 0).eval()  # no dropout, whose draws would differ
    objective, step, rows = method.objective(Schedule(9, 1), 0, CPU), 4, list(range(12))
    if signal == "softmax":
        objective.range = torch.tensor([0.5, 0.9])
    loss, parts = objective(model, DeviceSplit(SPLIT, CPU).batch(np.array(rows)), step)
    loss.backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    assert parts["loss_osc"] > 0

    model.zero_grad()
    batch, thresholds = reference_batch(rows), objective._thresholds(step).tolist()
    looped = looped_loss(exits_one_by_one(model, batch), batch.labels, method, thresholds, 3.0 * step / 9)
    looped.backward()
    assert looped.item() == pytest.approx(loss.item(), rel=1e-5)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-6)


def test_without_right_or_without_wrong_samples_nothing_is_calibrated():
    logits = [torch.tensor([[3.0, 0.0], [2.0, 0.0]])] * 3
    method = Cosee(alpha=7.0)
    right, wrong = torch.zeros(2, dtype=torch.int64), torch.ones(2, dtype=torch.int64)
    for labels in (right, wrong):
        expected = torch.nn.functional.cross_entropy(logits[0], labels)
        assert looped_loss(logits, labels, method, [0.1], 0.0) == pytest.approx(expected.item())
