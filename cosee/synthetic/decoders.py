"""Pre-training of mini-GPT and mini-Mamba: the next token of the generated corpus, in minutes on a CPU.

The result is an ordinary encoder folder, like that of the mini encoders (`cosee.synthetic.pretraining`), with the same
corpus and vocabulary. An exit reads the last token, so what mini-BERT learns to say at [CLS] must be said at the end:
the word that connects two sentences follows them, "A [SEP] B [SEP] word", and is predicted from the state of the last
[SEP]. It is all that is predicted in half of these documents; in the others, and in single sentences, every token is.

Layers are stacked progressively, as in the mini encoders.
"""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path

import torch
from tokenizers import Tokenizer, processors
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import GPT2Config, GPT2Model, Mamba2Config, Mamba2Model, PreTrainedModel

from cosee.errors import InputError
from cosee.synthetic.generation import corpus
from cosee.synthetic.pretraining import (
    CONNECTIVE_ONLY,
    IGNORE,
    INIT_STD,
    MAX_LENGTH,
    VOCAB_SIZE,
    build_tokenizer,
    save_backbone,
)
from cosee.synthetic.stacking import duplicated, endless_batches, first_depth, train_stacked
from cosee.synthetic.wordpiece import PAD, SEP

LAYERS_AT = {"gpt": "h", "mamba2": "layers"}
"""Kind of decoder -> where transformers' model keeps its layers."""

STATE_SIZE = 8
CHUNK_SIZE = 32
"""Tokens that Mamba-2 scans at once, and to a multiple of which it pads: its own 256 would pad short texts tenfold."""


def make_decoder(
    folder: str | Path, *, kind: str, texts: int, seed: int, threads: int = 1, **settings: float
) -> list[float]:
    """Generate `texts` documents, pre-train a decoder on them and save it; returns the loss of every step.

    `settings` are those of `pretrain_decoder`: num_layers, hidden_size, steps, batch_size, learning_rate.

    Raises:
        InputError: the kind is unknown.
    """
    torch.set_num_threads(threads)
    documents = corpus(seed, texts)
    tokenizer = ended_tokenizer(build_tokenizer(documents, VOCAB_SIZE))
    model, losses = pretrain_decoder(kind, documents, tokenizer, seed=seed, **settings)
    save_backbone(folder, model, tokenizer)
    return losses


