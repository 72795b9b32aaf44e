"""The vocabulary of the mini encoders: a tokenizer that knows every word of mini-GLUE and spells out all others."""

import string
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from cosee.synthetic.steps.words import all_words

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(len(SPECIALS))


def build_tokenizer() -> Tokenizer:
    """A lower-casing WordPiece tokenizer of the words of mini-GLUE; other words are spelled letter by letter."""
    letters = string.ascii_lowercase + string.digits
    entries = [*SPECIALS, *letters, *string.punctuation, *(f"##{letter}" for letter in letters), *all_words()]
    vocabulary = {entry: index for index, entry in enumerate(dict.fromkeys(entries))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
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
