import numpy as np
import pytest
import torch
from helpers.models import make_model
from helpers.tiny import LAYERS, token_split

from cosee.data.batches import DeviceSplit
from cosee.methods import METHODS, make_method
from cosee.models.heads import HEAD_STD, LinearExits
from cosee.models.loading import load_backbone
from cosee.models.randomness import torch_generator
from cosee.training.schedule import Schedule


@pytest.fixture(scope="module")
def batch():
    return DeviceSplit(token_split(9), torch.device("cpu")).batch(np.arange(9))


@pytest.mark.parametrize("num_classes", [2, 3])
@torch.no_grad()
def test_every_exit_is_a_linear_head_on_the_shared_pooler(tiny_bert, batch, num_classes):
    model = make_model(tiny_bert, num_classes)
    logits = model(batch)
    states = model.backbone.states(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    assert logits.shape == (9, LAYERS, num_classes)
    for m in range(LAYERS):
        pooled = torch.tanh(model.backbone.encoder.pooler.dense(states[:, m]))
        expected = pooled @ model.exits.weight[m].T + model.exits.bias[m]
        torch.testing.assert_close(logits[:, m], expected)
        torch.testing.assert_close(model.exits.forward_exit(m, states[:, m], model.backbone, None)[0].logits, expected)


@torch.no_grad()
def test_exits_may_sit_after_some_layers_only(tiny_bert, batch):
    every, some = make_model(tiny_bert), make_model(tiny_bert, depths=[2, LAYERS])
    some.exits.weight.copy_(every.exits.weight[[1, LAYERS - 1]])
    assert some.num_exits == 2
    torch.testing.assert_close(some(batch), every(batch)[:, [1, LAYERS - 1]])


def test_fresh_heads_are_small_and_drawn_from_their_generator_alone():
    before = torch.get_rng_state()
    heads = LinearExits(12, 500, 3, 0.1, torch_generator(1, "heads"))
    assert torch.equal(torch.get_rng_state(), before)
    assert heads.weight.std().item() == pytest.approx(HEAD_STD, rel=0.02)
    assert heads.bias.count_nonzero() == 0
    assert torch.equal(heads.weight, LinearExits(12, 500, 3, 0.1, torch_generator(1, "heads")).weight)
    assert not torch.equal(heads.weight, LinearExits(12, 500, 3, 0.1, torch_generator(2, "heads")).weight)


def test_dropout_acts_on_the_pooled_state_in_training_only(tiny_bert, batch):
    model = make_model(tiny_bert, dropout=1.0)
    with torch.no_grad():
        assert model(batch).std() > 0
        model.exits.train()
        assert model(batch).count_nonzero() == 0  # all pooled states dropped: the zero biases are left


def test_all_exits_train_the_shared_pooler_and_the_first_layer(tiny_bert, batch):
    model = make_model(tiny_bert)
    encoder = model.backbone.encoder
    for m in range(LAYERS):
        model.zero_grad(set_to_none=False)
        model(batch)[:, m].sum().backward()
        gradients = [layer.output.dense.weight.grad for layer in encoder.encoder.layer]
        assert [g is not None and bool(g.any()) for g in gradients] == [index <= m for index in range(LAYERS)]
        assert encoder.pooler.dense.weight.grad.any()


# --- mixed precision --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_in_bf16_the_encoder_alone_computes_in_bf16(name, tiny_bert, batch):
    method = make_method(name, {})
    model = method.build(load_backbone(tiny_bert), 2, 0).train()
    model.mixed_precision = True
    seen = {}

    def watch(part):
        return lambda module, inputs, output: seen.__setitem__(part, output.dtype)

    for part, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(watch(part))
    goal = method.objective(Schedule(9, 1, stages=method.stages()), 0, torch.device("cpu"))
    goal.begin_stage(0, model, DeviceSplit(token_split(9), torch.device("cpu")))
    seen.clear()  # some begin with a prediction, which is float32
    loss, parts = goal(model, batch, 0)
    layers = {part for part in seen if ".encoder.encoder.layer." in part}
    assert len(layers) == 6 * LAYERS and {seen[part] for part in layers} == {torch.bfloat16}
    assert {dtype for part, dtype in seen.items() if part not in layers} <= {torch.float32}
    assert {loss.dtype, *(part.dtype for part in parts.values() if part.is_floating_point())} == {torch.float32}
    loss.backward()
    assert {p.grad.dtype for p in model.parameters() if p.grad is not None} == {torch.float32}


@pytest.mark.parametrize(("mixed", "fused"), [(False, True), (True, False)])
def test_on_a_cpu_attention_is_fused_in_float32_only(tiny_bert, batch, mixed, fused):
    model = make_model(tiny_bert).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # nor is it with dropout
    model.mixed_precision = mixed
    with torch.profiler.profile() as seen:
        model(batch)
    names = {event.key for event in seen.key_averages()}
    assert ("aten::_scaled_dot_product_flash_attention_for_cpu" in names) == fused
    assert ("aten::_scaled_dot_product_attention_math" in names) != fused


@torch.no_grad()
def test_heads_add_no_rounding_to_that_of_the_encoder(tiny_bert, batch):
    model = make_model(tiny_bert)
    exact = model(batch)
    model.mixed_precision = True
    assert torch.equal(model(batch), exact)  # an evaluation is float32
    for part in model.backbone.encoder.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
        if hasattr(part, "dropout_prob"):
            part.dropout_prob = 0.0
    model.train()
    for attention in (layer.attention.self for layer in model.backbone.encoder.encoder.layer):
        attention.dropout = torch.nn.Dropout(0.0)
    states, logits = model.states(batch), model(batch)
    assert states.dtype == logits.dtype == torch.float32
    assert torch.equal(logits, model.exits(states, model.backbone).logits)
    rounded = (exact - logits).abs().max()
    assert 0 < rounded < 0.1 * exact.std()
