import numpy as np
import pytest
import torch
from helpers.models import between
from helpers.objectives import NoWaiting
from helpers.tiny import HIDDEN, LAYERS, token_split
from helpers.training import CPU, FIT, SEL, Killed, assert_same, die_after, run, spying

from cosee.data.batches import DeviceSplit
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.risk import losses
from cosee.evaluation.risk_procedures import PROCEDURES, calibrate
from cosee.exiting.online import early_exit
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers, sweep
from cosee.methods.lynx import Lynx, allowed_exits
from cosee.methods.pabee import Pabee
from cosee.models.loading import load_backbone
from cosee.models.multi_exit import count_parameters
from cosee.models.prediction import predict
from cosee.runs.weights import load_weights, save_weights
from cosee.training.schedule import Schedule

LYNX = Lynx(reserve=0.4, width=6, probe_share=0.4)  # of 10 steps 0-5 train the exits, 6-9 the probes
DYNAMAX = Lynx(reserve=0.0, width=0, target="same", exits_from=0.5, every=0.25, probe_share=0.4)
METHODS = {"lynx": LYNX, "dynamax": DYNAMAX}
EACH = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
SAFE = RULES["safe"]


def sharp_model(folder, method=LYNX, classes=2, seed=0):
    """A model in eval mode whose heads and probes are far from zero, so that exits differ."""
    model = method.build(load_backbone(folder), classes, seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        model.exits.weight.mul_(40)
        for name, parameter in model.exits.named_parameters():
            if "probe" in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator))
        model.exits.state_mean.normal_(0, 0.3, generator=generator)
        model.exits.state_scale.uniform_(0.5, 2, generator=generator)
    return model


def objective_of(method, seed=0):
    return method.objective(Schedule(5, 2, stages=method.stages()), seed, CPU)


# --- where an exit may be taken ---------------------------------------------------------------------------------------


def test_exits_of_the_second_half_are_those_of_the_released_code():
    assert [exit + 1 for exit in allowed_exits(32, 0.5, 0.125)] == [16, 20, 24, 28]
    assert [exit + 1 for exit in allowed_exits(64, 0.5, 0.125)] == [32, 40, 48, 56]
    assert [exit + 1 for exit in allowed_exits(12, 0.5, 0.125)] == [6, 8, 9, 11]
    assert [exit + 1 for exit in allowed_exits(6, 0.5, 0.125)] == [3, 4, 5]


def test_unless_told_otherwise_every_internal_exit_may_be_taken():
    for layers in (2, 4, 12):
        assert allowed_exits(layers, 0.0, 0.0) == tuple(range(layers - 1))
        assert allowed_exits(layers, 0.99, 0.5) == (layers - 2,)  # there is one at least


@torch.no_grad()
def test_forbidden_exits_are_never_taken_and_cost_nothing(tiny_bert):
    model = sharp_model(tiny_bert, DYNAMAX)
    assert model.exits.allowed == (1, 2)
    scores = predict(model, SEL, 8).learned_scores
    assert np.isneginf(scores[:, 0]).all() and np.isfinite(scores[:, 1:]).all()
    points = sweep(scores[:, :-1], SAFE.harder_is)
    loosest = points.thresholds[-1]
    assert set(exit_layers(scores[:, :-1], loosest, SAFE.harder_is).tolist()) == {1}
    assert early_exit(model, SEL.batch(np.arange(9)), SAFE, float(loosest))[1].tolist() == [1] * 9
    assert set(np.concatenate([points.before, points.after]).tolist()) <= {1, 2, 3}
    plain = Pabee().build(load_backbone(tiny_bert), 2, 0)
    extra = [model.exits.flops(m, model.backbone) - plain.exits.flops(m, plain.backbone) for m in range(LAYERS)]
    assert extra == [-plain.exits.flops(0, plain.backbone), 4 * HIDDEN, 4 * HIDDEN, 0]


# --- reserved examples ------------------------------------------------------------------------------------------------


def test_the_reserved_share_is_right_and_depends_on_the_seed_alone():
    def reserved(seed, reserve=0.4):
        objective = objective_of(Lynx(reserve=reserve), seed)
        objective.begin_stage(0, None, FIT)
        return objective.reserved

    assert reserved(0).sum() == 16 and torch.equal(reserved(0), reserved(0))
    assert not torch.equal(reserved(0), reserved(1)) and not reserved(0, reserve=0.0).any()


