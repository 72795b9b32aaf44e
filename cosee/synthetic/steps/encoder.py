"""The mini encoders' form: their first weights, and the same weights as a BERT or an ALBERT.

Both begin as one BERT layer that is applied again and again. Its weights do not start at random alone: so few words
leave no time to discover what attention is for. A state has three parts, for the word, its place and what has been
found out. Of the five heads, three look at the words two to the right, two to the left, and beside; one looks at equal
words; and one hands [CLS] a word that it can look for. What is looked at, and what is made of it, is learned.
"""

import re
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import AlbertConfig, AlbertModel, BertConfig, BertModel

WORD, PLACE, FOUND = 32, 16, 32
"""Parts of a state: the word, its place (sines and cosines), and what has been found out."""
HEAD = 16
HEADS = 5
RIGHT, LEFT, BESIDE, EQUAL, QUESTION = range(HEADS)
HIDDEN = WORD + PLACE + FOUND
MAX_TOKENS = 64
INIT_STD = 0.04
WORD_STD = 0.1
POSITION_GAIN = 1.5
EQUALITY_GAIN = 1.5
COPY_GAIN = 0.7
LENGTH_KEEPING = (WORD / HEAD) ** 0.5


@dataclass(frozen=True)
class Form:
    """Sizes that BERT and ALBERT share.

    Attributes:
        vocab_size: entries of the vocabulary.
        pad: id of [PAD].
        cls: id of [CLS].
        sep: id of [SEP].
    """

    vocab_size: int
    pad: int
    cls: int
    sep: int

    def settings(self, layers: int) -> dict[str, object]:
        """Arguments that the configurations of BERT and ALBERT share."""
        return {
            "vocab_size": self.vocab_size,
            "hidden_size": HIDDEN,
            "num_hidden_layers": layers,
            "num_attention_heads": HEADS,
            "intermediate_size": 2 * HIDDEN,
            "max_position_embeddings": MAX_TOKENS,
            "hidden_act": "gelu",
            "hidden_dropout_prob": 0.0,  # the runs are too short to overfit
            "attention_probs_dropout_prob": 0.0,
            "initializer_range": INIT_STD,
            "layer_norm_eps": 1e-12,
            "pad_token_id": self.pad,
            "attn_implementation": "sdpa",
        }


