"""The vocabulary of the shipped encoders: every word of mini-GLUE."""

from tokenizers import Tokenizer

from cosee.synthetic.steps.words import all_words
from cosee.synthetic.wordpiece import wordpiece_tokenizer


def build_tokenizer() -> Tokenizer:
    """A lower-casing WordPiece tokenizer of the words of mini-GLUE; other words are spelled letter by letter."""
    return wordpiece_tokenizer(all_words())
