"""What holds for the adapter of every family: stepping is the encoder's own forward pass, and exits work as on BERT."""

import inspect

import numpy as np
import pytest
import torch
from helpers.models import exits_as_simulated
from helpers.tiny import CLS, DECODERS, HIDDEN, KINDS, LAYERS, ROBERTAS, configuration, token_split, write_backbone
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel

from cosee.data.batches import DeviceSplit
from cosee.errors import InputError
from cosee.exiting.online import last_exit
from cosee.exiting.rules import RULES
from cosee.methods import make_method
from cosee.models.adapters import ADAPTERS
from cosee.models.fetching import fetch_backbone
from cosee.models.heads import LinearExits
from cosee.models.loading import backbone_of_run, empty_backbone, load_backbone
from cosee.models.multi_exit import MultiExitModel, count_parameters
from cosee.models.poolers import POOLERS
from cosee.models.prediction import predict

CPU = torch.device("cpu")
EACH = pytest.mark.parametrize("kind", KINDS)
DECODER = pytest.mark.parametrize("kind", DECODERS)
ENCODER = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in DECODERS])
MAMBAS = ("mamba", "mamba2")
SEGMENTS = ("bert", "ernie", "albert", "electra")
LONG = 30  # tokens of the longest example: several times the window of the tiny ModernBERT, chunks of the Mamba-2


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folder of a tiny encoder of every type."""
    base = tmp_path_factory.mktemp("families")
    return {kind: write_backbone(base / kind, kind) for kind in KINDS}


@pytest.fixture
def folder(kind, folders):
    return folders[kind]


def split_of(kind, longest=LONG):
    return DeviceSplit(token_split(9, longest=longest), CPU, 1 if kind in ROBERTAS else 0)


def padded(kind):
    batch = split_of(kind).batch(np.arange(9))
    assert not batch.attention_mask.all()
    return batch


def states(backbone, batch):
    return backbone.states(batch.input_ids, batch.attention_mask, batch.token_type_ids)


def steps(backbone, batch):
    """Hidden states after every layer, each [B, T, H]."""
    hidden, mask = backbone.embed(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    found = []
    for index in range(backbone.num_layers):
        hidden = backbone.layer(index, hidden, mask)
        found.append(hidden)
    return found


def own_states(kind, folder, batch):
    """What transformers' own model says its hidden states are, after every layer, and after the last one's norm."""
    own = AutoModel.from_pretrained(folder).eval()
    inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask.long()}
    if kind in SEGMENTS:
        inputs["token_type_ids"] = batch.token_type_ids
    output = own(**inputs, output_hidden_states=True)
    given = output.hidden_states
    return (given[:LAYERS] if kind in MAMBAS else given[1:]), output.last_hidden_state


def test_every_adapter_is_tested():
    assert KINDS.keys() == ADAPTERS.keys()


@EACH
@torch.no_grad()
def test_stepping_is_the_encoders_own_forward_bit_for_bit(kind, folder):
    """At all real tokens; what padding turns into is nobody's business but must be finite."""
    backbone, batch = load_backbone(folder).eval(), padded(kind)
    expected, last = own_states(kind, folder, batch)
    found = steps(backbone, batch)
    real = batch.attention_mask
    normed = found[-1] if backbone.final_norm is None else backbone.final_norm(found[-1])
    assert torch.equal(normed[real], last[real])
    for one, other in zip(found[:-1], expected[: LAYERS - 1], strict=True):
        assert torch.equal(one[real], other[real])
        assert one.isfinite().all()
    assert len({float(one.abs().sum()) for one in found}) == LAYERS  # every layer does something


