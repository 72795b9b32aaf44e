"""Poolers between states and heads: each policy, in every method, and the refusal of untrained poolers."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.models import between
from helpers.tiny import HIDDEN, LAYERS, token_split, write_backbone
from safetensors.torch import load_file, save_file
from torch.utils.flop_counter import FlopCounterMode

from cosee.data.batches import DeviceSplit
from cosee.errors import InputError
from cosee.exiting.online import early_exit, last_exit
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers
from cosee.methods import METHODS, make_method
from cosee.models.fetching import fetch_backbone
from cosee.models.loading import backbone_of_run, load_backbone, load_encoder
from cosee.models.multi_exit import count_parameters
from cosee.models.poolers import OWN, POOLERS, has_untrained_pooler
from cosee.models.prediction import predict
from cosee.training.schedule import Schedule

CPU = torch.device("cpu")
FIT = DeviceSplit(token_split(24), CPU)
BATCH = FIT.batch(np.arange(9))
DENSE = HIDDEN * HIDDEN + HIDDEN
EACH_KIND = pytest.mark.parametrize("kind", ["bert", "albert", "mpnet"])
WITHOUT_OWN = [policy for policy in POOLERS if policy not in OWN]
EACH_POOLER = pytest.mark.parametrize("policy", POOLERS)
EACH_METHOD = pytest.mark.parametrize("name", METHODS)

ENCODERS = os.environ.get("COSEE_BACKBONES_DIR")
REAL = pytest.mark.skipif(
    not ENCODERS or not (Path(ENCODERS) / "all-MiniLM-L6-v2").is_dir(),
    reason="COSEE_BACKBONES_DIR names no folder with all-MiniLM-L6-v2",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Encoder folders by policy; all with the same weights."""
    base = tmp_path_factory.mktemp("poolers")
    return {policy: str(write_backbone(base / policy, "bert", pooler=policy, exit_state="mean")) for policy in POOLERS}


def states(backbone, batch=BATCH):
    return backbone.eval().states(batch.input_ids, batch.attention_mask, batch.token_type_ids)


def build(name, folder, seed, num_classes=2):
    return make_method(name, {}).build(backbone_of_run(folder, seed), num_classes, seed)


# --- which poolers are trained ----------------------------------------------------------------------------------------


@EACH_KIND
def test_a_pooler_without_a_bias_was_never_trained(kind, tmp_path):
    trained = load_encoder(write_backbone(tmp_path / "trained", kind))
    assert not has_untrained_pooler(trained)
    folder = write_backbone(tmp_path / "drawn", kind, bias=0.0)
    assert not has_untrained_pooler(load_encoder(folder, pooler="none"))  # it has none
    for load in (load_encoder, load_backbone, lambda folder: fetch_backbone(str(folder), None, tmp_path / "target")):
        with pytest.raises(InputError, match=r"drawn: its pooler was never trained .* `pooler` to fresh, norm or none"):
            load(folder)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("policy", WITHOUT_OWN)
@EACH_KIND
def test_the_other_policies_need_no_pooler_in_the_file(kind, policy, tmp_path):
    source, target = write_backbone(tmp_path / "source", kind, bias=0.0), tmp_path / "target"
    file = source / "model.safetensors"
    rest = {name: value for name, value in load_file(file).items() if not name.startswith("pooler")}
    save_file(rest, file, {"format": "pt"})
    with pytest.raises(InputError, match=r"lack pooler.*its pooler included"):
        load_encoder(source)
    fetch_backbone(str(source), None, target, pooler=policy)
    assert load_file(target / "model.safetensors").keys() == rest.keys()
    backbone = load_backbone(target)
    assert backbone.pooler == policy
    extra = DENSE if policy == "fresh" else 0
    assert count_parameters(backbone) == sum(value.numel() for value in rest.values()) + extra


def test_an_unknown_policy_is_named(tiny_bert, tmp_path):
    with pytest.raises(InputError, match=r"pooler: 'mean' is unknown; expected .*, norm, none or untrained"):
        fetch_backbone(str(tiny_bert), None, tmp_path / "bert", pooler="mean")


# --- what each policy is ----------------------------------------------------------------------------------------------


