"""Tiny encoders with fixed weights, and examples that they can learn, in milliseconds instead of minutes."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel, PreTrainedConfig

from cosee.data.tokens import TokenSplit
from cosee.models.text_ends import end_texts

HIDDEN, LAYERS = 16, 4
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(len(SPECIALS))
GOOD, BAD = ("good", "great", "fine", "funny"), ("bad", "dull", "poor", "slow")
PLAIN = (
    "the a film was and people liked it story plot music actor is not very we you they saw went home then now old new"
)
OTHER = tuple(PLAIN.split())
VOCABULARY = {token: index for index, token in enumerate((*SPECIALS, *GOOD, *BAD, *OTHER))}
END = len(VOCABULARY)  # id of the token that ends a decoder's text
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
    "bert": {},
    "ernie": {"use_task_id": True},
    "albert": {"embedding_size": 8},
    "mpnet": {"pad_token_id": 1},
    "roberta": {"pad_token_id": 1, "type_vocab_size": 1},
    "camembert": {"pad_token_id": 1, "type_vocab_size": 1},
    "xlm-roberta": {"pad_token_id": 1, "type_vocab_size": 1},
    "electra": {"embedding_size": 8},
    "distilbert": {"hidden_dim": 32, "dropout": 0.1, "attention_dropout": 0.1},
    # that of the third version, with a window that some pairs exceed
    "deberta-v2": {
        "type_vocab_size": 0,
        "relative_attention": True,
        "position_buckets": 4,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
    },
    "modernbert": {
        "local_attention": 6,
        "global_attn_every_n_layers": 2,
        "mlp_dropout": 0.1,
        "attention_dropout": 0.1,
        "embedding_dropout": 0.1,
        **{f"{role}_token_id": number for role, number in (("bos", CLS), ("cls", CLS), ("eos", SEP), ("sep", SEP))},
    },
    "gpt2": {"n_inner": 32, "bos_token_id": END},
    "gpt_neox": {"rotary_pct": 0.5, "hidden_dropout": 0.1},
    "llama": {"num_key_value_heads": 1, "attention_dropout": 0.1},
    "qwen2": {"num_key_value_heads": 1, "attention_dropout": 0.1},
    "mamba": {"state_size": 4, "time_step_rank": 4},
    "mamba2": {"state_size": 4, "num_heads": 2, "head_dim": HIDDEN, "n_groups": 1, "chunk_size": 8},
}
"""transformers' type of encoder -> what its configuration has besides `CONFIG`."""

DECODERS = ("gpt2", "gpt_neox", "llama", "qwen2", "mamba", "mamba2")
ROBERTAS = ("mpnet", "roberta", "camembert", "xlm-roberta")


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


def decoder_tokenizer() -> Tokenizer:
    """A word-level cousin of GPT-2's tokenizer: no special token but the one that ends texts, which is not added."""
    made = Tokenizer(models.WordLevel(VOCABULARY | {"<|endoftext|>": END}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    made.add_special_tokens(["<|endoftext|>"])
    return made


def tokenizer_of(kind: str) -> Tokenizer:
    """The tokenizer of a type of encoder."""
    if kind in DECODERS:
        return decoder_tokenizer()
    return mpnet_tokenizer() if kind in ROBERTAS else tokenizer()


def configuration(kind: str, **changes: Any) -> PreTrainedConfig:
    """The configuration of a tiny encoder."""
    sizes = CONFIG | {"vocab_size": len(VOCABULARY) + 1, "eos_token_id": END} if kind in DECODERS else CONFIG
    return AutoConfig.for_model(kind, **sizes | KINDS[kind] | changes)


def write_backbone(folder: Path, kind: str, seed: int = 0, bias: float = 1e-6, **changes: Any) -> Path:
    """Write an encoder folder (config.json, model.safetensors, tokenizer.json) with weights drawn from `seed`.

    `bias` is that of the pooler, which is taken for a trained one unless it is zero.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = AutoModel.from_config(configuration(kind, **changes))
        pooler = encoder.pooler.modules() if getattr(encoder, "pooler", None) is not None else ()
        for dense in (module for module in pooler if isinstance(module, torch.nn.Linear)):
            dense.weight.data.mul_(3)
            dense.bias.data.fill_(bias)
    encoder.save_pretrained(folder)
    tokenizer_of(kind).save(str(folder / "tokenizer.json"))
    if kind in DECODERS:
        end_texts(folder / "tokenizer.json", END)
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
