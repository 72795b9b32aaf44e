"""Small vocabularies: a tokenizer that knows some words whole, and spells all others letter by letter."""

import string
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(len(SPECIALS))

_LETTERS = string.ascii_lowercase + string.digits
ALPHABET = (*SPECIALS, *_LETTERS, *string.punctuation, *(f"##{letter}" for letter in _LETTERS))
"""The first entries of every vocabulary: the special tokens, and what other words are spelled with."""


def normalizer() -> normalizers.BertNormalizer:
    """What changes a text before it is split: capitals and accents go."""
    return normalizers.BertNormalizer(lowercase=True)


def splitter() -> pre_tokenizers.BertPreTokenizer:
    """What splits a text into words and punctuation marks."""
    return pre_tokenizers.BertPreTokenizer()


def wordpiece_tokenizer(words: Iterable[str]) -> Tokenizer:
    """A lower-casing WordPiece tokenizer that frames texts as BERT's does; its ids are `ALPHABET`, then `words`."""
    vocabulary = {entry: index for index, entry in enumerate(dict.fromkeys([*ALPHABET, *words]))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer(), splitter()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)],
    )
    tokenizer.add_special_tokens(list(SPECIALS))
    return tokenizer


def save_tokenizer(folder: str | Path, tokenizer: Tokenizer, max_tokens: int) -> None:
    """Save a tokenizer as `AutoTokenizer` reads it."""
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_tokens,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **dict(zip(names, SPECIALS, strict=True)),
    )
    fast.save_pretrained(folder)
