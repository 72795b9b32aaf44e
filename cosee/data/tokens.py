"""Token ids of a task: encoded once, stored without padding, one flat array per split.

Needs the library `tokenizers` only, not transformers, whose import takes seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cosee.errors import InputError
from cosee.io import load_arrays, save_arrays
from cosee.provenance import file_digest

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_UNKNOWN = 0.5
"""Fraction of unknown tokens above which the tokenizer is rejected as broken or made for another language."""


ORIGIN = "origin"
"""In names of arrays, in place of a split: what the token ids were made from."""


@dataclass(frozen=True)
class TokenSplit:
    """Token ids of one split, example after example.

    Attributes:
        ids: token ids of all examples, special tokens included [total length], int32.
        offsets: example n is ids[offsets[n]:offsets[n+1]] [N+1], int64.
        second: position in the example at which the second segment begins; its length for single sentences [N].
        labels: label ids, -1 if they are not public [N].
        idx: GLUE's example numbers [N].
        steps: number of facts that each answer takes [N]; None where the source does not say.
    """

    ids: np.ndarray
    offsets: np.ndarray
    second: np.ndarray
    labels: np.ndarray
    idx: np.ndarray
    steps: np.ndarray | None = None

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
        steps = None if self.steps is None else self.steps[rows]
        return TokenSplit(self.ids[positions], offsets, self.second[rows], self.labels[rows], self.idx[rows], steps)


def encode(rows: pd.DataFrame, tokenizer_file: str | Path, max_length: int) -> dict[str, TokenSplit]:
    """Encode the examples of `cosee.data.glue.cut_splits`, split by split.

    Pairs longer than `max_length` lose tokens from the longer segment first.

    Raises:
        InputError: the tokenizer cannot be read, or turns most of the text into unknown tokens.
    """
    tokenizer = _tokenizer(tokenizer_file)
    unknown = next((i for token in ("[UNK]", "<unk>") if (i := tokenizer.token_to_id(token)) is not None), -1)

    splits = {}
    for split, frame in rows.groupby("split", sort=False):
        single = (frame["text_b"] == "").all()
        columns = [frame["text_a"]] if single else [frame["text_a"], frame["text_b"]]
        texts = beginnings(tokenizer, list(zip(*columns, strict=True)), max_length)
        tokenizer.enable_truncation(max_length, strategy="longest_first")
        tokenizer.no_padding()
        encodings = tokenizer.encode_batch([text[0] if single else text for text in texts])
        lengths = np.array([len(e.ids) for e in encodings])
        splits[str(split)] = TokenSplit(
            ids=np.concatenate([np.array(e.ids, dtype=np.int32) for e in encodings]),
            offsets=np.concatenate([[0], np.cumsum(lengths)]),
            second=lengths - np.array([sum(e.type_ids) for e in encodings]),
            labels=frame["label"].to_numpy(copy=True),  # pandas gives a read-only view
            idx=frame["idx"].to_numpy(copy=True),
            steps=frame["steps"].to_numpy(copy=True) if "steps" in frame and frame["steps"].any() else None,
        )
    share = np.mean(np.concatenate([s.ids for s in splits.values()]) == unknown)
    if share > MAX_UNKNOWN:
        raise InputError(
            f"{tokenizer_file}: {share:.0%} of all tokens are unknown; "
            "expected the tokenizer that belongs to the backbone."
        )
    return splits


KEPT = 8
"""Tokens that `beginnings` leaves of a long text, in multiples of the largest number that an example may have."""


def beginnings(tokenizer: "Tokenizer", texts: Sequence[tuple[str, ...]], max_length: int) -> list[tuple[str, ...]]:
    """Examples without the ends of very long texts, of which truncation to `max_length` tokens would leave nothing.

    The tokenizer keeps what it truncates, and of a pair every combination of two pieces: without this, the memory of a
    pair grows with the product of its lengths. So many tokens are left that truncation, longest segment first, gives
    the same tokens as for the whole texts; where both texts have more than `KEPT` times `max_length`, that with more
    characters counts as the longer, which decides which of them has the odd token.

    Args:
        tokenizer: its truncation and padding are switched off.
        texts: the one or two texts of each example.
        max_length: largest number of tokens of an example.
    """
    tokenizer.no_truncation()
    tokenizer.no_padding()
    limit = KEPT * max_length
    cut = []
    for example in texts:
        longest = max(map(len, example))
        cut.append(
            example
            if longest <= limit  # a token has a character at least
            else tuple(_beginning(tokenizer, text, limit + 1 + (len(text) == longest)) for text in example)
        )
    return cut


def _beginning(tokenizer: "Tokenizer", text: str, limit: int) -> str:
    """The text up to the end of its token number `limit`; no more of it is read than that takes."""
    size = 2 * limit
    while len(text) >= limit:
        encoding = tokenizer.encode(text[:size], add_special_tokens=False)
        words = encoding.word_ids
        # The end of what was read may be a part of a word, whose tokens are others than those of the whole.
        whole = len(words) if size >= len(text) else next((i for i, w in enumerate(words) if w == words[-1]), 0)
        if whole >= limit:
            return text[: encoding.offsets[limit - 1][1]]
        if size >= len(text):
            break
        size *= 4
    return text


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


def save_tokens(
    path: str | Path,
    splits: Mapping[str, TokenSplit],
    task: str | None = None,
    tokenizer_file: str | Path | None = None,
) -> None:
    """Write all splits of a task to one .npz file, with the name of the task and the digest of the tokenizer."""
    fields = ((f"{name}.{field}", array) for name, split in splits.items() for field, array in vars(split).items())
    arrays = {name: array for name, array in fields if array is not None}
    if task is not None:
        arrays[f"{ORIGIN}.task"] = np.asarray(task)
    if tokenizer_file is not None:
        arrays[f"{ORIGIN}.tokenizer"] = np.asarray(file_digest(tokenizer_file))
    save_arrays(path, arrays)


def load_tokens(path: str | Path) -> dict[str, TokenSplit]:
    """Read a file written by `save_tokens`.

    Raises:
        InputError: the file is missing, truncated or of another kind.
    """
    fields: dict[str, dict[str, np.ndarray]] = {}
    for key, array in load_arrays(path).items():
        split, _, field = key.partition(".")
        if split != ORIGIN:
            fields.setdefault(split, {})[field] = array
    try:
        splits = {split: TokenSplit(**arrays) for split, arrays in fields.items()}
    except TypeError as error:
        raise InputError(f"{path}: not a file of token ids; delete it and build it again.") from error
    for name, split in splits.items():
        if not _is_consistent(split):
            raise InputError(f"{path}: the split {name} is damaged; delete it and build it again.")
    return splits


def _is_consistent(split: TokenSplit) -> bool:
    """Whether the arrays of a split fit together, and there is an example."""
    arrays = [array for array in vars(split).values() if array is not None]
    if any(array.ndim != 1 or array.dtype.kind not in "iu" for array in arrays) or not len(split):
        return False
    count = len(split)
    return bool(
        {len(split.second), len(split.idx), len(split.offsets) - 1} == {count}
        and (split.steps is None or len(split.steps) == count)
        and split.offsets[0] == 0
        and split.offsets[-1] == len(split.ids)
        and (split.lengths > 0).all()
        and split.ids.min() >= 0
        and ((split.second >= 0) & (split.second <= split.lengths)).all()
    )


def check_origin(path: str | Path, task: str, tokenizer_file: str | Path) -> None:
    """Check that token ids are of a task, and by a tokenizer; a file that does not say so passes.

    Raises:
        InputError: they are of another task, or by another tokenizer.
    """
    origin = {key: str(array) for key, array in load_arrays(path).items() if key.startswith(f"{ORIGIN}.")}
    made_for = origin.get(f"{ORIGIN}.task", task)
    if made_for != task:
        raise InputError(f"{path}: holds token ids of {made_for}; expected those of {task}.")
    if origin.get(f"{ORIGIN}.tokenizer", digest := file_digest(tokenizer_file)) != digest:
        raise InputError(
            f"{path}: was made with another tokenizer than {tokenizer_file}; give the token ids of this encoder."
        )


def _tokenizer(file: str | Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the Rust side raises a bare Exception
        raise InputError(f"{file}: not a tokenizer file ({error}).") from error
