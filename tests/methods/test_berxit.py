import numpy as np
import pytest
import torch
from helpers.objectives import NoWaiting
from helpers.tiny import HIDDEN, LAYERS
from helpers.training import CPU, FIT, SEL, Killed, assert_same, die_after, run, spying
from torch.nn import functional as F

from cosee.exiting.online import early_exit
from cosee.exiting.simulation import exit_layers
from cosee.methods import rule_named
from cosee.methods.base import linear_exits_model
from cosee.methods.berxit import Berxit
from cosee.models.loading import load_backbone
from cosee.models.multi_exit import count_parameters
from cosee.models.prediction import predict
from cosee.training.schedule import Schedule

METHODS = {"alternating": Berxit(), "lte": Berxit(lte=True)}
EACH_METHOD = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
EACH_BACKBONE = pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])
BATCH = FIT.batch(np.arange(9))
EVEN, ODD = 4, 7


def built(request, kind, method, num_classes=2):
    """A model without dropout whose exits all differ."""
    model = method.build(load_backbone(request.getfixturevalue(kind)), num_classes, 0).eval()
    with torch.no_grad():
        for parameter in model.exits.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
    return model


def objective_of(method):
    return method.objective(Schedule(5, 2), 0, CPU)


# --- exits ------------------------------------------------------------------------------------------------------------


@EACH_BACKBONE
@EACH_METHOD
@torch.no_grad()
def test_a_fresh_model_is_the_one_with_linear_heads_on_the_shared_pooler(kind, method, request):
    folder = request.getfixturevalue(kind)
    torch.testing.assert_close(
        method.build(load_backbone(folder), 3, 0).eval()(BATCH),
        linear_exits_model(load_backbone(folder), 3, 0.1, 0).eval()(BATCH),
    )


@EACH_BACKBONE
@EACH_METHOD
@torch.no_grad()
def test_one_exit_at_a_time_gives_what_all_at_once_give(kind, method, request):
    model = built(request, kind, method, num_classes=3)
    states, (logits, scores) = model.states(BATCH), model.outputs(BATCH)
    for index in range(LAYERS):
        here, carry = model.exits.forward_exit(index, states[:, index], model.backbone, None)
        torch.testing.assert_close(here.logits, logits[:, index])
        if method.lte:
            torch.testing.assert_close(here.learned_scores, scores[:, index])
        assert carry is None
    assert (scores is not None) == method.lte


@EACH_BACKBONE
@torch.no_grad()
def test_the_uncertainty_is_one_estimator_on_every_exits_pooled_state(kind, request):
    model = built(request, kind, METHODS["lte"])
    scores = model.outputs(BATCH).learned_scores
    pooled = model.exits.pool(model.states(BATCH), model.backbone)
    for n in range(len(BATCH)):
        for m in range(LAYERS):
            z = float(pooled[n, m] @ model.exits.lte_weight[0] + model.exits.lte_bias)
            assert scores[n, m].item() == pytest.approx(1 / (1 + np.exp(-z)), rel=1e-5)
    assert scores.std(dim=0).min() > 0.001


def test_the_estimator_adds_one_linear_layer_for_all_exits(tiny_bert):
    without, estimating = (method.build(load_backbone(tiny_bert), 2, 0).exits for method in METHODS.values())
    assert count_parameters(estimating) - count_parameters(without) == HIDDEN + 1
    backbone = METHODS["lte"].build(load_backbone(tiny_bert), 2, 0).backbone
    assert estimating.flops(2, backbone) - without.flops(2, backbone) == 2 * HIDDEN
    other = METHODS["lte"].build(load_backbone(tiny_bert), 2, 1).exits
    assert estimating.lte_weight.any() and not torch.equal(estimating.lte_weight, other.lte_weight)


@pytest.mark.parametrize("quantile", [0.05, 0.2, 0.5])
def test_leaving_online_by_uncertainty_is_what_the_outputs_of_all_exits_say(quantile, request):
    model = built(request, "tiny_bert", METHODS["lte"])
    rule, outputs = rule_named("uncertainty"), predict(model, SEL, 24)
    scores = rule.score(outputs.logits, outputs.learned_scores)[:, :-1]
    ordered = np.unique(scores)
    threshold = float(ordered[int(quantile * len(ordered))] + ordered[int(quantile * len(ordered)) + 1]) / 2
    expected = exit_layers(scores, [threshold], rule.harder_is).squeeze()
    logits, exits = early_exit(model, SEL.batch(np.arange(24)), rule, threshold)
    assert exits.tolist() == expected.tolist() and len(set(exits.tolist())) > 1
    np.testing.assert_allclose(logits, outputs.logits[np.arange(24), exits], atol=1e-5)


# --- objective --------------------------------------------------------------------------------------------------------