def test_the_exits_do_not_learn_from_reserved_examples(tiny_bert, tmp_path):
    changed = DeviceSplit.__new__(DeviceSplit)
    vars(changed).update(vars(FIT))
    objective = objective_of(LYNX)
    objective.begin_stage(0, None, FIT)
    changed.labels = torch.where(objective.reserved, 1 - FIT.labels, FIT.labels)
    after = []
    for name, fit in (("given", FIT), ("changed", changed)):
        seen = {}

        def see(model, batch, step, seen=seen):
            seen[step] = {key: value.clone() for key, value in model.state_dict().items()}

        weights = run(tiny_bert, LYNX, tmp_path / name, fit=fit, wrap=spying(see), checkpoint="last")[0]
        after.append((seen[6], weights))
    (first, end), (second, other_end) = after
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    probes = {name for name in end if "probe_" in name}
    assert {name for name, value in end.items() if not torch.equal(value, other_end[name])} == probes


def test_the_first_stage_is_the_plain_mean_over_the_other_examples(tiny_bert):
    model, batch = sharp_model(tiny_bert, classes=3), FIT.batch(np.arange(12))
    objective = objective_of(LYNX)
    objective.begin_stage(0, model, FIT)
    kept = ~objective.reserved[:12]
    assert 0 < kept.sum() < 12
    logits = model(batch)
    each = [torch.nn.functional.cross_entropy(logits[kept, m], batch.labels[kept]).item() for m in range(LAYERS)]
    loss, parts = objective(model, batch, 0)
    assert loss.item() == pytest.approx(sum(each) / LAYERS, rel=1e-5) and parts["loss_ce"] == loss
    rows = objective.reserved.nonzero()[:, 0].numpy()
    assert objective(model, FIT.batch(rows), 0)[0] == 0  # a batch of reserved examples alone
    assert objective_of(DYNAMAX).reserved.numel() == 0


# --- the probes -------------------------------------------------------------------------------------------------------