@EACH
@torch.no_grad()
def test_exits_read_their_state_of_every_layer(kind, folder):
    backbone, batch = load_backbone(folder).eval(), padded(kind)
    read = states(backbone, batch)
    lengths = batch.attention_mask.sum(dim=1)
    for index, hidden in enumerate(steps(backbone, batch)):
        for row, length in enumerate(lengths):
            expected = hidden[row, length - 1 if kind in DECODERS else 0]
            torch.testing.assert_close(read[row, index], expected)
    assert read.std(dim=0).min() > 1e-4  # or nothing above would tell one example from another


@EACH
@torch.no_grad()
def test_neither_padding_nor_company_changes_an_example(kind, folder):
    backbone, split = load_backbone(folder).eval(), split_of(kind)
    together = states(backbone, split.batch(np.arange(9)))
    for n in range(9):
        alone = split.batch(np.array([n]))
        assert alone.attention_mask is None
        torch.testing.assert_close(states(backbone, alone)[0], together[n])


@EACH
@torch.no_grad()
def test_a_mask_without_padding_is_no_mask(kind, folder):
    backbone, batch = load_backbone(folder).eval(), padded(kind)
    ids, types = batch.input_ids[:, :4], batch.token_type_ids[:, :4]
    everything = torch.ones_like(ids, dtype=torch.bool)
    torch.testing.assert_close(backbone.states(ids, None, types), backbone.states(ids, everything, types))


