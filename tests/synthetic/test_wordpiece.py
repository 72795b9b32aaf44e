"""Small vocabularies: the order of their entries, framing and spelling, and the file that transformers reads."""

import pytest
from transformers import AutoTokenizer

from cosee.synthetic.wordpiece import ALPHABET, CLS, PAD, SEP, SPECIALS, save_tokenizer, wordpiece_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return wordpiece_tokenizer(["ann", "backs", "bob", "ann"])


def test_ids_are_the_special_tokens_the_alphabet_and_the_words_once_each(tokenizer):
    entries = sorted(tokenizer.get_vocab(), key=tokenizer.token_to_id)
    assert entries == [*ALPHABET, "ann", "backs", "bob"]
    assert tuple(entries[:5]) == SPECIALS and (PAD, CLS, SEP) == (0, 2, 3)
    assert len(set(ALPHABET)) == len(ALPHABET)


def test_texts_are_framed_as_in_bert_and_other_words_are_spelled(tokenizer):
    encoding = tokenizer.encode("ANN backs Bob.", "Bob is?")
    assert encoding.tokens == ["[CLS]", "ann", "backs", "bob", ".", "[SEP]", "bob", "i", "##s", "?", "[SEP]"]
    assert encoding.type_ids == [0] * 6 + [1] * 5


def test_it_is_read_by_transformers(tokenizer, tmp_path):
    save_tokenizer(tmp_path, tokenizer, 64)
    read = AutoTokenizer.from_pretrained(tmp_path)
    assert read.model_max_length == 64
    assert read("Ann backs Bob.")["input_ids"] == tokenizer.encode("Ann backs Bob.").ids
