import numpy as np
import pytest
import torch
from helpers.objectives import CPU, FakeModel, NoWaiting, batch_of, random_labels, random_logits
from helpers.tiny import token_split
from torch.nn import functional as F

from cosee.data.batches import DeviceSplit
from cosee.methods.finetune import Finetune
from cosee.models.loading import load_backbone
from cosee.training.schedule import Schedule


def test_finetune_minimizes_the_cross_entropy_of_its_one_exit():
    logits, labels = random_logits(exits=1), random_labels()
    loss, parts = Finetune().objective(Schedule(10, 3), 0, CPU)(FakeModel(logits), batch_of(labels), 0)
    assert loss.item() == pytest.approx(F.cross_entropy(logits[:, 0], labels).item(), rel=1e-6)
    assert parts["mean_ce"] == parts["loss_ce"] == loss


def test_finetune_of_some_layers_is_a_shorter_model(tiny_bert):
    model = Finetune(depth=2).build(load_backbone(tiny_bert), 2, 0)
    assert (model.backbone.num_layers, model.exit_depths, model.num_exits) == (2, (2,), 1)
    batch = DeviceSplit(token_split(5), CPU).batch(np.arange(5))
    full = Finetune().build(load_backbone(tiny_bert), 2, 0).eval()
    states = full.backbone.states(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    torch.testing.assert_close(model.eval()(batch), full.exits(states[:, 1:2], full.backbone).logits)


def test_a_step_does_not_wait_for_the_device():
    objective = Finetune().objective(Schedule(3, 2), 0, CPU)
    logits, batch = random_logits().requires_grad_(), batch_of(random_labels())
    with NoWaiting():
        for step in range(6):
            loss, _ = objective(FakeModel(logits), batch, step)
            loss.backward()
            if step == 2:
                objective.end_epoch()
    assert logits.grad.abs().sum() > 0


def test_a_step_runs_where_no_value_can_be_read_at_all():
    meta = torch.device("meta")
    objective = Finetune().objective(Schedule(3, 2), 0, meta)
    loss, parts = objective(FakeModel(random_logits().to(meta)), batch_of(random_labels().to(meta)), 4)
    assert {loss.device, *(part.device for part in parts.values())} == {meta}