@EACH
@torch.no_grad()
def test_states_are_standardized_by_the_examples_of_the_probes(method, tiny_bert, tmp_path):
    model, objective = method.build(load_backbone(tiny_bert), 2, 0).train(), objective_of(method)
    objective.begin_stage(0, model, FIT)
    objective.begin_stage(1, model, FIT)
    assert model.training
    rows = objective.reserved.nonzero()[:, 0].numpy() if method.reserve else np.arange(len(FIT))
    states = model.eval().states(FIT.batch(rows))[:, model.exits.allowed]
    torch.testing.assert_close(model.exits.state_mean, states.mean(0), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(model.exits.state_scale, states.std(0, correction=0), rtol=1e-3, atol=1e-4)
    # what was measured is saved with the weights
    save_weights(tmp_path / "weights", model)
    again = method.build(load_backbone(tiny_bert), 2, 1)
    load_weights(again, tmp_path / "weights")
    assert torch.equal(again.exits.state_mean, model.exits.state_mean)
    batch = SEL.batch(np.arange(9))
    assert torch.equal(again.eval().outputs(batch).learned_scores, model.outputs(batch).learned_scores)


@EACH
def test_the_second_stage_is_the_balanced_loss_of_the_probes(method, tiny_bert):
    model, objective = sharp_model(tiny_bert, method, seed=2), objective_of(method)
    objective.begin_stage(0, model, FIT)
    objective.begin_stage(1, model, FIT)
    logits, _ = predict(model, FIT, 7)
    answers, allowed = logits.argmax(-1), list(model.exits.allowed)
    reference = FIT.labels.numpy() if method.target == "right" else answers[:, -1]
    safe = answers[:, allowed] == reference[:, None]
    mine = objective.reserved.numpy() if method.reserve else np.ones(len(FIT), bool)
    share = safe[mine].mean(0)
    assert ((share > 0) & (share < 1)).all()
    expected = np.stack([0.5 / (1 - share), 0.5 / share])
    np.testing.assert_allclose(objective.weights, expected, rtol=1e-5)
    batch = FIT.batch(np.arange(14))
    odds = model.exits.log_odds(model.states(batch)).detach().double().numpy()
    logs = -np.logaddexp(0, -odds), -np.logaddexp(0, odds)  # of the score, and of 1 minus it
    losses = -np.where(safe[:14], expected[1] * logs[0], expected[0] * logs[1]).mean(1)
    for training in (False, True):  # without dropout in either mode
        loss, parts = objective(model.train(training), batch, 6)
        assert loss.item() == pytest.approx(losses[mine[:14]].mean(), rel=1e-4) and parts["loss_probe"] == loss
        assert model.training == training
    loss.backward()
    reached = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert reached == {name for name, _ in model.named_parameters() if name.startswith("exits.probe_")}


def test_an_exit_whose_answers_are_all_safe_has_a_finite_probe(tiny_bert):
    model, objective = sharp_model(tiny_bert), objective_of(Lynx(target="same", width=6, probe_share=0.4))
    with torch.no_grad():
        model.exits.bias.copy_(torch.tensor([100.0, -100.0]))
    objective.begin_stage(0, model, FIT)
    objective.begin_stage(1, model, FIT)
    loss, _ = objective(model, FIT.batch(np.arange(40)), 6)
    loss.backward()
    assert objective.weights.isfinite().all() and loss.isfinite()
    assert all(p.grad.isfinite().all() for name, p in model.named_parameters() if "probe" in name)


# --- the exits --------------------------------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])
@torch.no_grad()
def test_one_exit_at_a_time_gives_what_all_give_together(kind, method, request):
    model = sharp_model(request.getfixturevalue(kind), method, classes=3)
    states = model.states(SEL.batch(np.arange(9)))
    logits, scores = model.exits(states, model.backbone)
    assert logits.shape == (9, LAYERS, 3) and scores.shape == (9, LAYERS) and (scores[:, -1] == 1).all()
    assert scores[:, list(model.exits.allowed)].std() > 0.1
    for m in range(LAYERS):
        here, carry = model.exits.forward_exit(m, states[:, m], model.backbone, None)
        torch.testing.assert_close(here.logits, logits[:, m])
        torch.testing.assert_close(here.learned_scores, scores[:, m])
        assert carry is None


@EACH
@pytest.mark.parametrize("check_every", [1, 3])
def test_exits_are_as_simulated(method, check_every, tiny_bert):
    model, rows = sharp_model(tiny_bert, method, seed=1), np.arange(len(SEL))
    logits, scores = predict(model, SEL, 8)
    outputs = ExitOutputs(logits, SEL.labels.numpy(), rows, LAYERS, (1, 2, 3, 4), model.exit_costs(8.0), scores)
    taken = set()
    for threshold in between(scores[:, list(model.exits.allowed)].astype(np.float64)):
        simulated = exit_layers(outputs.exit_scores(SAFE), threshold, SAFE.harder_is)
        real, exits = early_exit(model, SEL.batch(rows), SAFE, threshold, check_every=check_every)
        assert exits.tolist() == simulated.tolist()
        np.testing.assert_allclose(real.numpy(), logits[rows, simulated], rtol=1e-4, atol=1e-5)
        taken |= set(simulated.tolist())
    assert len(taken) > 1


@EACH
def test_risk_is_controlled_by_the_scores_as_by_those_of_any_rule(method, tiny_bert):
    model = sharp_model(tiny_bert, method, seed=1)
    logits, scores = predict(model, FIT, 8)
    loss, scores = losses(logits.argmax(-1), FIT.labels.numpy(), "same"), scores[:, :-1].astype(np.float64)
    for procedure in PROCEDURES:
        thresholds = [calibrate(scores, loss, SAFE.harder_is, level, 0.9, procedure) for level in (0.2, 1.0)]
        for level, threshold in zip((0.2, 1.0), thresholds, strict=True):
            exits = np.full(len(FIT), LAYERS - 1)
            if threshold is not None:
                exits = exit_layers(scores, threshold, SAFE.harder_is)
            assert set(exits.tolist()) <= {*model.exits.allowed, LAYERS - 1}
            if procedure in ("naive", "crc", "ltt"):
                assert loss[np.arange(len(FIT)), exits].mean() <= level
        assert thresholds[1] is not None and exits.mean() < LAYERS - 1  # a level of 1 allows everything


def test_the_heads_are_those_of_the_plain_model_and_the_probes_come_on_top(tiny_bert):
    model, other = (method.build(load_backbone(tiny_bert), 2, 1) for method in (LYNX, Pabee()))
    assert torch.equal(model.exits.weight, other.exits.weight)
    assert count_parameters(model) - count_parameters(other) == (LAYERS - 1) * (HIDDEN * 6 + 6 + 6 + 1)
    extra = [model.exits.flops(m, model.backbone) - other.exits.flops(m, model.backbone) for m in range(LAYERS)]
    assert extra == [2 * HIDDEN + 2 * HIDDEN * 6 + 2 * 6] * (LAYERS - 1) + [0]


# --- whole runs -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=METHODS)
def uninterrupted(request, tiny_bert, tmp_path_factory):
    """A run that nothing stopped, and the weights before each of its steps."""
    before, method = [], METHODS[request.param]

    def see(model, batch, step):
        before.append({name: value.clone() for name, value in model.state_dict().items()})

    return method, run(tiny_bert, method, tmp_path_factory.mktemp("run") / "state", wrap=spying(see)), before


def test_the_second_stage_leaves_all_but_the_probes_bit_for_bit(uninterrupted):
    _, (weights, _, _), before = uninterrupted
    probes = {name for name in weights if "exits.probe_" in name}
    standardization = {"exits.state_mean", "exits.state_scale"}
    assert len(probes) in (2, 4)

    def changed(first, second):
        return {name for name, value in first.items() if not torch.equal(value, second[name])}

    assert {"exits.weight", "backbone.encoder.pooler.dense.weight"} <= changed(before[0], before[5])
    assert not changed(before[0], before[5]) & (probes | standardization)
    assert standardization <= changed(before[5], before[6])
    assert changed(before[6], weights) == probes


@pytest.mark.parametrize("saves", [3, 6, 7, 9])  # in the first stage, at its end, in the second
def test_a_killed_run_resumes_as_if_it_had_not_been(saves, uninterrupted, tiny_bert, tmp_path):
    method, whole, _ = uninterrupted
    with pytest.raises(Killed):
        run(tiny_bert, method, tmp_path / "state", progress=die_after(saves), save_minutes=0.0)
    steps = []
    again = run(tiny_bert, method, tmp_path / "state", wrap=spying(lambda *call: steps.append(call[-1])))
    assert_same(again, whole)
    assert steps == list(range(saves, 10))


GOLDEN = {
    "lynx": [0.694315, 0.691545, 0.732896, 0.753205, 0.684052, 0.688929, 0.367154, 0.467949, 2.499969, 1.020278],
    "dynamax": [0.696224, 0.660756, 0.713477, 0.805079, 0.691772, 0.716458, 0.701925, 0.540608, 0.182914, 0.7499],
}


@pytest.mark.parametrize(("name", "expected"), GOLDEN.items())
def test_golden_losses(name, expected, tiny_bert, tmp_path):
    without_dropout = spying(lambda model, *_: model.eval())  # which differs between builds of torch
    history = run(tiny_bert, METHODS[name], tmp_path / "state", wrap=without_dropout)[1]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-3, atol=1e-4)


