"""Encoders and examples of known shapes, with random weights and tokens, on which the cost does not depend."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosee.data.tokens import TokenSplit
from cosee.seeds import numpy_generator

ENCODERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "mini": {
            "model_type": "bert",
            "vocab_size": 533,
            "hidden_size": 48,
            "num_attention_heads": 1,
            "intermediate_size": 96,
            "max_position_embeddings": 128,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        "bert-base": {"model_type": "bert", "vocab_size": 30_522},
    }
)
"""Shapes: transformers configurations, by the names of the presets' encoders; the defaults are BERT-base."""

FAMILIES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "mini-BERT": ENCODERS["mini"],
        "mini-GPT": {
            "model_type": "gpt2",
            "vocab_size": 533,
            "hidden_size": 48,
            "num_hidden_layers": 12,
            "num_attention_heads": 1,
            "n_inner": 96,
            "n_positions": 128,
            "resid_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
            "bos_token_id": 0,
            "eos_token_id": 0,
        },
        "mini-Mamba": {
            "model_type": "mamba2",
            "vocab_size": 533,
            "hidden_size": 48,
            "num_hidden_layers": 12,
            "state_size": 8,
            "num_heads": 2,
            "head_dim": 48,
            "n_groups": 1,
            "chunk_size": 32,
        },
    }
)
"""Shapes of the encoders in the preset `decoders`, the first being what the others are compared with."""

LENGTHS: Mapping[str, tuple[int, float, float, int]] = MappingProxyType(
    {"sst2": (3, 1.28, 8.42, 66), "mnli": (5, 3.5, 9.75, 128)}
)
"""Token lengths of a task's training examples: shortest, shape and scale of a gamma distribution above it, longest.

Fitted by mean and variance to lengths under BERT's uncased vocabulary: means 13.3 (SST-2) and 38.7 (MNLI).
"""


def drawn_lengths(task: str, rows: int, seed: int = 0) -> NDArray[np.int64]:
    """Random token lengths [N] of a task of `LENGTHS`."""
    shortest, shape, scale, longest = LENGTHS[task]
    drawn = shortest - 0.5 + numpy_generator(seed, "lengths").gamma(shape, scale, rows)
    return np.rint(drawn).astype(np.int64).clip(shortest, longest)


def rows_for(encoder: str, task: str, rows: int) -> TokenSplit:
    """Random examples in the vocabulary of an encoder of `ENCODERS`, with the lengths of a task of `LENGTHS`."""
    return random_rows(drawn_lengths(task, rows), ENCODERS[encoder]["vocab_size"])


def random_rows(lengths: NDArray[np.int64], vocabulary: int, seed: int = 0, num_classes: int = 2) -> TokenSplit:
    """Examples of random tokens and labels with the given lengths [N], of one segment."""
    rng = numpy_generator(seed, "tokens")
    return TokenSplit(
        ids=rng.integers(1, vocabulary, int(lengths.sum()), dtype=np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        second=np.array(lengths),
        labels=rng.integers(num_classes, size=len(lengths)),
        idx=np.arange(len(lengths)),
    )