@torch.no_grad()
def test_each_policy_by_hand(folders):
    raw = torch.randn(3, 4, HIDDEN, generator=torch.Generator().manual_seed(0))
    backbones = {policy: backbone_of_run(folder, 5) for policy, folder in folders.items()}
    dense = load_file(f"{folders['pretrained']}/model.safetensors")
    expected = (raw @ dense["pooler.dense.weight"].T + dense["pooler.dense.bias"]).tanh()
    torch.testing.assert_close(backbones["pretrained"].pool(raw), expected)
    fresh = backbones["fresh"].dense
    torch.testing.assert_close(backbones["fresh"].pool(raw), (raw @ fresh.weight.T).tanh())
    assert not fresh.bias.any()
    centered = raw - raw.mean(dim=-1, keepdim=True)
    torch.testing.assert_close(
        backbones["norm"].pool(raw), centered / centered.square().mean(dim=-1, keepdim=True).sqrt()
    )
    assert torch.equal(backbones["none"].pool(raw), raw)


def test_a_fresh_pooler_holds_no_numbers_until_it_is_drawn(folders):
    backbone = load_backbone(folders["fresh"])
    assert backbone.pool(torch.ones(HIDDEN)).isnan().all()
    backbone.draw_pooler(torch.Generator().manual_seed(0))
    assert backbone.pool(torch.ones(HIDDEN)).isfinite().all()


def test_a_truncated_backbone_keeps_its_pooler(folders):
    backbone = backbone_of_run(folders["fresh"], 0)
    weight = backbone.dense.weight.clone()
    short = backbone.truncated(2)
    assert (short.num_layers, backbone.num_layers) == (2, LAYERS)
    assert torch.equal(short.dense.weight, weight)


def test_drawing_leaves_other_policies_and_the_global_generator_alone(folders):
    torch.manual_seed(3)
    expected = torch.rand(4)
    for folder in folders.values():
        torch.manual_seed(3)
        backbone_of_run(folder, 0)
        assert torch.equal(torch.rand(4), expected)
    for policy in ("pretrained", "norm", "none"):
        one, other = (backbone_of_run(folders[policy], seed).state_dict() for seed in (0, 1))
        assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_fresh_pooler_passes_the_scale_of_its_input_on(tmp_path):
    wide = write_backbone(tmp_path / "wide", "bert", hidden_size=256, pooler="fresh")
    dense = backbone_of_run(wide, 0).dense
    assert dense.weight.std().item() == pytest.approx(1 / 16, rel=0.02)
    small = 0.1 * torch.randn(64, 256, generator=torch.Generator().manual_seed(1))
    assert dense(small).square().mean().sqrt().item() == pytest.approx(0.1, rel=0.05)


@REAL
@torch.no_grad()
def test_the_pooler_of_minilm_is_untrained_and_the_other_policies_give_features_of_a_sane_scale(tmp_path):
    source, rms = str(Path(ENCODERS) / "all-MiniLM-L6-v2"), {}
    with pytest.raises(InputError, match=r"all-MiniLM-L6-v2: its pooler was never trained"):
        load_encoder(source)
    rows = FIT.batch(np.arange(24))
    for policy in WITHOUT_OWN:
        fetch_backbone(source, None, tmp_path / policy, exit_state="mean", pooler=policy)
        backbone = backbone_of_run(tmp_path / policy, 0)
        rms[policy] = backbone.pool(states(backbone, rows)).square().mean().sqrt().item()
    assert rms["norm"] == pytest.approx(1, rel=0.01)
    assert 0.1 < rms["fresh"] < 1
    shutil.copytree(source, tmp_path / "as-it-is")
    weight = load_file(f"{source}/model.safetensors")["pooler.dense.weight"].float()
    raw = states(backbone_of_run(tmp_path / "none", 0), rows)
    assert (raw @ weight.T).tanh().square().mean().sqrt().item() < rms["fresh"] / 3


# --- in every method --------------------------------------------------------------------------------------------------


@EACH_METHOD
def test_a_fresh_pooler_depends_on_the_seed_alone(name, folders):
    expected = {seed: backbone_of_run(folders["fresh"], seed).dense.weight for seed in (0, 1)}
    assert not torch.equal(expected[0], expected[1])
    for seed, weight in expected.items():
        model = build(name, folders["fresh"], seed)
        assert torch.equal(model.backbone.dense.weight, weight)


