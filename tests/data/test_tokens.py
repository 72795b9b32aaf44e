from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.tiny import CLS, PAD, SEP, UNK, VOCABULARY, mpnet_tokenizer, tokenizer
from tokenizers import Tokenizer, models

from cosee.data.tokens import (
    TokenSplit,
    beginnings,
    check_origin,
    check_tokens,
    encode,
    load_tokens,
    max_positions,
    padding_id,
    save_tokens,
)
from cosee.errors import InputError
from cosee.io import save_arrays

NAMES = {index: token for token, index in VOCABULARY.items()}


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer().save(str(path))
    return path


def rows_of(pairs, split="fit", label=0):
    first, second = zip(*pairs, strict=True)
    return pd.DataFrame(
        {"split": split, "text_a": first, "text_b": second, "label": label, "idx": range(10, 10 + len(pairs))}
    )


PAIRS = [("the film was good", "people liked it"), ("Bad", "the story is dull and slow"), ("we went home", "")]
SINGLES = [("the film was good", ""), ("bad", "")]


def row(split, n):
    return [NAMES[i] for i in split.ids[split.offsets[n] : split.offsets[n + 1]]]


def test_pairs_become_ids_with_special_tokens(tokenizer_file):
    split = encode(rows_of(PAIRS), tokenizer_file, 128)["fit"]
    assert row(split, 0) == "[CLS] the film was good [SEP] people liked it [SEP]".split()
    assert row(split, 1) == "[CLS] bad [SEP] the story is dull and slow [SEP]".split()
    assert row(split, 2) == "[CLS] we went home [SEP] [SEP]".split()
    assert split.second.tolist() == [6, 3, 5]  # the second segment begins behind the first [SEP]
    assert split.lengths.tolist() == [10, 10, 6] and len(split) == 3
    assert split.idx.tolist() == [10, 11, 12]
    assert split.ids.dtype == np.int32


def test_rows_can_be_taken_in_any_order(tokenizer_file):
    split = encode(rows_of(PAIRS), tokenizer_file, 128)["fit"]
    taken = split.take(np.array([2, 0]))
    assert [row(taken, n) for n in range(2)] == [row(split, 2), row(split, 0)]
    assert taken.second.tolist() == [5, 6] and taken.idx.tolist() == [12, 10] and len(taken) == 2


def test_a_single_sentence_has_no_second_segment(tokenizer_file):
    split = encode(rows_of(SINGLES), tokenizer_file, 128)["fit"]
    assert row(split, 0) == "[CLS] the film was good [SEP]".split()
    assert split.second.tolist() == split.lengths.tolist() == [6, 3]


def test_token_types_are_those_of_the_tokenizer(tokenizer_file):
    split = encode(rows_of(PAIRS), tokenizer_file, 9)["fit"]
    own = Tokenizer.from_file(str(tokenizer_file))
    own.enable_truncation(9, strategy="longest_first")
    for n, encoding in enumerate(own.encode_batch(PAIRS)):
        assert [int(i >= split.second[n]) for i in range(split.lengths[n])] == encoding.type_ids


def test_splits_keep_their_order_and_their_labels(tokenizer_file):
    frame = pd.concat([rows_of(PAIRS, "fit", 1), rows_of(PAIRS[:2], "dev", 0), rows_of(PAIRS[:1], "test", -1)])
    splits = encode(frame, tokenizer_file, 128)
    assert {name: split.labels.tolist() for name, split in splits.items()} == {
        "fit": [1, 1, 1],
        "dev": [0, 0],
        "test": [-1],
    }
    assert list(splits) == ["fit", "dev", "test"]


