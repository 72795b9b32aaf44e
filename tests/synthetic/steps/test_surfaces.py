"""The six tasks: the label follows from the text alone, marks are where they say, and the words are known."""

import re

import numpy as np
import pytest

from cosee.data.tasks import TASKS
from cosee.synthetic.steps import words
from cosee.synthetic.steps.chains import MAX_STEPS
from cosee.synthetic.steps.surfaces import SURFACES

EACH = pytest.mark.parametrize("task", TASKS)
FORWARD = set(words.IS + words.JOINS + words.TRAILS + words.SERVES)
INVERSE = set(words.INCLUDES + words.BRINGS + words.LEADS + words.COMMANDS)
SIGNS = {form: sign for group, sign in ((words.AGREE, 1), (words.DISAGREE, -1)) for pair in group for form in pair}
KIND_OF_VERB = {verb: kind for kind, (verb, _) in words.DETAILS.items()}


def surfaces(task, count=40):
    """Examples of every number of steps and label, with these."""
    rng = np.random.default_rng(7)
    for steps in range(1, MAX_STEPS + 1):
        for label in range(TASKS[task].num_classes):
            for index in range(count // MAX_STEPS):
                genre = "mismatched" if index % 2 else "matched"
                yield steps, label, SURFACES[task](rng, steps, label, genre)


def read(text):
    """Facts of a text, as a reader finds them: node -> (sign, next node) or (sign, None, value)."""
    facts = {}
    for part in re.split(r"[,.?]", text):
        three = part.split()[-3:]
        if len(three) < 3:
            continue
        one, verb, two = three
        if verb in SIGNS and one != "I":
            facts[one] = (SIGNS[verb], two)
        elif verb in words.LIKES + words.DISLIKES:
            facts[one] = (1 if verb in words.LIKES else -1, None, words.FILM)
        elif verb in INVERSE:
            facts[two.lower()] = (1, one.lower())
        elif verb in FORWARD and two not in words.ADJECTIVES:
            facts[one.lower()] = (1, two.lower())
        elif verb in words.FEEDS:
            facts[two.lower()] = (1, None, one.lower())
        elif verb in KIND_OF_VERB:
            facts[one.lower()] = (1, None, KIND_OF_VERB[verb])
        else:  # a kind is or has something, someone enters or guards something
            facts[one.lower()] = (-1 if verb == words.LACK else 1, None, two.lower())
    return facts


def followed(facts, node):
    """Value, sign and steps at the end of a chain."""
    sign, count = 1, 0
    while True:
        fact = facts[node]
        sign, count = sign * fact[0], count + 1
        if fact[1] is None:
            return fact[2], sign, count
        node = fact[1]


def solved(task, texts):
    """Label and steps of an example, by reading it."""
    if task == "sst2":
        _, verb, name = re.match(r"(I) (\w+) (\w+),", texts[0]).groups()
        _, sign, steps = followed(read(texts[0].split(",", 1)[1]), name)
        return int(sign * SIGNS[verb] > 0), steps
    if task == "qnli":
        kind, name = re.match(r"(\w+) does (\w+) travel\?", texts[0]).groups()
        value, _, steps = followed(read(texts[1]), name.lower())
        return int(value != kind.lower()), steps
    if task == "qqp":
        name, place = re.match(r"Who meets (\w+) if", texts[0])[1], re.match(r"Who visits (\w+)\?", texts[1])[1]
        value, _, steps = followed(read(texts[0].split(" if ", 1)[1]), name.lower())
        return int(value == place.lower()), steps
    (node, (asked_sign, _, asked)), facts = next(iter(read(texts[1]).items())), read(texts[0])
    value, sign, steps = followed(facts, node)
    if task == "mnli":
        return (1 if value != asked else 0 if sign == asked_sign else 2), steps
    return int((value == asked) == (task == "mrpc")), steps


@EACH
def test_label_and_steps_follow_from_the_text_alone(task):
    for steps, label, surface in surfaces(task):
        assert solved(task, surface.texts) == (label, steps), surface.texts


@EACH
def test_marks_name_the_words_of_chains_and_what_they_end_in(task):
    for steps, _, surface in surfaces(task):
        assert surface.asked.word in {surface.words[mark.text][mark.word] for mark in surface.marks}
        by_word = {}
        for mark in surface.marks:
            word = surface.words[mark.text][mark.word]
            by_word.setdefault(word, set()).add((mark.value, mark.sign, mark.steps))
        assert all(len(found) == 1 for found in by_word.values())  # whatever the fact that names it
        assert by_word[surface.asked.word] == {(surface.asked.value, surface.asked.sign, steps)}


@EACH
def test_every_word_is_in_the_list_and_texts_are_short(task):
    known = {*words.all_words(), *words.SEPARATORS}
    for *_, surface in surfaces(task):
        assert {word.lower() for text in surface.words for word in text} <= known
        assert sum(len(text) + 1 for text in surface.words) + 1 <= 64


def test_texts_read_as_sentences():
    rng = np.random.default_rng(0)
    premise, hypothesis = SURFACES["rte"](rng, 2, 0, "matched").texts
    assert re.fullmatch(r"[A-Z][a-z]+ (are|include) [a-z]+(, [a-z]+ (are|include) [a-z]+)+\.", premise)
    assert re.fullmatch(r"[A-Z][a-z]+ are [a-z]+\.", hypothesis)


def test_no_two_meanings_share_a_word():
    assert len(words.all_words()) == len(set(words.all_words())) <= 300
    names = [name.lower() for name in (*words.PEOPLE, *words.CREATURES, *words.TRADES)]
    assert len(names) == len(set(names)) and not set(names) & {value.lower() for value in words.VALUES}