@EACH_BACKBONE
@EACH_METHOD
def test_the_objective_equals_naive_loops(kind, method, request):
    model = built(request, kind, method, num_classes=3)
    logits, scores = model.outputs(BATCH)
    each = [F.cross_entropy(logits[:, m], BATCH.labels).item() for m in range(LAYERS)]
    errors = [
        (scores[n, m].item() - (logits[n, m].argmax() != BATCH.labels[n]).item()) ** 2
        for n in range(len(BATCH))
        for m in range(LAYERS)
        if method.lte
    ]
    loss_lte = sum(errors) / max(1, len(errors))
    for step, loss_ce in ((0, each[-1]), (EVEN, each[-1]), (1, sum(each)), (ODD, sum(each))):
        loss, parts = objective_of(method)(model, BATCH, step)
        expected = {"loss_ce": loss_ce, "final_ce": each[-1], "mean_ce": sum(each) / LAYERS}
        expected |= {"loss_lte": loss_lte} if method.lte else {}
        assert {name: part.item() for name, part in parts.items()} == pytest.approx(expected, rel=1e-6)
        assert loss.item() == pytest.approx(loss_ce + loss_lte, rel=1e-6)


@EACH_METHOD
def test_even_steps_give_the_internal_heads_no_gradient_and_odd_steps_all(method, request):
    for step in (EVEN, ODD):
        model = built(request, "tiny_bert", method)
        objective_of(method)(model, BATCH, step)[0].backward()
        assert model.exits.final_weight.grad.any()
        for head in (*model.exits.internal_weight.grad, *model.exits.internal_bias.grad):
            assert bool(head.any()) == (step == ODD)
        for pooler in model.exits.internal_pooler_weight.grad:
            assert bool(pooler.any()) == (step == ODD or method.lte)


def test_the_estimators_gradient_flows_into_its_weights_poolers_and_backbone_but_not_into_heads(request):
    gradients = {}
    for name, method in METHODS.items():
        model = built(request, "tiny_bert", METHODS["lte"])
        if name == "alternating":
            model.outputs = lambda batch, model=model: type(model).outputs(model, batch)._replace(learned_scores=None)
        objective_of(method)(model, BATCH, ODD)[0].backward()
        gradients[name] = {key: value.grad for key, value in model.named_parameters()}
    for key, with_lte in gradients["lte"].items():
        without = gradients["alternating"][key]
        differs = not torch.allclose(with_lte, torch.zeros(()) if without is None else without, rtol=1e-4, atol=1e-7)
        if key in ("exits.internal_weight", "exits.internal_bias", "exits.final_weight", "exits.final_bias"):
            assert not differs, key
        if "pooler" in key or "layer.0.output.dense" in key or "lte" in key:
            assert differs, key


def test_certainty_is_wrong_where_the_exit_is_and_uncertainty_where_it_is_right(request):
    model = built(request, "tiny_bert", METHODS["lte"])
    wrong = (model(BATCH).argmax(dim=-1) != BATCH.labels[:, None]).double().mean().item()
    assert 0 < wrong < 1
    for bias, expected in ((50.0, 1 - wrong), (-50.0, wrong)):
        model.exits.lte_bias.data.fill_(bias)
        assert objective_of(METHODS["lte"])(model, BATCH, EVEN)[1]["loss_lte"].item() == pytest.approx(expected)


# --- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alternating", [0.671222, 2.793898, 0.724612, 3.052608, 0.693802]),
        ("lte", [0.918177, 3.048799, 0.975580, 3.294987, 0.947111]),
    ],
)
def test_golden_losses_of_the_first_steps(name, expected, tiny_bert, tmp_path):
    without_dropout = spying(lambda model, *_: model.eval())  # which differs between builds of torch
    history = run(tiny_bert, METHODS[name], tmp_path / "state", epochs=1, wrap=without_dropout)[1]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)


@pytest.fixture(scope="module")
def uninterrupted(tiny_bert, tmp_path_factory):
    return run(tiny_bert, METHODS["lte"], tmp_path_factory.mktemp("uninterrupted") / "state")


@pytest.mark.parametrize("saves", [4, 5, 8])  # after odd and even steps, at the end of an epoch
def test_a_killed_run_resumes_as_if_it_had_not_been(saves, uninterrupted, tiny_bert, tmp_path):
    with pytest.raises(Killed):
        run(tiny_bert, METHODS["lte"], tmp_path / "state", progress=die_after(saves), save_minutes=0.0)
    assert_same(run(tiny_bert, METHODS["lte"], tmp_path / "state"), uninterrupted)


def test_every_exit_learns_and_so_does_the_estimator(tiny_bert, tmp_path):
    _, history, _ = run(tiny_bert, METHODS["lte"], tmp_path / "state", epochs=20)
    assert history["mean_ce"][-10:].mean() < 0.7 * history["mean_ce"][:10].mean()
    assert history["loss_lte"][-10:].mean() < 0.8 * history["loss_lte"][:10].mean()
    assert history[[f"sel_accuracy_{m}" for m in range(1, LAYERS + 1)]].iloc[-1].min() >= 0.75


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@EACH_METHOD
def test_a_step_does_not_wait_for_the_device(method, precision, tiny_bert):
    model = method.build(load_backbone(tiny_bert), 2, 0).train()
    with NoWaiting(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        for step in (EVEN, ODD):
            loss, parts = objective_of(method)(model, BATCH, step)
            loss.backward()
    assert {loss.dtype, *(part.dtype for part in parts.values())} == {torch.float32}