@pytest.mark.parametrize("max_length", [5, 7, 9])
def test_long_pairs_lose_words_of_the_longer_segment_but_no_special_token(tokenizer_file, max_length):
    pairs = [("the film", "people liked it and we went home now"), ("we went home and they saw the film", "bad")]
    split = encode(rows_of(pairs), tokenizer_file, max_length)["fit"]
    assert split.lengths.tolist() == [max_length] * 2
    for n in range(2):
        ids = split.ids[split.offsets[n] : split.offsets[n + 1]]
        assert ids[0] == CLS and ids[-1] == SEP and ids[split.second[n] - 1] == SEP
        assert (ids == SEP).sum() == 2
    words = [(split.second[n] - 2, split.lengths[n] - split.second[n] - 1) for n in range(2)]
    assert words[1][1] == 1  # the one word of the shorter segment stays
    assert words[0][0] == min(2, (max_length - 3) // 2)


def test_long_single_sentences_are_cut(tokenizer_file):
    split = encode(rows_of([("the film was good and people liked it", "")]), tokenizer_file, 5)["fit"]
    assert row(split, 0) == "[CLS] the film was [SEP]".split()
    assert split.second.tolist() == [5]


def test_a_tokenizer_of_another_language_is_refused(tokenizer_file):
    with pytest.raises(InputError, match=r"tokenizer\.json: \d+% of all tokens are unknown"):
        encode(rows_of([("der Film war gut und wir mochten ihn", "")]), tokenizer_file, 128)
    some = encode(rows_of([("the film was gut", "")]), tokenizer_file, 128)["fit"]
    assert UNK in some.ids


@pytest.mark.parametrize("content", ["", "{", '{"model": 1}'])
def test_a_damaged_tokenizer_is_named(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=r"tokenizer\.json: not a tokenizer file"):
        encode(rows_of(PAIRS), tmp_path / "tokenizer.json", 128)
    with pytest.raises(InputError, match=r"tokenizer\.json: not a tokenizer file"):
        padding_id(tmp_path / "tokenizer.json")


def test_rows_that_an_encoder_cannot_read_are_named(tokenizer_file):
    splits = encode(rows_of(PAIRS), tokenizer_file, 128)
    (split,) = splits.values()
    highest, longest = int(split.ids.max()), int(split.lengths.max())
    check_tokens(splits, highest + 1, longest, "x.npz")
    for vocabulary, positions in ((highest, longest), (highest + 1, longest - 1)):
        with pytest.raises(InputError, match=rf"x\.npz: .*{vocabulary} ids and {positions} positions"):
            check_tokens(splits, vocabulary, positions, "x.npz")


def test_the_padding_token_is_found(tokenizer_file, tmp_path):
    assert padding_id(tokenizer_file) == PAD
    other = tmp_path / "other.json"
    Tokenizer(models.WordLevel({"a": 0, "<unk>": 1, "<pad>": 2}, unk_token="<unk>")).save(str(other))
    assert padding_id(other) == 2


def test_what_is_saved_is_loaded(tokenizer_file, tmp_path):
    rows = pd.concat([rows_of(PAIRS, "fit"), rows_of(PAIRS[:2], "dev_mm")])
    splits = encode(rows.assign(steps=np.arange(1, len(rows) + 1)), tokenizer_file, 128)
    assert splits["dev_mm"].steps.tolist() == [len(rows) - 1, len(rows)]
    save_tokens(tmp_path / "tokens.npz", splits)
    loaded = load_tokens(tmp_path / "tokens.npz")
    assert list(loaded) == ["fit", "dev_mm"]
    for name, split in splits.items():
        for field, array in vars(split).items():
            np.testing.assert_array_equal(getattr(loaded[name], field), array)
            assert getattr(loaded[name], field).dtype == array.dtype


def test_unknown_steps_stay_unknown(tokenizer_file, tmp_path):
    rows = rows_of(PAIRS, "fit")
    for frame in (rows, rows.assign(steps=0)):
        split = encode(frame, tokenizer_file, 128)["fit"]
        assert split.steps is None and split.take(np.array([0])).steps is None
        save_tokens(tmp_path / "tokens.npz", {"fit": split})
        assert load_tokens(tmp_path / "tokens.npz")["fit"].steps is None
    known = encode(rows.assign(steps=7), tokenizer_file, 128)["fit"]
    assert known.take(np.array([1, 0])).steps.tolist() == [7, 7]


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_truncated_file_is_named(tokenizer_file, tmp_path, share):
    path = tmp_path / "tokens.npz"
    save_tokens(path, encode(rows_of(PAIRS), tokenizer_file, 128))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"tokens\.npz: truncated"):
        load_tokens(path)


@pytest.mark.parametrize("foreign", [{"logits": np.ones(3)}, {"fit.ids": np.ones(3)}])
def test_a_file_of_another_kind_is_named(tmp_path, foreign):
    save_arrays(tmp_path / "tokens.npz", foreign)
    with pytest.raises(InputError, match=r"tokens\.npz: not a file of token ids"):
        load_tokens(tmp_path / "tokens.npz")


# --- MPNet ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mpnet_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    mpnet_tokenizer().save(str(path))
    return path


def test_mpnet_parts_pairs_by_two_tokens_and_not_by_segments(mpnet_file):
    known = Tokenizer.from_file(str(mpnet_file))
    split = encode(rows_of(PAIRS), mpnet_file, 128)["fit"]
    first = [known.id_to_token(i) for i in split.ids[: split.offsets[1]]]
    assert first == "<s> the film was good </s> </s> people liked it </s>".split()
    assert split.second.tolist() == split.lengths.tolist()  # one segment
    cut = encode(rows_of(PAIRS), mpnet_file, 8)["fit"]
    assert cut.lengths.max() == 8
    assert [known.id_to_token(i) for i in cut.ids[:8]] == "<s> the film </s> </s> people liked </s>".split()


def test_mpnet_pads_with_its_special_token_not_with_a_word_of_that_name(mpnet_file, tmp_path):
    made = Tokenizer.from_file(str(mpnet_file))
    assert made.token_to_id("[PAD]") is not None
    assert padding_id(mpnet_file) == made.token_to_id("<pad>") == 1
    made.enable_padding(pad_id=3, pad_token="<unk>")
    made.save(str(tmp_path / "tokenizer.json"))
    assert padding_id(tmp_path / "tokenizer.json") == 3  # what it says itself


