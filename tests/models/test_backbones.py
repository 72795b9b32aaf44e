import json
import shutil

import numpy as np
import pytest
import torch
from helpers.tiny import HIDDEN, LAYERS, token_split
from transformers import AutoModel, BertConfig, BertModel

from cosee.data.batches import DeviceSplit
from cosee.errors import InputError
from cosee.models.loading import load_backbone

KINDS = pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert", "tiny_albert_groups", "tiny_mpnet"])


@pytest.fixture
def folder(kind, request):
    return request.getfixturevalue(kind)


def with_exit_state(source, folder, exit_state):
    """A copy of an encoder folder whose exits read something else."""
    shutil.copytree(source, folder)
    config = json.loads((folder / "config.json").read_text()) | {"exit_state": exit_state}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def padded_batch():
    batch = DeviceSplit(token_split(9), torch.device("cpu")).batch(np.arange(9))
    assert not batch.attention_mask.all()
    return batch


def hidden_before(backbone, batch, index):
    """Hidden states that a layer (0-based) is given, and the mask."""
    hidden, mask = backbone.embed(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    for earlier in range(index):
        hidden = backbone.layer(earlier, hidden, mask)
    return hidden, mask


def inputs(batch) -> dict[str, torch.Tensor]:
    return {
        "input_ids": batch.input_ids,
        "attention_mask": batch.attention_mask.long(),
        "token_type_ids": batch.token_type_ids,
    }


@KINDS
@torch.no_grad()
def test_stepping_through_the_layers_is_the_encoders_own_forward_bit_for_bit(folder):
    """The last state that an exit reads is only close: its feed-forward part is a product of fewer rows.

    Which kernel multiplies matrices, and so the order of its sums, may depend on the number of rows.
    """
    backbone = load_backbone(folder).eval()
    batch = padded_batch()
    expected = AutoModel.from_pretrained(folder).eval()(**inputs(batch), output_hidden_states=True)
    hidden, mask = backbone.embed(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    for index in range(LAYERS):
        hidden = backbone.layer(index, hidden, mask)
        assert torch.equal(hidden, expected.hidden_states[index + 1])
    states = backbone.states(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    assert states.shape == (9, LAYERS, HIDDEN)
    *earlier, last = [h[:, 0] for h in expected.hidden_states[1:]]
    assert torch.equal(states[:, :-1], torch.stack(earlier, dim=1))
    torch.testing.assert_close(states[:, -1], last)
    assert states.std(dim=0).min() > 1e-4  # or nothing above would tell one row from another


@KINDS
def test_of_the_last_layer_only_the_first_token_goes_through_the_feed_forward_part(folder):
    backbone, batch = load_backbone(folder), padded_batch()
    widths = []
    kind = torch.nn.Linear
    wide = [m for m in backbone.modules() if isinstance(m, kind) and m.out_features > max(HIDDEN, m.in_features)]
    for linear in wide:
        linear.register_forward_hook(lambda _, inputs, __: widths.append(inputs[0].shape[:-1].numel()))
    backbone.states(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    assert widths == [batch.input_ids.numel()] * (LAYERS - 1) + [9]


@KINDS
def test_leaving_that_out_changes_no_gradient(folder):
    gradients = []
    for whole in (False, True):
        backbone, batch = load_backbone(folder).eval(), padded_batch()
        if whole:
            backbone.cls_of_layer = lambda *layer, step=backbone.layer: step(*layer)[:, 0]
        backbone.states(batch.input_ids, batch.attention_mask, batch.token_type_ids).square().sum().backward()
        gradients.append({n: p.grad for n, p in backbone.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name])


@KINDS
@torch.no_grad()
def test_exits_may_read_the_mean_over_the_tokens_of_a_row(folder, tmp_path):
    mean = load_backbone(with_exit_state(folder, tmp_path / "mean", "mean")).eval()
    batch = padded_batch()
    hidden = mean.encoder(**inputs(batch), output_hidden_states=True).hidden_states[1:]
    states = mean.states(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    for row, mask in enumerate(batch.attention_mask):
        expected = torch.stack([layer[row, mask].mean(dim=0) for layer in hidden])
        torch.testing.assert_close(states[row], expected)
    ids, types = batch.input_ids[:, :4], batch.token_type_ids[:, :4]
    whole = torch.ones_like(ids, dtype=torch.bool)
    torch.testing.assert_close(mean.states(ids, None, types), mean.states(ids, whole, types))


def test_an_unknown_exit_state_is_named(tiny_bert, tmp_path):
    with pytest.raises(InputError, match="exit_state: 'max' is unknown; expected cls, mean or last"):
        load_backbone(with_exit_state(tiny_bert, tmp_path / "max", "max"))


@KINDS
@torch.no_grad()
def test_the_pooler_gives_the_pooler_output(folder):
    backbone, batch = load_backbone(folder).eval(), padded_batch()
    expected = backbone.encoder(**inputs(batch))
    assert torch.equal(backbone.pool(expected.last_hidden_state[:, 0]), expected.pooler_output)
    states = backbone.states(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    torch.testing.assert_close(backbone.pool(states)[:, -1], expected.pooler_output)


@KINDS
@torch.no_grad()
def test_an_absent_mask_means_that_nothing_is_padded(folder):
    backbone, batch = load_backbone(folder).eval(), padded_batch()
    ids, types = batch.input_ids[:, :4], batch.token_type_ids[:, :4]
    with_mask = backbone.states(ids, torch.ones_like(ids, dtype=torch.bool), types)
    torch.testing.assert_close(backbone.states(ids, None, types), with_mask)


@KINDS
@torch.no_grad()
def test_padding_does_not_change_a_row(folder):
    backbone, split = load_backbone(folder).eval(), DeviceSplit(token_split(9), torch.device("cpu"))
    batch = split.batch(np.arange(9))
    together = backbone.states(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    for n in range(9):
        alone = split.batch(np.array([n]))
        states = backbone.states(alone.input_ids, alone.attention_mask, alone.token_type_ids)
        torch.testing.assert_close(states[0], together[n])


@KINDS
@pytest.mark.parametrize("depth", [1, 2, 3, LAYERS])
@torch.no_grad()
def test_a_truncated_backbone_is_the_start_of_the_full_one(folder, depth):
    full, short, batch = load_backbone(folder).eval(), load_backbone(folder).truncated(depth).eval(), padded_batch()
    states = short.states(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    expected = full.states(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    assert short.num_layers == depth
    assert torch.equal(states[:, : depth - 1], expected[:, : depth - 1])
    if depth == LAYERS:
        assert torch.equal(states, expected)
    torch.testing.assert_close(states[:, -1], expected[:, depth - 1])  # a product of fewer rows, as above
    whole = short.layer(depth - 1, *hidden_before(short, batch, depth - 1))
    assert torch.equal(whole, full.layer(depth - 1, *hidden_before(full, batch, depth - 1)))


def test_without_a_depth_nothing_is_truncated(tiny_bert):
    backbone = load_backbone(tiny_bert)
    assert backbone.truncated(None) is backbone and backbone.num_layers == LAYERS


@pytest.mark.parametrize("depth", [0, -1, LAYERS + 1])
def test_an_impossible_depth_is_named(tiny_bert, depth):
    with pytest.raises(InputError, match=rf"{depth} layers .* 4; expected 1 to 4"):
        load_backbone(tiny_bert).truncated(depth)


@torch.no_grad()
def test_a_truncated_bert_is_a_bert_with_fewer_layers(tiny_bert):
    short = load_backbone(tiny_bert).truncated(2).eval()
    own = BertModel(BertConfig.from_pretrained(tiny_bert, num_hidden_layers=2)).eval()
    own.load_state_dict(short.encoder.state_dict())  # strict: nothing of the dropped layers is left
    batch = padded_batch()
    states = short.states(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    expected = own(**inputs(batch)).last_hidden_state
    assert torch.equal(short.layer(1, *hidden_before(short, batch, 1)), expected)
    torch.testing.assert_close(states[:, -1], expected[:, 0])  # a product of fewer rows


def test_albert_with_two_groups_uses_both(tiny_albert_groups):
    backbone = load_backbone(tiny_albert_groups)
    called = []
    for number, group in enumerate(backbone.encoder.encoder.albert_layer_groups):
        group.albert_layers[0].attention.register_forward_hook(lambda *_, number=number: called.append(number))
    batch = padded_batch()
    backbone.states(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    assert called == [0, 0, 1, 1]
