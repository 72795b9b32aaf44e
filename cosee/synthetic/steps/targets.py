"""Targets of pre-training: what is known at every word after every layer, if each step is given two layers.

A fact's own word ("Ann" in "Ann backs Bob") can know its value once the word that it leads to ("Bob" in the same fact)
does, and that word once the fact about Bob does. An end is known after the first layer; so a word about which the fact
is knows its value after layer 2 s - 1, where s are its steps, a word that is led to after layer 2 s, and [CLS], which
reads the fact about the node that is asked for, after layer 2 s. Before that the target is "unknown", so that an
encoder is not taught to take two steps at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cosee.synthetic.steps import words
from cosee.synthetic.steps.generation import Example

UNKNOWN = 0
NUM_VALUES = 1 + 2 * len(words.VALUES)
"""Classes at a word: unknown, or a value and its sign."""
RELATIONS = {
    "rte": (1, 2),
    "mrpc": (2, 1),
    "qqp": (2, 1),
    "sst2": (2, 1),
    "qnli": (1, 2),
    "mnli": (1, 3, 2),
}
"""Task -> class at [CLS] for each label: yes 1, no 2, perhaps 3; 0 is unknown."""
NUM_RELATIONS = 4
NEVER = 127


@dataclass(frozen=True)
class Targets:
    """A padded batch of examples with what is known where and when.

    Attributes:
        ids: token ids [B, T].
        types: segment of every token [B, T].
        value: class of every word with a place in a chain; UNKNOWN elsewhere [B, T].
        since: layer from which on the value is known, 1-based; NEVER where there is none [B, T].
        asked: id of the word that is asked about [B].
        claim: class of the value that the question names [B].
        relation: class at [CLS] [B].
        relation_since: layer from which on it is known [B].
    """

    ids: np.ndarray
    types: np.ndarray
    value: np.ndarray
    since: np.ndarray
    asked: np.ndarray
    claim: np.ndarray
    relation: np.ndarray
    relation_since: np.ndarray


def value_class(value: str, sign: int) -> int:
    """Class of a value with its sign."""
    return 1 + 2 * words.VALUES.index(value) + (sign > 0)


def batch_targets(examples: Sequence[Example], vocabulary: Mapping[str, int], cls: int, sep: int, pad: int) -> Targets:
    """Ids and targets of examples.

    Args:
        examples: what is written, and its task, steps and label.
        vocabulary: word -> id.
        cls: id of [CLS].
        sep: id of [SEP].
        pad: id of [PAD].
    """
    longest = max(
        1 + sum(len(text) + 1 for text in surface.words) for surface in (example.surface for example in examples)
    )
    ids, types = np.full((len(examples), longest), pad), np.zeros((len(examples), longest), dtype=np.int64)
    value, since = np.zeros_like(ids), np.full_like(ids, NEVER)
    asked, claim, relation, relation_since = np.zeros((4, len(examples)), dtype=np.int64)
    for row, example in enumerate(examples):
        surface, steps = example.surface, example.steps
        ids[row, 0], begins, begin = cls, [], 1
        for number, text in enumerate(surface.words):
            begins.append(begin)
            end = begin + len(text)
            ids[row, begin:end] = [vocabulary[word.lower()] for word in text]
            ids[row, end] = sep
            types[row, begin : end + 1] = number
            begin = end + 1
        for mark in surface.marks:
            place = begins[mark.text] + mark.word
            value[row, place] = value_class(mark.value, mark.sign)
            since[row, place] = 2 * mark.steps - (not mark.follows)
        found = surface.asked
        asked[row], value[row, 0], since[row, 0] = (
            vocabulary[found.word.lower()],
            value_class(found.value, found.sign),
            2 * steps,
        )
        claim[row] = value_class(found.claim, found.claim_sign)
        relation[row], relation_since[row] = RELATIONS[example.task][example.label], 2 * steps
    return Targets(ids, types, value, since, asked, claim, relation, relation_since)
