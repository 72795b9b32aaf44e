import numpy as np
import pytest
import torch
from helpers.objectives import NoWaiting
from helpers.tiny import LAYERS
from helpers.training import CPU, FIT, SEL, Killed, assert_same, die_after, run, spying
from torch.nn import functional as F

from cosee.exiting.online import early_exit
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers
from cosee.losses.gating import best_exits, gate_features, gate_targets, positive_weights, solve_gates
from cosee.losses.per_exit import exit_cross_entropies
from cosee.methods.deebert import Deebert
from cosee.methods.jeidnn import JeiDnn
from cosee.models.loading import load_backbone
from cosee.models.multi_exit import count_parameters
from cosee.models.prediction import predict
from cosee.training.schedule import Schedule

SHARES = {"backbone_share": 0.2, "warmup_share": 0.2, "gate_share": 0.1, "turns": 1}
METHODS = {kind: JeiDnn(backbone=kind, **SHARES) for kind in ("frozen", "joint")}
FROZEN = METHODS["frozen"]
# 10 steps: frozen 0-1 backbone, 2-3 warm-up, 4 gates, 5-8 heads, 9 gates; joint without warm-up, 0-3 backbone
SCHEDULE = Schedule(5, 2, stages=FROZEN.stages())
EACH = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
BATCH = FIT.batch(np.arange(9))


