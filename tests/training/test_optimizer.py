import copy

import pytest
import torch

from cosee.methods.cosee import Cosee
from cosee.models.loading import load_backbone
from cosee.runs.weights import save_weights
from cosee.training.optimizer import make_optimizer, update

KINDS = pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])


def model_of(kind, request):
    return Cosee().build(load_backbone(request.getfixturevalue(kind)), 2, 0)


def plain_optimizer(model, learning_rate, weight_decay):
    """The same groups, with the parameters as they are."""
    norms = {f"{where}.weight" for where, module in model.named_modules() if isinstance(module, torch.nn.LayerNorm)}
    plain = [p for name, p in model.named_parameters() if name in norms or name.endswith("bias")]
    decayed = [p for name, p in model.named_parameters() if not (name in norms or name.endswith("bias"))]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=learning_rate)


def give_gradients(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.sum(parameter * torch.randn(parameter.shape, generator=generator)).backward()


@KINDS
def test_biases_and_norms_are_not_decayed(kind, request):
    model = model_of(kind, request)
    before = copy.deepcopy(model.state_dict())
    optimizer = make_optimizer(model, 0.1, 0.3)
    update(optimizer, 0.1, 1.0)  # all gradients are zero: only the decay changes anything
    decayed = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    norms = {f"{where}.weight" for where, module in model.named_modules() if isinstance(module, torch.nn.LayerNorm)}
    zero = {name for name, value in before.items() if not value.any()}
    assert len(norms) >= 3 and "exits.weight" in decayed
    names = {name for name, _ in model.named_parameters()}
    assert decayed == names - norms - {name for name in names if name.endswith("bias")} - zero


@KINDS
def test_steps_are_those_of_adamw_on_the_separate_parameters(kind, request):
    model = model_of(kind, request)
    expected = copy.deepcopy(model)
    flat, plain = make_optimizer(model, 0.01, 0.1), plain_optimizer(expected, 0.01, 0.1)
    for step in range(4):
        rate = 0.01 / (1 + step)
        for group in plain.param_groups:
            group["lr"] = rate
        give_gradients(model, step), give_gradients(expected, step)
        torch.nn.utils.clip_grad_norm_(expected.parameters(), 0.5)
        plain.step(), plain.zero_grad()
        update(flat, rate, 0.5)
    torch.testing.assert_close(model.state_dict(), expected.state_dict(), rtol=1e-5, atol=1e-6)


def test_frozen_parameters_stay_as_they_are_and_may_thaw_later(tiny_bert):
    model = Cosee().build(load_backbone(tiny_bert), 2, 0)
    begin = copy.deepcopy(model.state_dict())
    make_optimizer(model, 0.01, 0.1)
    for trains in ("exits", "backbone"):
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith(trains))
        optimizer, before = make_optimizer(model, 0.01, 0.1), copy.deepcopy(model.state_dict())
        give_gradients(model, 0)
        update(optimizer, 0.01, 1.0)
        moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
        assert moved == {name for name, _ in model.named_parameters() if name.startswith(trains)}
    assert {name for name, value in model.state_dict().items() if torch.equal(value, begin[name])} == set()


def test_weights_in_one_tensor_are_written_one_by_one(tiny_bert, tmp_path):
    from safetensors.torch import load_file

    model = Cosee().build(load_backbone(tiny_bert), 2, 0)
    make_optimizer(model, 0.01, 0.0)
    save_weights(tmp_path / "model.safetensors", model)
    found = load_file(tmp_path / "model.safetensors")
    assert found.keys() == model.state_dict().keys()
    assert all(torch.equal(value, found[name]) for name, value in model.state_dict().items())
    assert (tmp_path / "model.safetensors").stat().st_size < 4 * sum(v.numel() for v in found.values()) + 20_000


def test_heads_may_have_a_rate_of_their_own(tiny_bert):
    model = Cosee().build(load_backbone(tiny_bert), 2, 0)
    expected = copy.deepcopy(model)
    flat = make_optimizer(model, 0.01, 0.1, head_factor=5.0)
    heads = [name for name, _ in expected.named_parameters() if not name.startswith("backbone.encoder.")]
    assert heads and all(name.startswith("exits.") for name in heads)
    plain = torch.optim.AdamW(
        [
            {"params": [parameter], "lr": 0.01 * (5 if name in heads else 1), "weight_decay": decay}
            for name, parameter in expected.named_parameters()
            for decay in [0.0 if name.endswith("bias") or parameter.dim() == 1 else 0.1]
        ]
    )
    for step in range(3):
        give_gradients(model, step), give_gradients(expected, step)
        torch.nn.utils.clip_grad_norm_(expected.parameters(), 0.5)
        plain.step(), plain.zero_grad()
        update(flat, 0.01, 0.5)
    for (name, found), (_, wanted) in zip(model.named_parameters(), expected.named_parameters(), strict=True):
        torch.testing.assert_close(found, wanted, msg=name)
