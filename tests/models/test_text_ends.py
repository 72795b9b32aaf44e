"""The token that ends a decoder's text."""

import pytest
from helpers.tiny import END, decoder_tokenizer, tokenizer, write_backbone
from tokenizers import Tokenizer, processors

from cosee.data.tokens import padding_id
from cosee.errors import InputError
from cosee.models.fetching import fetch_backbone
from cosee.models.text_ends import end_texts


@pytest.fixture
def file(tmp_path):
    decoder_tokenizer().save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_every_text_is_ended_and_the_second_is_a_segment(file):
    plain = Tokenizer.from_file(str(file))
    one, two = plain.encode("the film").ids, plain.encode("was good").ids
    end_texts(file, END)
    ended = Tokenizer.from_file(str(file))
    assert ended.encode("the film").ids == [*one, END]
    pair = ended.encode("the film", "was good")
    assert pair.ids == [*one, END, *two, END]
    assert pair.type_ids == [0, 0, 0, 1, 1, 1]


def test_a_long_pair_keeps_both_ends(file):
    end_texts(file, END)
    ended = Tokenizer.from_file(str(file))
    ended.enable_truncation(8, strategy="longest_first")
    ids = ended.encode("the film " * 9, "was good").ids
    assert len(ids) == 8 and ids.count(END) == 2 and ids[-1] == END


def test_ends_are_added_once(file):
    end_texts(file, [END, 3])
    once = file.read_text()
    end_texts(file, END)
    assert file.read_text() == once


def test_what_a_tokenizer_puts_first_stays_there(file):
    made = Tokenizer.from_file(str(file))
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", pair="[CLS] $A [CLS] $B", special_tokens=[("[CLS]", 2)]
    )
    made.save(str(file))
    end_texts(file, END)
    tokens = Tokenizer.from_file(str(file)).encode("the film", "was good").tokens
    assert tokens == ["[CLS]", "the", "film", "<|endoftext|>", "was", "good", "<|endoftext|>"]


@pytest.mark.parametrize("end", [None, [], 10_000])
def test_an_end_token_that_does_not_exist_is_named(file, end):
    with pytest.raises(InputError, match=r"has no end token .*; expected the `eos_token_id`"):
        end_texts(file, end)


def test_a_decoder_from_the_hub_is_given_ends_and_an_encoder_is_not(tmp_path):
    decoder = write_backbone(tmp_path / "source", "gpt2")
    decoder_tokenizer().save(str(decoder / "tokenizer.json"))
    fetch_backbone(str(decoder), None, tmp_path / "gpt2")
    assert Tokenizer.from_file(str(tmp_path / "gpt2" / "tokenizer.json")).encode("the film").ids[-1] == END
    encoder = write_backbone(tmp_path / "other", "electra")
    fetch_backbone(str(encoder), None, tmp_path / "electra")
    own = Tokenizer.from_file(str(tmp_path / "electra" / "tokenizer.json")).encode("the film").ids
    assert own == tokenizer().encode("the film").ids


def test_a_decoder_without_a_padding_token_is_padded_with_anything(tmp_path):
    file = tmp_path / "tokenizer.json"
    made = Tokenizer.from_str(decoder_tokenizer().to_str().replace("[PAD]", "filler"))
    made.save(str(file))
    assert padding_id(file) == 0