def test_it_learns_and_the_probes_tell_right_answers_from_others(tiny_bert, tmp_path):
    fit, other = (DeviceSplit(token_split(200, seed=seed), CPU) for seed in (5, 6))
    weights, history, _ = run(
        tiny_bert, LYNX, tmp_path / "state", fit=fit, epochs=6, checkpoint="last", learning_rate=0.003
    )
    probe = history["loss_probe"].dropna()
    assert probe[-20:].mean() < 0.8 * probe[:5].mean()
    model = LYNX.build(load_backbone(tiny_bert), 2, 0)
    model.load_state_dict(weights)
    logits, scores = predict(model, other, 64)
    right, scores = (logits.argmax(-1) == other.labels.numpy()[:, None])[:, :-1], scores[:, :-1]
    assert right.mean() > 0.7
    assert scores[right].mean() > scores[~right].mean() + 0.1


@EACH
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_does_not_wait_for_the_device(method, precision, tiny_bert):
    model, objective = method.build(load_backbone(tiny_bert), 2, 0).train(), objective_of(method)
    objective.begin_stage(0, model, FIT)
    objective.begin_stage(1, model, FIT)
    with NoWaiting(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        for step in (0, 6):
            loss, parts = objective(model, FIT.batch(np.arange(8)), step)
            loss.backward()
            assert {loss.dtype, *(part.dtype for part in parts.values())} == {torch.float32}
