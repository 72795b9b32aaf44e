import numpy as np
import pytest
import torch
from helpers.objectives import FakeModel, NoWaiting, batch_of, random_labels, random_logits
from helpers.training import SEL, Killed, assert_same, die_after, run, spying

from cosee.data.tasks import TASKS
from cosee.evaluation.tradeoff import tradeoff_curve
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers
from cosee.methods.cosee import Cosee
from cosee.methods.pabee import Pabee
from cosee.models.loading import load_backbone
from cosee.models.prediction import predict
from cosee.training.schedule import Schedule

CPU = torch.device("cpu")


def loss_of(logits, labels):
    return Pabee().objective(Schedule(10, 1), 0, CPU)(FakeModel(logits), batch_of(labels), 0)


@pytest.mark.parametrize("exits", [1, 2, 12])
def test_the_loss_weighs_exits_by_their_depth(exits):
    logits, labels = random_logits(exits=exits, classes=3), random_labels(classes=3)
    loss, parts = loss_of(logits, labels)
    cross_entropies = [
        [torch.logsumexp(row[m], 0) - row[m, label] for row, label in zip(logits, labels, strict=True)]
        for m in range(exits)
    ]
    means = [sum(column).item() / len(labels) for column in cross_entropies]
    weights = [depth / (exits * (exits + 1) / 2) for depth in range(1, exits + 1)]
    assert loss.item() == pytest.approx(sum(w * mean for w, mean in zip(weights, means, strict=True)), rel=1e-5)
    assert parts["loss_ce"] == loss
    assert parts["mean_ce"].item() == pytest.approx(sum(means) / exits, rel=1e-5)


def test_twelve_exits_share_78_parts_of_the_gradient():
    logits = torch.zeros(1, 12, 2, requires_grad=True)
    loss, _ = loss_of(logits, torch.tensor([1]))
    (gradient,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(gradient[0, :, 0] / 0.5, torch.arange(1, 13) / 78)


def test_the_loss_is_finite_in_float32_whatever_the_logits():
    for logits in (random_logits().bfloat16(), random_logits() * 5000):
        loss, parts = loss_of(logits, random_labels())
        assert {loss.dtype, *(part.dtype for part in parts.values())} == {torch.float32}
        assert loss.isfinite()


@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])
def test_its_model_is_that_of_the_other_methods_with_linear_exits(kind, request):
    folder = request.getfixturevalue(kind)
    own, other = (method.build(load_backbone(folder), 3, 7).state_dict() for method in (Pabee(), Cosee()))
    assert own.keys() == other.keys() and all(torch.equal(own[name], other[name]) for name in own)


def test_golden_losses_of_the_first_steps(tiny_bert, tmp_path):
    without_dropout = spying(lambda model, *_: model.eval())
    history = run(tiny_bert, Pabee(), tmp_path / "state", epochs=1, wrap=without_dropout)[1]
    np.testing.assert_allclose(history["loss"], [0.690782, 0.672981, 0.709201, 0.791779, 0.690248], rtol=1e-4)


def test_a_killed_run_resumes_as_if_it_had_not_been(tiny_bert, tmp_path):
    expected = run(tiny_bert, Pabee(), tmp_path / "whole", epochs=1)
    with pytest.raises(Killed):
        run(tiny_bert, Pabee(), tmp_path / "state", progress=die_after(3), save_minutes=0.0, epochs=1)
    assert_same(run(tiny_bert, Pabee(), tmp_path / "state", epochs=1), expected)


def test_it_learns_and_waiting_longer_costs_layers(tiny_bert, tmp_path):
    weights, history, facts = run(tiny_bert, Pabee(), tmp_path / "state", epochs=12)
    assert history["mean_ce"][-10:].mean() < 0.7 * history["mean_ce"][:10].mean()
    assert facts["sel_score"] >= 0.8

    model, rule = Pabee().build(load_backbone(tiny_bert), 2, 0), RULES["patience"]
    model.load_state_dict(weights)
    logits, labels = predict(model, SEL, 64).logits, SEL.labels.numpy()
    scores = rule.score(logits[:, :-1], None)
    layers = exit_layers(scores, np.arange(1, 5) - 0.5, rule.harder_is)  # patience 1 to 4, of 4 exits
    assert [row.min() for row in layers] == [1, 2, 3, 3]
    assert (layers[2:] == 3).all()
    curve = tradeoff_curve(scores, logits.argmax(axis=-1), labels, rule.harder_is, TASKS["sst2"])
    assert curve["speedup"].iloc[0] == 1 and 1.5 < curve["speedup"].iloc[-1] <= 2  # there is no patience of 0
    assert curve["accuracy"].iloc[0] >= 0.8


def test_a_step_does_not_wait_for_the_device():
    logits = random_logits().requires_grad_()
    with NoWaiting():
        loss, _ = loss_of(logits, random_labels())
        loss.backward()
    assert logits.grad.abs().sum() > 0