@EACH_POOLER
@EACH_METHOD
def test_heads_are_the_same_under_every_policy_and_all_are_trained(name, policy, folders):
    method = make_method(name, {})
    model, other = (build(name, folders[which], 0) for which in (policy, "pretrained"))
    for key, value in other.exits.state_dict().items():
        assert "pooler" in key or torch.equal(value, model.exits.state_dict()[key])
    model.train()
    schedule = Schedule(8, 1, stages=method.stages())
    goal = method.objective(schedule, 0, CPU)
    for step in range(8):
        if step == 0 or schedule.stage(step) != schedule.stage(step - 1):
            goal.begin_stage(schedule.stage(step), model, FIT)
        loss, _ = goal(model, BATCH, step)
        assert loss.isfinite()
        loss.backward()
    dense = model.backbone.dense
    assert (dense is None) == (policy in ("norm", "none"))
    if dense is not None and name != "gpfee":  # whose exits all have poolers of their own
        assert dense.weight.grad.any()


def visits(model):
    """What every exit is said to cost beyond the matrix products that are counted for it; logits equal to `forward`."""
    together, each, carry, rest = model.states(BATCH), model.outputs(BATCH), None, []
    for index in range(model.num_exits):
        with FlopCounterMode(display=False) as counter:
            here, carry = model.exits.forward_exit(index, together[:, index], model.backbone, carry)
        torch.testing.assert_close(here.logits, each.logits[:, index])
        rest.append(model.exits.flops(index, model.backbone) - counter.get_total_flops() / len(BATCH))
    return rest


@EACH_POOLER
@EACH_METHOD
@torch.no_grad()
def test_one_exit_after_the_other_is_all_at_once_and_costs_what_is_said(name, policy, folders):
    model, other = (build(name, folders[which], 0, num_classes=3).eval() for which in (policy, "pretrained"))
    model.exits.load_state_dict(other.exits.state_dict())
    shared = {
        "deebert": [0] * (LAYERS - 1) + [1],
        "berxit": [0] * (LAYERS - 1) + [1],
        "jeidnn": [0] * (LAYERS - 1) + [1],
        "gpfee": [0] * LAYERS,
    }
    norm = model.backbone.pool_flops() if policy == "norm" else 0.0  # not a matrix product
    through = shared.get(name, [1] * model.num_exits)
    assert visits(model) == [rest + norm * one for rest, one in zip(visits(other), through, strict=True)]


@pytest.mark.parametrize(("name", "own"), [("deebert", LAYERS - 1), ("berxit", LAYERS - 1), ("gpfee", LAYERS)])
def test_own_poolers_copy_the_shared_one_or_are_drawn_at_its_scale(name, own, folders):
    weights = {}
    for policy, folder in folders.items():
        model = build(name, folder, 0)
        (weights[policy],) = (v for key, v in model.exits.named_parameters() if key.endswith("pooler_weight"))
        assert weights[policy].shape == (own, HIDDEN, HIDDEN)
        if policy in ("norm", "none") or (name, policy) == ("gpfee", "fresh"):
            assert weights[policy].std().item() == pytest.approx(HIDDEN**-0.5, rel=0.1)
            assert not torch.equal(weights[policy][0], weights[policy][1])
        elif name != "gpfee":
            assert all(torch.equal(weight, model.backbone.dense.weight) for weight in weights[policy])
    assert torch.equal(weights["norm"], weights["none"])


@EACH_POOLER
def test_parameters_are_those_that_the_policy_has(policy, folders):
    model = build("cosee", folders[policy], 0)
    encoder = sum(v.numel() for k, v in load_file(f"{folders[policy]}/model.safetensors").items() if "pooler" not in k)
    pooler = DENSE if policy in ("fresh", *OWN) else 0
    assert count_parameters(model) == encoder + pooler + LAYERS * (2 * HIDDEN + 2)


@EACH_POOLER
def test_real_exits_are_the_simulated_ones(policy, folders):
    model, rule, rows = (
        build("cosee", folders[policy], 1).eval(),
        RULES["energy"],
        np.arange(24),
    )
    with torch.no_grad():
        model.exits.weight.mul_(40)
    logits = predict(model, FIT, 8).logits[rows]
    scores = rule.score(logits[:, :-1].astype(np.float64), None)
    taken = set()
    for threshold in between(scores):
        simulated = exit_layers(scores, threshold, rule.harder_is)
        real, layers = early_exit(model, FIT.batch(rows), rule, threshold)
        assert layers.tolist() == simulated.tolist()
        np.testing.assert_allclose(real.numpy(), logits[rows, simulated], rtol=1e-4, atol=1e-5)
        taken |= set(simulated.tolist())
    assert len(taken) > 2
    np.testing.assert_allclose(last_exit(model, FIT.batch(rows)).numpy(), logits[:, -1], rtol=1e-4, atol=1e-5)