def sharp_model(folder, classes=2, seed=0):
    """A model in eval mode whose heads and gates are far from zero, so that exits differ."""
    model = FROZEN.build(load_backbone(folder), classes, seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.exits.named_parameters():
            if name.endswith("al_weight"):
                parameter.mul_(40)
        gates = model.exits.gate_weight.normal_(0, 6, generator=generator)
        model.exits.gate_bias.copy_(-1 - gates @ torch.tensor([0.75, 0.55, 0.5, 0.4]))  # of a middling example
    return model


# --- stages -----------------------------------------------------------------------------------------------------------


@EACH
def test_the_stages_share_the_steps(method):
    default = JeiDnn(backbone=method.backbone)
    for each in (method, default):
        assert sum(stage.share for stage in each.stages()) == pytest.approx(1)
        assert len(each.kinds()) == len(each.stages())
    gates = ["gates", "heads", "gates", "heads", "gates"]
    assert list(default.kinds()) == ["backbone", *(["warm-up"] if method.backbone == "frozen" else []), *gates]
    Schedule(45, 2, stages=default.stages())  # as in mini: every stage has a step


@EACH
def test_every_stage_trains_what_it_should_and_leaves_the_rest_bit_for_bit(method, tiny_bert, tmp_path):
    before = []

    def see(model, batch, step):
        before.append({name: value.clone() for name, value in model.state_dict().items()})

    weights = run(tiny_bert, method, tmp_path / "state", wrap=spying(see), checkpoint="last", weight_decay=0.1)[0]
    gates = {name for name in weights if "gate_" in name}
    internal = {name for name in weights if "internal_" in name}
    others = weights.keys() - gates - internal
    assert len(gates) == 2 and len(internal) == 4

    def changed(begin, end):
        after = weights if end == 10 else before[end]
        return {name for name, value in before[begin].items() if not torch.equal(value, after[name])}

    frozen = method.backbone == "frozen"
    head, encoder = "exits.final_weight", "backbone.encoder.pooler.dense.weight"
    first, heads = changed(0, 2), changed(5, 9)
    assert {head, encoder} <= first and not first & gates
    assert bool(first & internal) == (not frozen)
    # gates are solved before the first step of their stages: the state before steps 4 and 9 has the solution
    assert changed(2, 4) - gates == internal if frozen else changed(2, 4) - gates >= internal
    assert not changed(2, 3) & gates and gates == changed(3, 4) & gates and changed(4, 5) == gates
    assert not changed(5, 8) & gates and gates == changed(8, 9) & gates and internal <= heads
    if frozen:
        assert not changed(2, 10) & others
    else:
        assert {head, encoder} <= heads
    assert changed(9, 10) == gates


def test_a_stage_of_the_gates_begins_with_the_best_gates_for_the_exits_as_they_are(tiny_bert):
    model, objective = sharp_model(tiny_bert, seed=3).train(), FROZEN.objective(SCHEDULE, 0, CPU)
    objective.begin_stage(0, model, FIT)
    objective.begin_stage(1, model, FIT)
    assert objective.weights.numel() == objective.costs.numel() == 0
    objective.begin_stage(2, model, FIT)
    costs = torch.tensor(model.exit_costs(float(FIT.lengths.mean())))
    torch.testing.assert_close(objective.costs, costs / costs[-1])
    assert objective.costs[-1] == 1 and (objective.costs.diff() > 0).all()
    logits = torch.from_numpy(predict(model, FIT, 7).logits)
    best = best_exits(exit_cross_entropies(logits, FIT.labels), costs / costs[-1], FROZEN.cost_weight)
    assert len(best.unique()) > 1
    weights = positive_weights(best, LAYERS, FROZEN.pos_weight_max)
    assert torch.equal(objective.weights, weights)
    weight, bias = solve_gates(gate_features(logits[:, :-1]), gate_targets(best, LAYERS), weights)
    torch.testing.assert_close(model.exits.gate_weight.detach(), weight.float(), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(model.exits.gate_bias.detach(), bias.float(), rtol=1e-3, atol=1e-3)
    assert model.training
    found = model.exits.gate_weight.detach().clone()
    objective.begin_stage(3, model, FIT)  # a stage of the heads
    assert torch.equal(model.exits.gate_weight, found)


def test_the_dearer_the_encoder_the_earlier_the_exits(tiny_bert):
    layers = []
    for price in (0.0, 1.0, 100.0):
        model = sharp_model(tiny_bert)
        objective = JeiDnn(cost_weight=price, pos_weight_max=1.0, **SHARES).objective(SCHEDULE, 0, CPU)
        objective.begin_stage(2, model, FIT)
        logits, gates = predict(model, FIT, 64)
        scores = RULES["jeidnn"].score(logits[:, :-1], gates[:, :-1])
        layers.append(exit_layers(scores, 0.5, "smaller").mean())
    assert layers[0] > layers[1] > layers[2] == 0


# --- losses -----------------------------------------------------------------------------------------------------------


@EACH
def test_the_loss_of_each_stage(method, tiny_bert):
    model, objective = (
        sharp_model(tiny_bert, classes=3),
        method.objective(Schedule(5, 2, stages=method.stages()), 0, CPU),
    )
    objective.begin_stage(method.kinds().index("gates"), model, FIT)
    logits, gates = model.outputs(BATCH)
    each = torch.stack([F.cross_entropy(logits[:, m], BATCH.labels, reduction="none") for m in range(LAYERS)], dim=1)
    frozen = method.backbone == "frozen"
    means = each.mean(0).tolist()
    by_depth = sum((LAYERS - m) * means[m] for m in range(LAYERS - 1)) / (4 + 3 + 2)
    expected = {0: means[-1] if frozen else sum(means) / LAYERS, 2: by_depth if frozen else sum(means) / LAYERS}

    best = (each + method.cost_weight * objective.costs).argmin(1)
    total = 0.0
    for row, exit in zip(gates.tolist(), best.tolist(), strict=True):
        for m, gate in enumerate(row[:-1]):
            total -= objective.weights[m].item() * np.log(gate) if m >= exit else np.log(1 - gate)
    expected[4] = expected[9] = total / len(BATCH) / (LAYERS - 1)
    expected[5] = each[:, : LAYERS - 1 if frozen else LAYERS].mean().item()  # the ratio keeps the value of the loss
    for step, value in expected.items():
        loss, parts = objective(model, BATCH, step)
        assert loss.item() == pytest.approx(value, rel=1e-4), step
        assert parts["mean_ce"].item() == pytest.approx(sum(means) / LAYERS, rel=1e-5)


def test_no_gradient_of_the_gates_reaches_the_exits(tiny_bert):
    model, objective = sharp_model(tiny_bert), FROZEN.objective(SCHEDULE, 0, CPU)
    objective.begin_stage(2, model, FIT)
    objective(model, BATCH, 4)[0].backward()
    reached = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert reached == {"exits.gate_weight", "exits.gate_bias"}
    model.zero_grad()
    objective(model, BATCH, 5)[0].backward()
    assert model.exits.gate_weight.grad is None and model.exits.internal_weight.grad.any()


def test_heads_learn_from_the_examples_that_exit_there(tiny_bert):
    gradients = {}
    for weights in ("paper", "released", "none"):
        model = sharp_model(tiny_bert)
        objective = JeiDnn(weights=weights, **SHARES).objective(SCHEDULE, 0, CPU)
        with torch.no_grad():
            model.exits.gate_weight.zero_()
            model.exits.gate_bias.copy_(torch.tensor([-30.0, 30.0, 0.0]))  # everybody exits at the second exit
        objective(model, BATCH, 5)[0].backward()
        gradients[weights] = model.exits.internal_weight.grad.clone()
    torch.testing.assert_close(gradients["released"], gradients["none"], rtol=1e-3, atol=1e-6)
    assert [bool((each.abs() > 1e-6).any()) for each in gradients["paper"]] == [False, True, False]
    assert all((each.abs() > 1e-6).any() for each in gradients["released"])


# --- exits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])
@torch.no_grad()
def test_one_exit_at_a_time_gives_what_all_give_together(kind, request):
    model = sharp_model(request.getfixturevalue(kind), classes=3)
    states = model.states(SEL.batch(np.arange(9)))
    logits, gates = model.exits(states, model.backbone)
    assert logits.shape == (9, LAYERS, 3) and gates.shape == (9, LAYERS)
    assert gates[:, :-1].std() > 0.05 and (gates[:, -1] == 1).all()
    for m in range(LAYERS):
        here, carry = model.exits.forward_exit(m, states[:, m], model.backbone, None)
        torch.testing.assert_close(here.logits, logits[:, m])
        torch.testing.assert_close(here.learned_scores, gates[:, m])
        assert carry is None


def test_exits_are_those_of_deebert_and_gates_come_on_top(tiny_bert):
    model, other = (method.build(load_backbone(tiny_bert), 2, 1) for method in (FROZEN, Deebert()))
    own, shared = model.state_dict(), other.state_dict()
    assert own.keys() - shared.keys() == {"exits.gate_weight", "exits.gate_bias"}
    assert all(torch.equal(value, own[name]) for name, value in shared.items())
    assert count_parameters(model) - count_parameters(other) == (LAYERS - 1) * 5
    extra = [model.exits.flops(m, model.backbone) - other.exits.flops(m, model.backbone) for m in range(LAYERS)]
    assert extra == [30] * (LAYERS - 1) + [0]


@pytest.mark.parametrize("check_every", [1, 3])
@pytest.mark.parametrize(("name", "threshold"), [("jeidnn", 0.5), ("gate", 0.3)])
def test_exits_by_the_gates_are_as_simulated(name, threshold, check_every, tiny_bert):
    model, rule = sharp_model(tiny_bert, seed=1), RULES[name]
    rows = np.arange(len(SEL))
    logits, gates = predict(model, SEL, 8)
    scores = rule.score(logits[:, :-1].astype(np.float64), gates[:, :-1].astype(np.float64))
    simulated = exit_layers(scores, threshold, rule.harder_is)
    real, exits = early_exit(model, SEL.batch(rows), rule, threshold, check_every=check_every)
    assert exits.tolist() == simulated.tolist() and len(set(simulated.tolist())) > 1
    np.testing.assert_allclose(real.numpy(), logits[rows, simulated], rtol=1e-4, atol=1e-5)


# --- whole runs -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=METHODS)
def uninterrupted(request, tiny_bert, tmp_path_factory):
    method = METHODS[request.param]
    return method, run(tiny_bert, method, tmp_path_factory.mktemp("run") / "state")


@pytest.mark.parametrize("saves", [1, 2, 4, 5, 7, 9])  # inside and at the edges of the stages
def test_a_killed_run_resumes_as_if_it_had_not_been(saves, uninterrupted, tiny_bert, tmp_path):
    method, whole = uninterrupted
    with pytest.raises(Killed):
        run(tiny_bert, method, tmp_path / "state", progress=die_after(saves), save_minutes=0.0)
    steps = []
    again = run(tiny_bert, method, tmp_path / "state", wrap=spying(lambda *call: steps.append(call[-1])))
    assert_same(again, whole)
    assert steps == list(range(saves, 10))


GOLDEN = {  # backbone and warm-up, or backbone; gates; heads; gates
    "frozen": [
        *[0.671222, 0.643416, 0.701032, 0.766717, 0.673118, 0.671017, 0.735948, 0.712492, 0.678738, 0.709959],
        *[1.150108, 1.202429, 1.08108, 1.144562, 1.203144, 0.710139, 0.692475, 0.70003, 0.686839, 0.698598],
        *[0.492297, 0.493551, 1.452185, 0.492446, 0.995591],
    ],
    "joint": [
        *[0.696224, 0.687753, 0.6953, 0.72468, 0.686368, 0.71457, 0.673892, 0.679024, 0.688828, 0.681854],
        *[0.939962, 1.17927, 0.793894, 0.704593, 0.684722, 0.683899, 0.681995, 0.670599, 0.724381, 0.673685],
        *[0.383961, 0.507881, 1.138751, 0.368443, 0.695963],
    ],
}


@pytest.mark.parametrize(("kind", "expected"), GOLDEN.items())
def test_golden_losses_of_five_steps_per_stage(kind, expected, tiny_bert, tmp_path):
    without_dropout = spying(lambda model, *_: model.eval())  # which differs between builds of torch
    method = JeiDnn(backbone=kind, backbone_share=0.2, warmup_share=0.2, gate_share=0.2, turns=1)
    history = run(tiny_bert, method, tmp_path / "state", wrap=without_dropout, epochs=5, learning_rate=0.002)[1]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-3, atol=1e-4)


def test_it_learns_and_the_gates_use_several_exits(tiny_bert, tmp_path):
    method = JeiDnn(backbone="joint", cost_weight=0.3, pos_weight_max=1.0)
    weights = run(tiny_bert, method, tmp_path / "state", epochs=14, learning_rate=0.01)[0]
    model = method.build(load_backbone(tiny_bert), 2, 0)
    model.load_state_dict(weights)
    logits, gates = predict(model, SEL, 64)
    exits = exit_layers(RULES["jeidnn"].score(logits, gates)[:, :-1], 0.5, "smaller")
    accuracy = (logits[np.arange(len(SEL)), exits].argmax(-1) == SEL.labels.numpy()).mean()
    assert accuracy >= 0.8
    assert exits.mean() < LAYERS - 1.5


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_does_not_wait_for_the_device(precision, tiny_bert):
    model, objective = FROZEN.build(load_backbone(tiny_bert), 2, 0).train(), FROZEN.objective(SCHEDULE, 0, CPU)
    objective.begin_stage(2, model, FIT)
    with NoWaiting(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        for step in (0, 2, 4, 5, 9):
            loss, parts = objective(model, BATCH, step)
            loss.backward()
            assert {loss.dtype, *(part.dtype for part in parts.values())} == {torch.float32}
