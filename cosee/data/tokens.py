"""Token ids of a task: encoded once, stored without padding, one flat array per split.

Needs the library `tokenizers` only, not transformers, whose import takes seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cosee.errors import InputError
from cosee.io import load_arrays, save_arrays

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_UNKNOWN = 0.5
"""Fraction of unknown tokens above which the tokenizer is rejected as broken or made for another language."""


@dataclass(frozen=True)
class TokenSplit:
    """Token ids of one split, example after example.

    Attributes:
        ids: token ids of all examples, special tokens included [total length], int32.
        offsets: example n is ids[offsets[n]:offsets[n+1]] [N+1], int64.
        second: position in the example at which the second segment begins; its length for single sentences [N].
        labels: label ids, -1 if they are not public [N].
        idx: GLUE's example numbers [N].
    """

    ids: np.ndarray
    offsets: np.ndarray
    second: np.ndarray
    labels: np.ndarray
    idx: np.ndarray

    def __len__(self) -> int:
        """N, the number of examples."""
        return len(self.labels)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens per example [N]."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray) -> "TokenSplit":
        """The examples at the given positions, in that order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        positions = np.repeat(self.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return TokenSplit(self.ids[positions], offsets, self.second[rows], self.labels[rows], self.idx[rows])


def encode(rows: pd.DataFrame, tokenizer_file: str | Path, max_length: int) -> dict[str, TokenSplit]:
    """Encode the examples of `cosee.data.glue.cut_splits`, split by split.

    Pairs longer than `max_length` lose tokens from the longer segment first.

    Raises:
        InputError: the tokenizer cannot be read, or turns most of the text into unknown tokens.
    """
    tokenizer = _tokenizer(tokenizer_file)
    tokenizer.enable_truncation(max_length, strategy="longest_first")
    tokenizer.no_padding()
    unknown = next((i for token in ("[UNK]", "<unk>") if (i := tokenizer.token_to_id(token)) is not None), -1)

    splits = {}
    for split, frame in rows.groupby("split", sort=False):
        single = (frame["text_b"] == "").all()
        texts = list(frame["text_a"]) if single else list(zip(frame["text_a"], frame["text_b"], strict=True))
        encodings = tokenizer.encode_batch(texts)
        lengths = np.array([len(e.ids) for e in encodings])
        splits[str(split)] = TokenSplit(
            ids=np.concatenate([np.array(e.ids, dtype=np.int32) for e in encodings]),
            offsets=np.concatenate([[0], np.cumsum(lengths)]),
            second=lengths - np.array([sum(e.type_ids) for e in encodings]),
            labels=frame["label"].to_numpy(copy=True),  # pandas gives a read-only view
            idx=frame["idx"].to_numpy(copy=True),
        )
    share = np.mean(np.concatenate([s.ids for s in splits.values()]) == unknown)
    if share > MAX_UNKNOWN:
        raise InputError(
            f"{tokenizer_file}: {share:.0%} of all tokens are unknown; "
            "expected the tokenizer that belongs to the backbone."
        )
    return splits


def check_tokens(splits: Mapping[str, TokenSplit], vocab_size: int, max_positions: int | None, where: str) -> None:
    """Check that an encoder can read the examples.

    Args:
        splits: the examples.
        vocab_size: token ids that the encoder knows.
        max_positions: tokens that it can read; None: any number.
        where: begins the message of an error.

    Raises:
        InputError: a token id or a length exceeds the encoder's vocabulary or positions.
    """
    positions = "any number of" if max_positions is None else max_positions
    for name, split in splits.items():
        too_long = max_positions is not None and split.lengths.max() > max_positions
        if split.ids.max() >= vocab_size or too_long:
            raise InputError(
                f"{where}: the split {name} has token ids up to {split.ids.max()} and examples of up to "
                f"{split.lengths.max()} tokens, but the encoder has {vocab_size} ids and {positions} positions; "
                "use the encoder's own tokenizer, and no more tokens per example than it has positions."
            )


def padding_id(tokenizer_file: str | Path) -> int:
    """Id of the padding token; 0 if the tokenizer names none, as the attention mask hides it anyway.

    The tokenizer's own padding setting has priority, then its special tokens, then its words: MPNet's vocabulary holds
    a word "[PAD]", but MPNet pads with "<pad>" and counts positions over the other tokens.

    Raises:
        InputError: the tokenizer cannot be read.
    """
    tokenizer = _tokenizer(tokenizer_file)
    if tokenizer.padding is not None:
        return tokenizer.padding["pad_id"]
    special = {token.content: number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    words = tokenizer.get_vocab()
    return next((known[token] for known in (special, words) for token in ("[PAD]", "<pad>") if token in known), 0)


OFFSET_POSITIONS = ("camembert", "mpnet", "roberta", "xlm-roberta")
"""Types of encoders that count positions from their padding id + 1, so their first positions are never used."""


def max_positions(encoder: Mapping[str, Any]) -> int | None:
    """Largest number of tokens per example, by an encoder's transformers configuration; None: any (Mamba)."""
    names = ("max_position_embeddings", "n_positions")  # GPT-2 has the second
    positions = next((encoder[name] for name in names if name in encoder), None)
    unused = encoder["pad_token_id"] + 1 if encoder["model_type"] in OFFSET_POSITIONS else 0
    return None if positions is None else positions - unused


def save_tokens(path: str | Path, splits: Mapping[str, TokenSplit]) -> None:
    """Write all splits of a task to one .npz file."""
    arrays = {f"{name}.{field}": array for name, split in splits.items() for field, array in vars(split).items()}
    save_arrays(path, arrays)


def load_tokens(path: str | Path) -> dict[str, TokenSplit]:
    """Read a file written by `save_tokens`.

    Raises:
        InputError: the file is missing, truncated or of another kind.
    """
    fields: dict[str, dict[str, np.ndarray]] = {}
    for key, array in load_arrays(path).items():
        split, _, field = key.partition(".")
        fields.setdefault(split, {})[field] = array
    try:
        return {split: TokenSplit(**arrays) for split, arrays in fields.items()}
    except TypeError as error:
        raise InputError(f"{path}: not a file of token ids; delete it and build it again.") from error


def _tokenizer(file: str | Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the Rust side raises a bare Exception
        raise InputError(f"{file}: not a tokenizer file ({error}).") from error
