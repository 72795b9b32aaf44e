"""The mini encoders' form: what the first weights look at, and one computation as BERT and as ALBERT."""

import numpy as np
import pytest
import torch

from cosee.models.adapters import AlbertBackbone, BertBackbone
from cosee.synthetic.steps import encoder as form_of
from cosee.synthetic.steps.encoder import BESIDE, EQUAL, HEAD, HEADS, LEFT, RIGHT, Form, as_albert, first_encoder
from cosee.synthetic.steps.generation import pretraining_examples
from cosee.synthetic.steps.pretraining import states_of_layers
from cosee.synthetic.steps.targets import batch_targets
from cosee.synthetic.steps.vocabulary import CLS, PAD, SEP, build_tokenizer

VOCABULARY = build_tokenizer().get_vocab()
FORM = Form(len(VOCABULARY), PAD, CLS, SEP)


@pytest.fixture(scope="module")
def first():
    return first_encoder(FORM, 0).eval()


@pytest.fixture(scope="module")
def batch():
    return batch_targets(pretraining_examples(np.random.default_rng(0), 12), VOCABULARY, CLS, SEP, PAD)


def inputs(batch):
    return {"input_ids": torch.from_numpy(batch.ids), "token_type_ids": torch.from_numpy(batch.types)}


@torch.no_grad()
def attention(encoder, batch):
    """Shares of attention in the first layer [B, heads, T, T]."""
    states = encoder.embeddings(**inputs(batch))
    layer = encoder.encoder.layer[0].attention.self
    query, key = (part(states).unflatten(-1, (HEADS, HEAD)).transpose(1, 2) for part in (layer.query, layer.key))
    scores = query @ key.transpose(-1, -2) / HEAD**0.5
    return scores.masked_fill((inputs(batch)["input_ids"] == PAD)[:, None, None], -torch.inf).softmax(dim=-1)


@pytest.mark.parametrize(("head", "offset"), [(RIGHT, 2), (LEFT, -2)])
def test_two_heads_look_two_words_away(first, batch, head, offset):
    shares = attention(first, batch)[:, head, 4:20, :24]
    places = torch.arange(4, 20)
    assert (shares.argmax(dim=-1) == places + offset).float().mean() > 0.95


def test_one_looks_at_both_neighbours(first, batch):
    shares = attention(first, batch)[:, BESIDE, 4:20, :24].mean(dim=0)
    places = torch.arange(16)
    both = shares[places, places + 5] + shares[places, places + 3]
    assert both.mean() > 0.5 and (both > 3 * shares[places, places + 8]).all()


def test_one_looks_at_equal_words(first, batch):
    ids = torch.from_numpy(batch.ids)
    equal = (ids[:, :, None] == ids[:, None, :]).float()
    words = ids > 110  # no punctuation, no padding
    assert ((attention(first, batch)[:, EQUAL] * equal).sum(dim=-1)[words]).mean() > 0.8


@torch.no_grad()
def test_own_weights_start_as_copies(first, batch):
    deep = form_of.with_own_weights(first, FORM, 3).eval()
    assert len(deep.encoder.layer) == 3
    ids, types = torch.from_numpy(batch.ids), torch.from_numpy(batch.types)
    torch.testing.assert_close(states_of_layers(deep, 3, ids, types)[1], states_of_layers(first, 3, ids, types)[1])
    deep.encoder.layer[1].output.dense.weight.zero_()
    assert not torch.equal(deep.encoder.layer[0].output.dense.weight, deep.encoder.layer[1].output.dense.weight)


@torch.no_grad()
def test_the_albert_computes_the_same_at_every_exit(first, batch):
    mask = torch.from_numpy(batch.ids) != PAD
    arguments = (torch.from_numpy(batch.ids), mask, torch.from_numpy(batch.types))
    albert = AlbertBackbone(as_albert(first, FORM, 5))
    bert = BertBackbone(form_of.with_own_weights(first, FORM, 5).eval())
    torch.testing.assert_close(albert.states(*arguments), bert.states(*arguments), rtol=1e-4, atol=1e-4)
    pooled = [backbone.pool(backbone.states(*arguments)) for backbone in (albert, bert)]
    torch.testing.assert_close(*pooled, rtol=1e-4, atol=1e-4)


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, again, other = (first_encoder(FORM, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)  # the global generator is left alone
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["embeddings.word_embeddings.weight"], other["embeddings.word_embeddings.weight"])
