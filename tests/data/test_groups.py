"""Groups of examples that share text, against loops over all pairs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cosee.data.groups import connected_groups, hold_out_groups, hold_out_sentences, parent_sentences

TEXTS = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map(" ".join), min_size=1, max_size=12)


def is_part(text, other):
    return f" {text} " in f" {other} "


def naive_parents(texts):
    whole = [i for i, text in enumerate(texts) if not any(text != o and is_part(text, o) for o in texts)]
    first = [i for i in whole if texts.index(texts[i]) == i]
    return [tuple(i for i in first if is_part(text, texts[i])) for text in texts]


@given(TEXTS)
def test_parents_are_the_sentences_that_hold_the_text(texts):
    assert parent_sentences(texts) == naive_parents(texts)


def test_words_are_compared_and_not_letters():
    assert parent_sentences(["art", "a part of it", "part of"]) == [(0,), (1,), (1,)]


@given(TEXTS, st.integers(0, 12), st.integers(0, 3))
def test_sentences_are_held_out_with_all_their_parts_and_no_text_is_shared(texts, count, seed):
    parents = parent_sentences(texts)
    sentences = np.array([i for i, p in enumerate(parents) if p == (i,)])
    held, parts = hold_out_sentences(parents, sentences, count, np.random.default_rng(seed))
    assert set(held) <= set(parts) and len(held) >= min(count, len(texts))
    rest = [text for i, text in enumerate(texts) if i not in set(parts)]
    assert not any(is_part(texts[i], other) or is_part(other, texts[i]) for i in held for other in rest)


def test_no_sentence_is_held_out_where_none_is_asked_for():
    held, parts = hold_out_sentences([(0,), (1,)], np.array([0, 1]), 0, np.random.default_rng(0))
    assert not len(held) and not len(parts)


def naive_groups(columns):
    groups = list(range(len(columns[0])))
    for _ in groups:
        for i in range(len(groups)):
            for j in range(len(groups)):
                if any(column[i] == column[j] for column in columns):
                    groups[i] = groups[j] = min(groups[i], groups[j])
    return [sorted(set(groups)).index(group) for group in groups]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), min_size=1, max_size=10))
def test_examples_are_connected_by_the_text_of_any_column(pairs):
    columns = list(zip(*pairs, strict=True))
    assert connected_groups(columns).tolist() == naive_groups(columns)


@given(st.lists(st.integers(0, 4), min_size=5, max_size=20), st.integers(0, 20), st.integers(0, 3))
def test_groups_are_held_out_whole_and_no_more_than_needed(values, count, seed):
    groups = np.unique(values, return_inverse=True)[1]
    free = groups != 0
    held = hold_out_groups(groups, count, np.random.default_rng(seed), free)
    assert all(set(np.flatnonzero(groups == group)) <= set(held) for group in groups[held])
    assert 0 not in groups[held] and len(held) >= min(count, free.sum())
    if len(held) > count:  # without its smallest group there would be too few
        assert len(held) - max(np.bincount(groups[held])) < count


def test_a_very_long_text_costs_no_more_than_its_length():
    long = " ".join(["good", "bad"] * 50_000)
    assert parent_sentences([long, "bad good", "dull", "good bad good"]) == [(0,), (0,), (2,), (0,)]