def first_encoder(form: Form, seed: int) -> BertModel:
    """A BERT of one layer whose heads have their tasks; the rest is drawn."""
    with torch.random.fork_rng(devices=[]):  # transformers draws weights from the global generator
        torch.manual_seed(seed)
        encoder = BertModel(BertConfig(**form.settings(1)))
        with torch.no_grad():
            rates = 2.5 * 0.06 ** (torch.arange(PLACE // 2) / (PLACE // 2 - 1))  # radians per position
            _embeddings(encoder, rates)
            _heads(encoder.encoder.layer[0].attention, rates)
    return encoder.train()


def _embeddings(encoder: BertModel, rates: Tensor) -> None:
    """Words in their part of the state, places in theirs, nothing found out yet."""
    embeddings = encoder.embeddings
    for weight in (embeddings.word_embeddings.weight, embeddings.token_type_embeddings.weight):
        weight.zero_()
    embeddings.word_embeddings.weight[:, :WORD].normal_(0, WORD_STD)
    embeddings.token_type_embeddings.weight[1, :WORD].normal_(0, WORD_STD / 2)
    angles = torch.arange(float(MAX_TOKENS))[:, None] * rates
    places = WORD_STD * 2**0.5 * torch.cat([angles.sin(), angles.cos()], dim=1)
    embeddings.position_embeddings.weight.zero_()
    embeddings.position_embeddings.weight[:, WORD : WORD + PLACE] = places


def _rotation(angles: Tensor) -> Tensor:
    """Matrix [PLACE, PLACE] by which sines and cosines of a place become those of a place further on."""
    cosine, sine = torch.diag(angles.cos()), torch.diag(angles.sin())
    return torch.cat([torch.cat([cosine, sine], dim=1), torch.cat([-sine, cosine], dim=1)])


def _orthonormal_rows() -> Tensor:
    """A random projection of words [HEAD, WORD]; times `LENGTH_KEEPING` it keeps their lengths on average."""
    return torch.linalg.qr(torch.randn(WORD, WORD))[0][:HEAD]


def _heads(attention: torch.nn.Module, rates: Tensor) -> None:
    query, key, value = (getattr(attention.self, name).weight for name in ("query", "key", "value"))
    output = attention.output.dense.weight
    rows = [slice(head * HEAD, (head + 1) * HEAD) for head in range(HEADS)]
    place, found = slice(WORD, WORD + PLACE), slice(WORD + PLACE, WORD + PLACE + HEAD)
    for weight in (query, key):
        weight.normal_(0, INIT_STD / 2)
    # where three heads look by place
    turns = {RIGHT: _rotation(2 * rates), LEFT: _rotation(-2 * rates)}
    turns[BESIDE] = 0.75 * (_rotation(rates) + _rotation(-rates))
    for head, turn in turns.items():
        query[rows[head], place] += POSITION_GAIN * turn
        key[rows[head], place] += POSITION_GAIN * torch.eye(PLACE)
    # where one looks by word
    equal, words = _orthonormal_rows(), _orthonormal_rows()
    query[rows[EQUAL], :WORD] += EQUALITY_GAIN * LENGTH_KEEPING * equal
    key[rows[EQUAL], :WORD] += EQUALITY_GAIN * LENGTH_KEEPING * equal
    # what they take: what has been found out there, and the word beside it
    for head in (RIGHT, LEFT, EQUAL):
        value[rows[head], found] += torch.eye(HEAD)
        output[found, rows[head]] += COPY_GAIN * torch.eye(HEAD)
    for head in (RIGHT, LEFT):
        value[rows[head], :WORD] += 0.5 * LENGTH_KEEPING * words
    # a word that [CLS] can look for
    value[rows[QUESTION], :WORD] += equal
    output[:WORD, rows[QUESTION]] += equal.T


def with_own_weights(encoder: BertModel, form: Form, layers: int) -> BertModel:
    """A BERT of `layers` layers, each a copy of the one layer of `encoder`."""
    deep = BertModel(BertConfig(**form.settings(layers)))
    weights = encoder.state_dict()
    sources = {name: re.sub(r"^encoder\.layer\.\d+\.", "encoder.layer.0.", name) for name in deep.state_dict()}
    deep.load_state_dict({name: weights[source].clone() for name, source in sources.items()})
    return deep.train()


ALBERT_NAMES = {
    "attention.self.": "attention.",
    "attention.output.": "attention.",
    "intermediate.dense.": "ffn.",
    "output.dense.": "ffn_output.",
    "output.LayerNorm.": "full_layer_layer_norm.",
}
"""Beginnings of the names of a BERT layer's parameters -> ALBERT's; the first that fits holds."""


def as_albert(encoder: BertModel, form: Form, layers: int) -> AlbertModel:
    """An ALBERT that applies the one layer of `encoder` `layers` times, and computes the same."""
    settings = form.settings(layers) | {
        "embedding_size": HIDDEN,
        "bos_token_id": form.cls,
        "eos_token_id": form.sep,
        "classifier_dropout_prob": 0.0,
    }
    albert = AlbertModel(AlbertConfig(**settings))
    inner, renamed = "encoder.albert_layer_groups.0.albert_layers.0.", {}
    for name, weight in encoder.state_dict().items():
        if name.startswith("encoder.layer.0."):
            rest = name.removeprefix("encoder.layer.0.")
            old = next(beginning for beginning in ALBERT_NAMES if rest.startswith(beginning))
            renamed[inner + rest.replace(old, ALBERT_NAMES[old], 1)] = weight.clone()
        else:
            renamed[name.replace("pooler.dense.", "pooler.")] = weight.clone()
    mapping = "encoder.embedding_hidden_mapping_in."
    renamed |= {f"{mapping}weight": torch.eye(HIDDEN), f"{mapping}bias": torch.zeros(HIDDEN)}
    albert.load_state_dict(renamed)
    return albert.eval()