def ended_tokenizer(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer, changed in place to write "A [SEP]" and "A [SEP] B [SEP]"."""
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A [SEP]", pair="$A [SEP] $B:1 [SEP]:1", special_tokens=[("[SEP]", SEP)]
    )
    return tokenizer


def pretrain_decoder(
    kind: str,
    texts: Sequence[str],
    tokenizer: Tokenizer,
    *,
    num_layers: int,
    hidden_size: int,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> tuple[PreTrainedModel, list[float]]:
    """Next-token prediction with AdamW, linear warm-up and decay; words are read by the input's own embeddings.

    Args:
        kind: gpt or mamba2.
        texts: documents; a line break separates two sentences, of which the second opens with a connecting word.
        tokenizer: from `ended_tokenizer`.
        num_layers: depth of the decoder.
        hidden_size: H.
        steps: optimizer steps in total.
        batch_size: documents per step.
        learning_rate: its peak.
        seed: of weights, order and choices.

    Returns:
        The decoder (a `GPT2Model` or `Mamba2Model`), and the loss of every step.

    Raises:
        InputError: the kind is unknown.
    """
    with torch.random.fork_rng(devices=[]):  # transformers draws weights from the global generator
        torch.manual_seed(seed)
        model = _decoder(kind, tokenizer.get_vocab_size(), hidden_size, first_depth(num_layers))
        batches = _batches(*_documents(texts, tokenizer), batch_size, torch.Generator().manual_seed(seed))
        losses = train_stacked(
            model,
            lambda depth: _grow(model, kind, depth),
            lambda: next_token_loss(model, *next(batches)),
            num_layers=num_layers,
            steps=steps,
            learning_rate=learning_rate,
        )
    return model.eval(), losses


def next_token_loss(model: PreTrainedModel, ids: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of the predicted tokens; the logits of other positions are never computed.

    Args:
        model: a decoder without a language-model head.
        ids: token ids [B, T], padded on the right.
        labels: the next token where it is predicted, `IGNORE` elsewhere [B, T].

    Returns:
        Scalar loss.
    """
    predicted = labels != IGNORE
    states = model(input_ids=ids, attention_mask=(ids != PAD).long(), use_cache=False).last_hidden_state[predicted]
    return F.cross_entropy(F.linear(states, model.get_input_embeddings().weight), labels[predicted])


def next_tokens(ids: Tensor, connected: Tensor, quiet: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs and labels of a batch of documents.

    Args:
        ids: token ids [B, T], padded on the right.
        connected: whether the last token is a connecting word [B].
        quiet: whether only the last token is predicted, if it is such a word [B].

    Returns:
        Ids without the last column, and the next token where it is predicted, each [B, T-1].
    """
    following = ids[:, 1:]
    inside = following != PAD
    last = inside & ~F.pad(inside[:, 1:], (0, 1))
    predicted = inside & (last | ~(connected & quiet)[:, None])
    return ids[:, :-1], torch.where(predicted, following, IGNORE)


def _decoder(kind: str, vocab_size: int, hidden_size: int, num_layers: int) -> PreTrainedModel:
    sizes = {"vocab_size": vocab_size, "hidden_size": hidden_size, "num_hidden_layers": num_layers}
    special = {"pad_token_id": PAD, "bos_token_id": SEP, "eos_token_id": SEP}
    if kind == "gpt":
        config = GPT2Config(
            **sizes,
            **special,
            num_attention_heads=1,  # as in the mini encoders
            n_inner=2 * hidden_size,
            n_positions=MAX_LENGTH,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            initializer_range=INIT_STD,
        )
        model: PreTrainedModel = GPT2Model(config)
        with torch.no_grad():  # the word is to matter more than its place
            model.wpe.weight.mul_(0.5)
    elif kind == "mamba2":
        heads = {"num_heads": 2, "head_dim": hidden_size, "n_groups": 1, "expand": 2}
        model = Mamba2Model(
            Mamba2Config(
                **sizes,
                **special,
                **heads,
                state_size=STATE_SIZE,
                chunk_size=CHUNK_SIZE,
                initializer_range=INIT_STD,
            )
        )
    else:
        raise InputError(f"kind: {kind!r} is no mini decoder; expected {' or '.join(LAYERS_AT)}.")
    return model.train()


def _grow(model: PreTrainedModel, kind: str, num_layers: int) -> None:
    """Deepen a model in place: each layer is followed by its copies."""
    model.config.num_hidden_layers = num_layers
    layers = duplicated(attrgetter(LAYERS_AT[kind])(model), num_layers)
    for index, layer in enumerate(layers):
        for module in layer.modules():
            if hasattr(module, "layer_idx"):  # its place in the cache that generation uses
                module.layer_idx = index
    setattr(model, LAYERS_AT[kind], layers)


def _documents(texts: Sequence[str], tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """Padded ids [N, T], with the connecting word at the end, and whether there is one [N]."""
    pairs = [text.split("\n") for text in texts]
    first = tokenizer.encode_batch([pair[0] for pair in pairs])
    second = tokenizer.encode_batch([pair[1] if len(pair) == 2 else "" for pair in pairs])
    rows = []
    for one, other in zip(first, second, strict=True):
        word, rest = other.ids[:1], other.ids[1:]
        rest = rest if len(rest) > 1 else []  # a word alone is not framed: "A [SEP] word"
        rows.append(torch.tensor([*one.ids, *(rest + word if len(other.ids) > 1 else [])]))
    connected = torch.tensor([len(other.ids) > 1 for other in second])
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD), connected


def _batches(
    ids: Tensor, connected: Tensor, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches: inputs and labels of `next_tokens`."""
    lengths = (ids != PAD).sum(dim=1)
    for rows in endless_batches(lengths, batch_size, generator):
        quiet = torch.rand(len(rows), generator=generator) < CONNECTIVE_ONLY
        yield next_tokens(ids[rows, : lengths[rows].max()], connected[rows], quiet)
