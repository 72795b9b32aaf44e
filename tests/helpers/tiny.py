"""Tiny encoders with fixed weights, and examples that they can learn, in milliseconds instead of minutes."""

from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AlbertConfig, AlbertModel, BertConfig, BertModel, MPNetConfig, MPNetModel

from cosee.data.tokens import TokenSplit

HIDDEN, LAYERS = 16, 4
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(len(SPECIALS))
GOOD, BAD = ("good", "great", "fine", "funny"), ("bad", "dull", "poor", "slow")
PLAIN = (
    "the a film was and people liked it story plot music actor is not very we you they saw went home then now old new"
)
OTHER = tuple(PLAIN.split())
VOCABULARY = {token: index for index, token in enumerate((*SPECIALS, *GOOD, *BAD, *OTHER))}
CONFIG = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "pad_token_id": PAD,
    # Ten times BERT's: with its 0.02 so narrow a network is almost constant, and no test could tell outputs apart.
    "initializer_range": 0.2,
}

KINDS = {
    "bert": (BertConfig, BertModel, {}),
    "albert": (AlbertConfig, AlbertModel, {"embedding_size": 8}),
    "mpnet": (MPNetConfig, MPNetModel, {"pad_token_id": 1}),
}


def tokenizer() -> Tokenizer:
    """A word-level cousin of BERT's tokenizer."""
    made = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)],
    )
    made.add_special_tokens(list(SPECIALS))
    return made


def mpnet_tokenizer() -> Tokenizer:
    """A word-level cousin of MPNet's tokenizer: other special tokens, pairs without segments, "[PAD]" a mere word."""
    names = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    vocabulary = {word: VOCABULARY[word] for word in (*GOOD, *BAD, *OTHER)}
    vocabulary |= {name: number for number, name in enumerate(names)} | {"[PAD]": len(VOCABULARY)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="<unk>"))
    made.normalizer, made.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    made.add_special_tokens(list(names))
    return made


def write_backbone(folder: Path, kind: str, seed: int = 0, bias: float = 1e-6, **changes: int | str) -> Path:
    """Write an encoder folder (config.json, model.safetensors, tokenizer.json) with weights drawn from `seed`.

    `bias` is that of the pooler, which is taken for a trained one unless it is zero.
    """
    config, model, own = KINDS[kind]
    settings = CONFIG | own | changes
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = model(config(**settings))
        for dense in (module for module in encoder.pooler.modules() if isinstance(module, torch.nn.Linear)):
            dense.weight.data.mul_(3)
            dense.bias.data.fill_(bias)
    encoder.save_pretrained(folder)
    (mpnet_tokenizer() if kind == "mpnet" else tokenizer()).save(str(folder / "tokenizer.json"))
    return folder


def token_split(rows: int, seed: int = 0, shortest: int = 4, longest: int = 12) -> TokenSplit:
    """Rows of two segments, of random length, whose label says whether the good or the bad words prevail."""
    rng = np.random.default_rng(seed)
    good, bad = ([VOCABULARY[word] for word in words] for words in (GOOD, BAD))
    ids, second, labels = [], [], []
    for _ in range(rows):
        label, length = int(rng.integers(2)), int(rng.integers(shortest, longest + 1))
        words = rng.integers(len(SPECIALS) + len(GOOD) + len(BAD), len(VOCABULARY), length - 3)
        words[0] = rng.choice(good if label else bad)
        cut = int(rng.integers(1, length - 2))
        ids.append(np.array([CLS, *words[:cut], SEP, *words[cut:], SEP], dtype=np.int32))
        second.append(cut + 2)
        labels.append(label)
    return TokenSplit(
        ids=np.concatenate(ids),
        offsets=np.concatenate([[0], np.cumsum([len(row) for row in ids])]),
        second=np.array(second),
        labels=np.array(labels),
        idx=np.arange(rows) + 100,
    )
