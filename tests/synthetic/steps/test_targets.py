"""Targets of pre-training: which word knows what after which layer."""

import numpy as np
import pytest

from cosee.data.tasks import TASKS
from cosee.synthetic.steps.generation import Example, pretraining_examples
from cosee.synthetic.steps.surfaces import SURFACES
from cosee.synthetic.steps.targets import (
    NEVER,
    NUM_RELATIONS,
    NUM_VALUES,
    RELATIONS,
    UNKNOWN,
    batch_targets,
    value_class,
)
from cosee.synthetic.steps.vocabulary import CLS, PAD, SEP, build_tokenizer

TOKENIZER = build_tokenizer()


def targets(examples):
    return batch_targets(examples, TOKENIZER.get_vocab(), CLS, SEP, PAD)


def test_ids_and_segments_are_those_of_the_tokenizer():
    examples = pretraining_examples(np.random.default_rng(0), 40)
    batch = targets(examples)
    for row, example in enumerate(examples):
        encoding = TOKENIZER.encode(*example.surface.texts)
        length = len(encoding.ids)
        assert batch.ids[row, :length].tolist() == encoding.ids and (batch.ids[row, length:] == PAD).all()
        assert batch.types[row, :length].tolist() == encoding.type_ids


@pytest.mark.parametrize("task", TASKS)
def test_a_step_takes_two_layers(task):
    for steps in range(1, 7):
        label = steps % TASKS[task].num_classes
        surface = SURFACES[task](np.random.default_rng(steps), steps, label, "matched")
        batch = targets([Example(task, steps, label, surface)])
        assert batch.relation_since[0] == batch.since[0, 0] == 2 * steps <= 12
        assert batch.relation[0] == RELATIONS[task][label]
        assert batch.value[0, 0] == value_class(surface.asked.value, surface.asked.sign)
        tokens = [TOKENIZER.id_to_token(i) for i in batch.ids[0]]
        asked = [place for place, token in enumerate(tokens) if token == surface.asked.word.lower()]
        found = {int(batch.since[0, place]) for place in asked if batch.since[0, place] != NEVER}
        assert found == {2 * steps - 1} | (
            {2 * steps} & found
        )  # the fact about it, and perhaps a word that leads to it


def test_ends_are_known_after_one_layer_and_nothing_is_asked_of_other_words():
    surface = SURFACES["rte"](np.random.default_rng(1), 1, 0, "matched")
    batch = targets([Example("rte", 1, 0, surface)])
    marked = {1 + mark.word for mark in surface.marks} | {0}
    assert {int(place) for place in np.flatnonzero(batch.since[0] != NEVER)} == marked
    assert (batch.value[0, [place for place in range(batch.ids.shape[1]) if place not in marked]] == UNKNOWN).all()
    assert sorted(set(batch.since[0, list(marked)].tolist()))[:2] == [1, 2]


def test_classes_are_in_range():
    batch = targets(pretraining_examples(np.random.default_rng(3), 200))
    assert batch.value.min() >= 0 and batch.value.max() < NUM_VALUES
    assert batch.claim.min() >= 1 and batch.claim.max() < NUM_VALUES
    assert set(batch.relation.tolist()) == set(range(1, NUM_RELATIONS))
