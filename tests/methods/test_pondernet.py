import math

import numpy as np
import pytest
import torch
from helpers.halting import FakeModel, loss_by_loops, random_lambdas
from helpers.objectives import NoWaiting, batch_of, random_labels, random_logits
from helpers.tiny import HIDDEN, LAYERS, token_split
from helpers.training import CPU, FIT, SEL, Killed, assert_same, die_after, run, spying

from cosee.data.batches import DeviceSplit
from cosee.exiting.rules import RULES, halted
from cosee.exiting.simulation import exit_layers
from cosee.losses.halting import log_halting_distribution
from cosee.methods import make_method
from cosee.methods.finetune import Finetune
from cosee.methods.pondernet import ExpectedLoss, PonderNet
from cosee.models.loading import load_backbone
from cosee.models.multi_exit import count_parameters
from cosee.models.prediction import predict
from cosee.training.schedule import Schedule

M = 4
SAMPLED = RULES["sampled"]


# --- the loss ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kl", ["paper", "code"])
@pytest.mark.parametrize("last_takes_rest", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_loss_is_that_of_naive_loops(kl, last_takes_rest, classes):
    logits, lambdas, labels = random_logits(1, classes), random_lambdas(), random_labels(1, classes)
    loss, parts = ExpectedLoss(0.7, 0.2, kl, last_takes_rest)(FakeModel(logits, lambdas), batch_of(labels), 0)
    loss_ce, loss_kl, mean_exit, mass = loss_by_loops(logits, lambdas, labels.tolist(), 0.2, kl, last_takes_rest)
    assert loss.item() == pytest.approx(loss_ce + 0.7 * loss_kl, rel=1e-5)
    found = [parts[name].item() for name in ("loss_ce", "loss_kl", "mean_exit", "mass")]
    assert found == pytest.approx([loss_ce, loss_kl, mean_exit, mass], rel=1e-5)
    assert (mass < 0.99) != last_takes_rest


def test_its_own_loss_has_the_papers_divergence_and_a_last_exit_that_takes_the_rest():
    logits, lambdas, labels = random_logits(), random_lambdas(), random_labels()
    objective = PonderNet(beta=0.3, lambda_p=0.4).objective(Schedule(1, 1), 0, CPU)
    loss, parts = objective(FakeModel(logits, lambdas), batch_of(labels), 0)
    loss_ce, loss_kl, *_ = loss_by_loops(logits, lambdas, labels.tolist(), 0.4, "paper", True)
    assert loss.item() == pytest.approx(loss_ce + 0.3 * loss_kl, rel=1e-5)
    assert parts["mass"].item() == pytest.approx(1)


def test_the_cross_entropy_alone_moves_the_exit_to_where_the_answer_is_right():
    labels = random_labels()
    logits = torch.zeros(8, M, 2)
    logits[torch.arange(8), 1, labels] = 5.0  # only the second exit knows
    lambdas = torch.full((8, M), 0.3, requires_grad=True)
    loss, _ = ExpectedLoss(0.0, 0.1, "paper", True)(FakeModel(logits, lambdas), batch_of(labels), 0)
    (gradient,) = torch.autograd.grad(loss, lambdas)
    assert (gradient[:, 0] > 0).all() and (gradient[:, 1] < 0).all()  # stay at the first, leave at the second


def test_the_divergence_alone_makes_the_prior_of_the_lambdas():
    raw = torch.randn(8, M, generator=torch.Generator().manual_seed(0), requires_grad=True)
    objective, optimizer = ExpectedLoss(1.0, 0.2, "paper", True), torch.optim.Adam([raw], lr=0.1)
    for _ in range(150):
        loss, _ = objective(FakeModel(torch.zeros(8, M, 2), raw.sigmoid()), batch_of(random_labels()), 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(raw.sigmoid()[:, :-1], torch.full((8, M - 1), 0.2), atol=0.01, rtol=0)
    assert loss.item() == pytest.approx(math.log(2), abs=1e-3)


# --- the exits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])
def test_online_exits_are_those_of_the_whole_model(kind, request):
    model = PonderNet().build(load_backbone(request.getfixturevalue(kind)), 3, 0).eval()
    states = model.states(FIT.batch(np.arange(6)))
    logits, lambdas = model.exits(states, model.backbone)
    assert logits.shape == (6, LAYERS, 3) and lambdas.shape == (6, LAYERS)
    for index in range(LAYERS):
        here, carry = model.exits.forward_exit(index, states[:, index], model.backbone, None)
        torch.testing.assert_close(here.logits, logits[:, index])
        torch.testing.assert_close(here.learned_scores, lambdas[:, index])
        assert carry is None


def test_all_exits_share_one_classifier_and_one_halting_head(tiny_bert):
    model, plain = PonderNet().build(load_backbone(tiny_bert), 3, 0), Finetune().build(load_backbone(tiny_bert), 3, 0)
    assert torch.equal(model.exits.weight, plain.exits.weight[0])  # which begins as any other method's
    assert count_parameters(model.exits) == 3 * HIDDEN + 3 + HIDDEN + 1
    assert {model.exits.flops(index, model.backbone) for index in range(LAYERS)} == {2.0 * HIDDEN * (HIDDEN + 3 + 1)}


def test_the_scores_are_probabilities_and_depend_on_the_state(tiny_bert):
    model = PonderNet().build(load_backbone(tiny_bert), 2, 0).eval()
    lambdas = model.outputs(FIT.batch(np.arange(12))).learned_scores
    assert ((lambdas > 0) & (lambdas < 1)).all() and (lambdas.std(dim=0) > 1e-3).all()


def test_every_new_parameter_and_the_backbone_learn(tiny_bert):
    model = PonderNet().build(load_backbone(tiny_bert), 2, 0)
    loss, _ = PonderNet().objective(Schedule(1, 1), 0, CPU)(model, FIT.batch(np.arange(8)), 0)
    loss.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert all(value is not None and value.abs().max() > 0 for name, value in gradients.items() if "exits." in name)
    assert gradients["backbone.encoder.encoder.layer.0.output.dense.weight"].abs().max() > 0


def test_lambdas_are_float32_in_bf16(tiny_bert):
    model = PonderNet().build(load_backbone(tiny_bert), 2, 0).eval()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model.outputs(FIT.batch(np.arange(4)))
    assert outputs.learned_scores.dtype == torch.float32 and outputs.logits.dtype == torch.bfloat16


# --- the exit rule ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lambdas", [(0.2, 0.2, 0.2), (0.9, 0.5, 0.1), (0.0, 0.3, 1.0), (0.01, 0.02, 0.03)])
def test_exits_are_drawn_from_the_halting_distribution(lambdas):
    scores = SAMPLED.score(None, np.tile(lambdas, (2000, 1)))
    (threshold,) = SAMPLED.thresholds
    drawn = np.bincount(exit_layers(scores, threshold, SAMPLED.harder_is), minlength=4) / 2000
    reached = np.cumprod([1, *(1 - np.array(lambdas))])
    np.testing.assert_allclose(drawn, reached * [*lambdas, 1], atol=0.002)  # chance would give ten times that


def test_a_row_leaves_where_the_probability_of_having_halted_passes_its_number():
    lambdas = np.random.default_rng(0).random((50, 3))
    layers = exit_layers(SAMPLED.score(None, lambdas), 0.0, SAMPLED.harder_is)
    for n, row in enumerate(lambdas):
        number, done, taken = (n + 1) * 0.6180339887498949 % 1, 0.0, 3
        for m in reversed(range(3)):
            done = 1 - math.prod(1 - probability for probability in row[: m + 1])
            taken = m if done > number else taken
        assert layers[n] == taken


def test_a_row_keeps_its_number_from_exit_to_exit_and_from_call_to_call():
    lambdas = np.random.default_rng(1).random((40, 3))
    whole = SAMPLED.score(None, lambdas)
    numbers = halted(None, lambdas) - whole
    np.testing.assert_allclose(numbers, numbers[:, :1] * np.ones(3), atol=1e-12)
    assert len(np.unique(numbers[:, 0].round(9))) == 40 and (numbers >= 0).all() and (numbers < 1).all()
    np.testing.assert_array_equal(SAMPLED.score(None, lambdas[:, :2]), whole[:, :2])
    np.testing.assert_allclose(SAMPLED.score(None, torch.tensor(lambdas)), whole, atol=1e-12)


# --- training ---------------------------------------------------------------------------------------------------------


def test_golden_losses_of_the_first_steps(tiny_bert, tmp_path):
    without_dropout = spying(lambda model, *_: model.eval())  # which differs between builds of torch
    history = run(tiny_bert, PonderNet(), tmp_path / "state", epochs=1, wrap=without_dropout)[1]
    np.testing.assert_allclose(history["loss"], [1.069472, 0.766727, 0.765013, 0.822313, 0.724768], rtol=1e-4)


def test_it_learns_and_leaves_where_its_distribution_says(tiny_bert, tmp_path):
    method = make_method("pondernet", {"lambda_p": 0.6})
    more = {"fit": DeviceSplit(token_split(120), CPU), "learning_rate": 0.005, "epochs": 6}
    weights, history, _ = run(tiny_bert, method, tmp_path / "state", **more)
    assert history["loss_ce"][-10:].mean() < 0.5 * history["loss_ce"][:10].mean()
    model = method.build(load_backbone(tiny_bert), 2, 0)
    model.load_state_dict(weights)
    logits, lambdas = predict(model, SEL, 64)
    layers = exit_layers(SAMPLED.score(None, lambdas[:, :-1]), 0.0, SAMPLED.harder_is)
    assert (logits[np.arange(len(layers)), layers].argmax(axis=-1) == SEL.labels.numpy()).mean() >= 0.9
    reached = log_halting_distribution(torch.tensor(lambdas), True).exp() @ torch.arange(LAYERS).float()
    assert layers.mean() == pytest.approx(reached.mean().item(), abs=0.2)


def test_a_killed_run_resumes_as_if_it_had_not_been(tiny_bert, tmp_path):
    whole = run(tiny_bert, PonderNet(), tmp_path / "whole")
    with pytest.raises(Killed):
        run(tiny_bert, PonderNet(), tmp_path / "state", progress=die_after(7), save_minutes=0.0)
    assert_same(run(tiny_bert, PonderNet(), tmp_path / "state"), whole)


def test_a_step_does_not_wait_for_the_device(tiny_bert):
    model = PonderNet().build(load_backbone(tiny_bert), 2, 0).train()
    objective = PonderNet().objective(Schedule(9, 1), 0, CPU)
    with NoWaiting():
        loss, _ = objective(model, FIT.batch(np.arange(8)), 0)
        loss.backward()
    assert loss.isfinite()
