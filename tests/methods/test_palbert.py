import numpy as np
import pytest
import torch
from helpers.halting import FakeModel, loss_by_loops, random_lambdas
from helpers.objectives import NoWaiting, batch_of, random_labels, random_logits
from helpers.tiny import HIDDEN, LAYERS, token_split
from helpers.training import CPU, FIT, SEL, Killed, assert_same, die_after, run, spying
from torch.nn import functional as F

from cosee.data.batches import DeviceSplit
from cosee.exiting.online import early_exit
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers, threshold_for_speedup
from cosee.methods.finetune import Finetune
from cosee.methods.palbert import Palbert
from cosee.methods.pondernet import halting_head
from cosee.models.loading import load_backbone
from cosee.models.multi_exit import count_parameters
from cosee.models.prediction import predict
from cosee.training.schedule import Schedule

QUANTILE = RULES["quantile"]
WIDE = 2 * HIDDEN


@pytest.mark.parametrize(
    ("settings", "kl", "last_takes_rest"),
    [({}, "paper", True), ({"kl": "code", "last_takes_rest": False}, "code", False)],
)
def test_the_loss_is_the_papers_or_that_of_the_released_code(settings, kl, last_takes_rest):
    logits, lambdas, labels = random_logits(), random_lambdas(), random_labels()
    objective = Palbert(**settings).objective(Schedule(1, 1), 0, CPU)
    loss, parts = objective(FakeModel(logits, lambdas), batch_of(labels), 0)
    loss_ce, loss_kl, _, mass = loss_by_loops(logits, lambdas, labels.tolist(), 0.1, kl, last_takes_rest)
    assert loss.item() == pytest.approx(loss_ce + 0.5 * loss_kl, rel=1e-5)
    assert parts["mass"].item() == pytest.approx(mass, rel=1e-5)


@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])
def test_the_halting_head_sees_this_pooled_state_and_the_one_before(kind, request):
    model = Palbert().build(load_backbone(request.getfixturevalue(kind)), 3, 0).eval()
    states = model.states(FIT.batch(np.arange(6)))
    logits, lambdas = model.exits(states, model.backbone)
    linears = [layer for layer in model.exits.halting if isinstance(layer, torch.nn.Linear)]
    before = torch.zeros(6, HIDDEN)
    for index in range(LAYERS):
        pooled = model.backbone.pool(states[:, index])
        hidden = torch.cat([pooled, before], dim=1)
        for layer in linears[:-1]:
            hidden = torch.tanh(hidden @ layer.weight.T + layer.bias)
        expected = torch.sigmoid(hidden @ linears[-1].weight[0] + linears[-1].bias)
        torch.testing.assert_close(lambdas[:, index], expected)
        torch.testing.assert_close(logits[:, index], F.linear(pooled, model.exits.weight, model.exits.bias))
        before = pooled


@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])
def test_online_exits_are_those_of_the_whole_model(kind, request):
    model = Palbert().build(load_backbone(request.getfixturevalue(kind)), 3, 0).eval()
    states, carry = model.states(FIT.batch(np.arange(6))), None
    logits, lambdas = model.exits(states, model.backbone)
    for index in range(LAYERS):
        here, carry = model.exits.forward_exit(index, states[:, index], model.backbone, carry)
        torch.testing.assert_close(here.logits, logits[:, index])
        torch.testing.assert_close(here.learned_scores, lambdas[:, index])
        assert carry.shape == (6, HIDDEN)


def test_all_exits_share_one_classifier_and_one_halting_mlp(tiny_bert):
    model, plain = Palbert().build(load_backbone(tiny_bert), 2, 0), Finetune().build(load_backbone(tiny_bert), 2, 0)
    assert torch.equal(model.exits.weight, plain.exits.weight[0])  # which begins as any other method's
    mlp = 3 * (WIDE**2 + WIDE) + WIDE + 1
    assert count_parameters(model.exits) == 2 * HIDDEN + 2 + mlp
    flops = 2 * (HIDDEN**2 + 2 * HIDDEN + 3 * WIDE**2 + WIDE)
    assert {model.exits.flops(index, model.backbone) for index in range(LAYERS)} == {flops}


def test_the_halting_mlp_of_bert_base_has_seven_million_parameters():
    assert count_parameters(halting_head(1536, 3, torch.Generator())) == 7_084_033


def test_dropout_does_not_touch_what_is_predicted(tiny_bert):
    model = Palbert(dropout=0.5).build(load_backbone(tiny_bert), 2, 0)
    first, second = (predict(model, FIT, 16) for _ in range(2))
    np.testing.assert_array_equal(first.learned_scores, second.learned_scores)
    assert model.training


def test_golden_losses_of_the_first_steps(tiny_bert, tmp_path):
    without_dropout = spying(lambda model, *_: model.eval())  # which differs between builds of torch
    history = run(tiny_bert, Palbert(), tmp_path / "state", epochs=1, wrap=without_dropout)[1]
    np.testing.assert_allclose(history["loss"], [1.072718, 0.869968, 0.784877, 0.845057, 0.717086], rtol=1e-4)


def test_it_learns_and_its_quantile_trades_speed_for_accuracy(tiny_bert, tmp_path):
    method = Palbert(beta=0.3)
    more = {"fit": DeviceSplit(token_split(120), CPU), "learning_rate": 0.005, "epochs": 12}
    weights, history, _ = run(tiny_bert, method, tmp_path / "state", **more)
    assert history["loss_ce"][-10:].mean() < 0.5 * history["loss_ce"][:10].mean()
    model = method.build(load_backbone(tiny_bert), 2, 0)
    model.load_state_dict(weights)
    logits, lambdas = predict(model.eval(), SEL, 64)
    scores = QUANTILE.score(None, lambdas[:, :-1])
    speedups = []
    for target in (1.0, 4 / 3, 2.0, 4.0):
        threshold, _ = threshold_for_speedup(scores, target, QUANTILE.harder_is)
        layers = exit_layers(scores, threshold, QUANTILE.harder_is)
        right = logits[np.arange(len(layers)), layers].argmax(axis=-1) == SEL.labels.numpy()
        assert right.mean() >= (0.9 if target < 2 else 0.0)
        speedups.append(LAYERS / (layers + 1).mean())
        really = early_exit(model, SEL.batch(np.arange(24)), QUANTILE, threshold)[1]
        assert (really.numpy() == layers).mean() >= 23 / 24  # rounding may move a row that is on the threshold
    assert speedups == sorted(speedups) and speedups[0] == 1.0 and speedups[-1] == 4.0


def test_a_killed_run_resumes_as_if_it_had_not_been(tiny_bert, tmp_path):
    whole = run(tiny_bert, Palbert(), tmp_path / "whole")
    with pytest.raises(Killed):
        run(tiny_bert, Palbert(), tmp_path / "state", progress=die_after(3), save_minutes=0.0)
    assert_same(run(tiny_bert, Palbert(), tmp_path / "state"), whole)


def test_a_step_does_not_wait_for_the_device_and_all_new_parameters_learn(tiny_bert):
    model = Palbert().build(load_backbone(tiny_bert), 2, 0).train()
    objective = Palbert().objective(Schedule(9, 1), 0, CPU)
    with NoWaiting():
        loss, _ = objective(model, FIT.batch(np.arange(8)), 0)
        loss.backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.exits.parameters())