@EACH
@torch.no_grad()
def test_an_example_of_one_token(kind, folder):
    backbone = load_backbone(folder).eval()
    ids = torch.tensor([[CLS, 7, 9], [CLS, 0, 0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    none = torch.zeros_like(ids)
    together = backbone.states(ids, mask, none)
    torch.testing.assert_close(together[1:], backbone.states(ids[1:, :1], None, none[1:, :1]))


@EACH
@pytest.mark.parametrize("depth", [1, 3])
@torch.no_grad()
def test_a_truncated_encoder_is_the_start_of_the_whole(kind, depth, folder):
    short, batch = load_backbone(folder).truncated(depth).eval(), padded(kind)
    expected = states(load_backbone(folder).eval(), batch)[:, :depth]
    torch.testing.assert_close(states(short, batch), expected)
    if kind != "albert":
        assert len(short.layers) == depth
        assert count_parameters(short) < count_parameters(load_backbone(folder))


@ENCODER
def test_the_shortcut_through_the_last_layer_changes_no_gradient(kind, folder):
    gradients = []
    for whole in (False, True):
        backbone, batch = load_backbone(folder).eval(), padded(kind)
        if whole:
            backbone.cls_of_layer = lambda *layer, step=backbone.layer: step(*layer)[:, 0]
        states(backbone, batch).square().sum().backward()
        gradients.append({n: p.grad for n, p in backbone.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() and len(gradients[0]) > 10
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name])


@EACH
def test_all_weights_of_the_layers_are_trained_after_an_evaluation(kind, folder):
    """Tables that an evaluation has cached must not stop gradients."""
    backbone, batch = load_backbone(folder), padded(kind)
    with torch.inference_mode():
        states(backbone.eval(), batch)
    backbone.train()
    backbone.unpooled(states(backbone, batch)).square().sum().backward()
    without = [n for n, p in backbone.named_parameters() if p.grad is None or not p.grad.any()]
    # A key's bias adds the same to all scores of a query; poolers and unused embeddings are not read here.
    assert not [n for n in without if not any(part in n for part in ("pooler", "key.bias", "k_lin.bias", "fresh"))], (
        without
    )


@DECODER
@torch.no_grad()
def test_no_token_sees_a_later_one(kind, folder):
    backbone, batch = load_backbone(folder).eval(), padded(kind)
    other = batch.input_ids.clone()
    other[:, 3:] = (other[:, 3:] + 5) % 30
    one = steps(backbone, batch)
    hidden, mask = backbone.embed(other, batch.attention_mask, batch.token_type_ids)
    for index in range(LAYERS):
        hidden = backbone.layer(index, hidden, mask)
        torch.testing.assert_close(hidden[:, :3], one[index][:, :3])
        assert not torch.allclose(hidden[:, 3], one[index][:, 3])


@DECODER
def test_exits_of_a_decoder_do_not_read_its_first_token(kind, tmp_path):
    folder = write_backbone(tmp_path / kind, kind, exit_state="cls")
    with pytest.raises(
        InputError, match=rf"'cls' is the state of a token that sees no other .* '{kind}'; expected mean"
    ):
        load_backbone(folder)


@EACH
@torch.no_grad()
def test_exits_may_read_the_mean_over_the_tokens(kind, tmp_path):
    backbone = load_backbone(write_backbone(tmp_path / kind, kind, exit_state="mean")).eval()
    batch = padded(kind)
    read = states(backbone, batch)
    for index, hidden in enumerate(steps(backbone, batch)):
        for row, mask in enumerate(batch.attention_mask):
            torch.testing.assert_close(read[row, index], hidden[row, mask].mean(dim=0))


# --- poolers ----------------------------------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("policy", POOLERS)
@torch.no_grad()
def test_each_pooler_with_each_family(kind, policy, tmp_path):
    """What exits are given; families without a pooler of their own refuse it in a sentence."""
    folder, own = write_backbone(tmp_path / kind, kind, pooler=policy), policy in ("pretrained", "untrained")
    if own and not ADAPTERS[kind].own_poolers:
        with pytest.raises(InputError, match=rf"type '{kind}' have no pooler of their own; set `pooler` to fresh"):
            load_backbone(folder)
        return
    backbone = backbone_of_run(folder, 3).eval()
    state = 3 * torch.randn(5, HIDDEN, generator=torch.Generator().manual_seed(0)) + 1
    normed = state if backbone.final_norm is None else backbone.final_norm(state)
    given = backbone.pool(state)
    if own:
        dense, activation = backbone.own_pooler()
        assert torch.equal(given, activation(dense(state)))
        cost = 2 * HIDDEN**2
    elif policy == "fresh":
        torch.testing.assert_close(given, (normed @ backbone.fresh.weight.T).tanh())
        cost = 2 * HIDDEN**2 + (5 * HIDDEN if backbone.final_norm is not None else 0)
    elif policy == "norm":
        scale = given.square().mean(dim=-1)
        torch.testing.assert_close(scale, torch.ones(5), rtol=1e-3, atol=0)  # the tiny final norms are fresh: gain 1
        cost = 5 * HIDDEN
    else:
        assert torch.equal(given, state)
        cost = 0
    assert backbone.pool_flops() == cost


@EACH
def test_the_default_pooler_and_state_of_each_family(kind, folder):
    backbone = load_backbone(folder)
    expected = {"modernbert": "norm"} | dict.fromkeys(DECODERS, "norm")
    expected |= dict.fromkeys(("bert", "ernie", "albert", "mpnet"), "pretrained")
    assert backbone.pooler == expected.get(kind, "fresh")
    assert backbone.exit_state == ("last" if kind in DECODERS else "cls")


# --- cost -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in MAMBAS])
@pytest.mark.parametrize("tokens", [5, 11])
@torch.no_grad()
def test_the_cost_of_a_layer_is_that_of_its_matrix_products(kind, tokens, folder):
    backbone = load_backbone(folder).eval()
    backbone.encoder.config._attn_implementation = "eager"  # whose products are counted one by one
    hidden, mask = backbone.embed(torch.full((1, tokens), 7), None, torch.zeros(1, tokens, dtype=torch.long))
    with FlopCounterMode(display=False) as counter:
        backbone.layer(1, hidden, mask)
    distances = 2 * 2 * 8 * HIDDEN**2 if kind == "deberta-v2" else 0  # its embeddings of 8 distances, twice: per batch
    assert backbone.layer_flops(tokens) == counter.get_total_flops() - distances


@pytest.mark.parametrize(
    ("kind", "per_token"),  # H = 16, E = 32, N = 4, K = 4
    [
        # in and out 6HE, step rank 4 with its inputs and outputs, convolution, scan
        ("mamba", 3072 + 2 * 32 * (4 + 8) + 2 * 4 * 32 + 2 * 4 * 32 + 9 * 32 * 4),
        # in 2H(2E + 2N + 2 heads), out 2EH, convolution over E + 2N channels, scan
        ("mamba2", 2 * 16 * (64 + 8 + 2) + 2 * 32 * 16 + 2 * 4 * (32 + 8) + 6 * 32 * 4),
    ],
)
def test_the_cost_of_a_mamba_block_by_hand(kind, per_token, folder):
    backbone = load_backbone(folder)
    assert backbone.layer_flops(1) == per_token
    assert backbone.layer_flops(100) == 100 * per_token
    linear = [m for m in backbone.layers[0].modules() if isinstance(m, torch.nn.Linear)]
    projections = sum(2 * m.in_features * m.out_features for m in linear)
    assert per_token / 2 < projections < per_token


# --- early exit, and models that are saved ----------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("check_every", [1, 3])
def test_early_exit_is_the_simulated_one(kind, check_every, folder):
    backbone, split, rows = backbone_of_run(folder, 1), split_of(kind), np.arange(9)
    heads = LinearExits(LAYERS, HIDDEN, 2, 0.1, torch.Generator().manual_seed(1))
    with torch.no_grad():
        heads.weight.mul_(40)
    model, rule, close = MultiExitModel(backbone, heads).eval(), RULES["energy"], {"rtol": 1e-3, "atol": 1e-4}
    logits = predict(model, split, 4).logits
    scores = rule.score(logits[:, :-1].astype(np.float64), None)
    assert len(exits_as_simulated(model, split.batch(rows), rule, scores, logits, check_every=check_every, **close)) > 1
    np.testing.assert_allclose(last_exit(model, split.batch(rows)).numpy(), logits[:, -1], **close)


@EACH
@torch.no_grad()
def test_weights_come_back_into_an_empty_encoder(kind, folder):
    """As runs are stored: the trained weights in one file, the encoder's configuration in another."""
    trained = make_method("cosee", {}).build(backbone_of_run(folder, 2), 2, 2)
    config = load_backbone(folder).encoder.config.to_dict()
    empty = make_method("cosee", {}).build(empty_backbone(config), 2, 9)
    empty.load_state_dict(trained.state_dict())
    batch = padded(kind)
    assert torch.equal(trained.eval()(batch), empty.eval()(batch))


@EACH
@pytest.mark.parametrize("dropout", [None, 0.0])
def test_an_encoder_is_fetched_whole(kind, dropout, folder, tmp_path):
    fetch_backbone(str(folder), None, tmp_path / kind, dropout)
    fetched, original = backbone_of_run(tmp_path / kind, 0), backbone_of_run(folder, 0)
    assert all(torch.equal(value, original.state_dict()[name]) for name, value in fetched.state_dict().items())
    shares = {m.p for m in fetched.modules() if isinstance(m, torch.nn.Dropout)}
    assert dropout is None or shares <= {0.0}
    batch = padded(kind)
    torch.manual_seed(0)
    noisy = [states(fetched.train(), batch) for _ in range(2)]
    assert torch.equal(*noisy) == (dropout == 0 or not fetched.dropouts)


@pytest.mark.parametrize("kind", MAMBAS)
def test_dropout_that_an_encoder_does_not_have_is_refused(kind, folder, tmp_path):
    with pytest.raises(InputError, match=r"dropout: .* has none to set to 0\.1"):
        fetch_backbone(str(folder), None, tmp_path / kind, 0.1)


@EACH
def test_dropout_has_the_names_of_the_family(kind):
    config = configuration(kind)
    assert all(name in inspect.signature(type(config)).parameters for name in ADAPTERS[kind].dropouts)