@pytest.mark.parametrize("model_type", ["mpnet", "roberta", "camembert", "xlm-roberta"])
def test_some_encoders_use_no_position_up_to_their_padding(model_type):
    config = {"max_position_embeddings": 514, "pad_token_id": 1}
    assert max_positions(config | {"model_type": model_type}) == 512
    assert max_positions(config | {"model_type": "bert"}) == 514


def test_encoders_without_positions_read_examples_of_any_length(tokenizer_file):
    assert max_positions({"model_type": "gpt2", "n_positions": 1024, "pad_token_id": None}) == 1024
    assert max_positions({"model_type": "mamba2", "pad_token_id": 0}) is None
    split = TokenSplit(np.full(9000, 5, np.int32), np.array([0, 9000]), np.array([9000]), np.array([0]), np.array([0]))
    check_tokens({"fit": split}, 6, None, "here")
    with pytest.raises(InputError, match="5 ids and any number of positions"):
        check_tokens({"fit": split}, 5, None, "here")


def random_text(rng, size):
    """Words, unknown ones, signs and runs without a space, of about so many characters."""
    words = [*list(VOCABULARY)[5:], "xyz", "naïve", ",", "." * 30, "goodbad" * 20, "漢字" * 15, "  "]
    text = " ".join(rng.choice(words, size // 4 + 1))
    return text[:size]


@pytest.mark.parametrize("make", [tokenizer, mpnet_tokenizer])
def test_beginnings_of_long_texts_give_the_tokens_of_the_whole(make):
    rng, longest = np.random.default_rng(0), 12
    sizes = [(3000, 40), (40, 3000), (300, 3000), (1500, 4000), (4000, 1500), (0, 3000), (90, 95)] * 4
    texts = [tuple(random_text(rng, size) for size in pair) for pair in sizes]
    plain, own = make(), make()
    cut = beginnings(own, texts, longest)
    for each in (plain, own):
        each.enable_truncation(longest, strategy="longest_first")
    for before, after in zip(texts, cut, strict=True):
        assert own.encode(*after).ids == plain.encode(*before).ids
        assert own.encode(after[1]).ids == plain.encode(before[1]).ids
        assert max(map(len, after)) < 3000  # not only kept as they are
    assert cut[-1] == texts[-1]


def test_the_memory_of_a_pair_does_not_grow_with_its_texts(tokenizer_file):
    pieces = []
    for size in (20_000, 200_000):
        text = "good bad " * (size // 9)
        ((first, second),) = beginnings(tokenizer(), [(text, text)], 64)
        pieces.append(len(first) + len(second))
    assert pieces[0] == pieces[1]
    long = "good bad " * 20_000  # 2,800 pieces of 62 tokens each: eight million combinations, more than 10 GB
    split = encode(rows_of([(long, long)]), tokenizer_file, 64)["fit"]
    assert split.lengths.tolist() == [64]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ids", np.array([-1, 5, 6, 7], np.int32)),
        ("ids", np.array([0.5, 1, 2, 3])),
        ("offsets", np.array([0, 3, 2])),
        ("offsets", np.array([0, 2, 3])),
        ("offsets", np.array([0, 0, 4])),
        ("labels", np.array([1])),
        ("second", np.array([2, 9])),
        ("idx", np.zeros((2, 1), int)),
    ],
)
def test_damaged_token_ids_are_refused(field, value, tmp_path):
    good = TokenSplit(np.arange(4, dtype=np.int32), np.array([0, 2, 4]), np.full(2, 2), np.zeros(2, int), np.arange(2))
    path = tmp_path / "tokens.npz"
    save_tokens(path, {"fit": good})
    load_tokens(path)
    save_tokens(path, {"fit": replace(good, **{field: value})})
    with pytest.raises(InputError, match=r"tokens\.npz: the split fit is damaged"):
        load_tokens(path)


def test_token_ids_without_examples_are_refused(tmp_path):
    none = np.zeros(0, int)
    save_tokens(tmp_path / "tokens.npz", {"fit": TokenSplit(none, np.zeros(1, int), none, none, none)})
    with pytest.raises(InputError, match="the split fit is damaged"):
        load_tokens(tmp_path / "tokens.npz")


def test_token_ids_know_what_they_were_made_from(tokenizer_file, tmp_path):
    splits = encode(rows_of(PAIRS), tokenizer_file, 128)
    save_tokens(tmp_path / "tokens.npz", splits, "rte", tokenizer_file)
    assert list(load_tokens(tmp_path / "tokens.npz")) == ["fit"]
    check_origin(tmp_path / "tokens.npz", "rte", tokenizer_file)
    with pytest.raises(InputError, match="holds token ids of rte; expected those of mrpc"):
        check_origin(tmp_path / "tokens.npz", "mrpc", tokenizer_file)
    mpnet_tokenizer().save(str(tmp_path / "other.json"))
    with pytest.raises(InputError, match=r"was made with another tokenizer than .*other\.json"):
        check_origin(tmp_path / "tokens.npz", "rte", tmp_path / "other.json")
    save_tokens(tmp_path / "silent.npz", splits)
    check_origin(tmp_path / "silent.npz", "mrpc", tmp_path / "other.json")
