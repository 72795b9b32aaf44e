"""The vocabulary: every word of the tasks is one entry, others are spelled."""

import pytest
from transformers import AutoTokenizer

from cosee.data.tasks import TASKS
from cosee.synthetic.steps import generation
from cosee.synthetic.steps.vocabulary import UNK, build_tokenizer, save_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def test_it_is_small(tokenizer):
    assert tokenizer.get_vocab_size() <= 400


@pytest.mark.parametrize("task", TASKS)
def test_it_knows_every_word_of_the_tasks(tokenizer, task):
    spelled = {tokenizer.token_to_id(f"##{letter}") for letter in "abcdefghijklmnopqrstuvwxyz"}
    splits = generation.generate(task, 0, {"train": 100} | dict.fromkeys(TASKS[task].eval_splits.values(), 50))
    for frame in splits.values():
        for column in TASKS[task].columns:
            for text, encoding in zip(frame[column], tokenizer.encode_batch(list(frame[column])), strict=True):
                assert UNK not in encoding.ids and not spelled & set(encoding.ids)
                assert tokenizer.decode(encoding.ids).replace(" ", "") == text.lower().replace(" ", "")


def test_sentences_are_framed_as_in_bert_and_other_words_are_spelled(tokenizer):
    encoding = tokenizer.encode("Ann backs Bob.", "Who is xyz?")
    assert encoding.tokens[:6] == ["[CLS]", "ann", "backs", "bob", ".", "[SEP]"]
    assert encoding.tokens[6:] == ["who", "i", "##s", "x", "##y", "##z", "?", "[SEP]"]
    assert encoding.type_ids == [0] * 6 + [1] * 8


def test_it_is_read_by_transformers(tokenizer, tmp_path):
    save_tokenizer(tmp_path, tokenizer, 64)
    read = AutoTokenizer.from_pretrained(tmp_path)
    assert read.model_max_length == 64
    assert read("Ann backs Bob.")["input_ids"] == tokenizer.encode("Ann backs Bob.").ids
