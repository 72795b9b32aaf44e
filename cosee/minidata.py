"""Mini-GLUE: the six tasks, generated from a seed in GLUE's own columns, in plain English and of graded difficulty.

Each row carries a `difficulty` that says what it takes to decide it: 1, a telling word; 2, two words read together (a
negation and what it negates, two verbs of like or opposite meaning, a question and the kind of detail given); 3, a
structure (a contrast, an order, a quantifier and a kind of thing); 4, two of these composed. The docstring of each
task's function says which. As in real data, some words only make a label likelier, and a few labels are wrong.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from cosee import lexicon as lex
from cosee.errors import InputError
from cosee.seeds import numpy_generator

COLUMNS = {
    "rte": ("sentence1", "sentence2"),
    "mrpc": ("sentence1", "sentence2"),
    "qqp": ("question1", "question2"),
    "sst2": ("sentence",),
    "qnli": ("question", "sentence"),
    "mnli": ("premise", "hypothesis"),
}
SPLITS = {task: ("train", "validation") for task in COLUMNS} | {
    "mnli": ("train", "validation_matched", "validation_mismatched")
}
DIFFICULTY_SHARES = (0.35, 0.3, 0.2, 0.15)
# How a second sentence opens in the unlabelled corpus: the words that connect two sentences hint at how they relate.
CONNECTIVES = {
    "sst2": (("skip", "avoid"), ("see", "recommend")),
    "mrpc": (("meanwhile", "elsewhere"), ("namely", "again")),
    "qqp": (("besides", "another"), ("rather", "reworded")),
    "rte": (("so", "thus"), ("maybe", "still")),
    "qnli": (("answer", "reply"), ("aside", "unasked")),
    "mnli": (("so", "thus"), ("perhaps", "maybe"), ("wrong", "false")),
}

WORD_FACTS = 0.35

Rng = np.random.Generator
Texts = tuple[str, ...]


def generate(task: str, seed: int, sizes: Mapping[str, int], noise: float = 0.03) -> dict[str, pd.DataFrame]:
    """Generates the splits of one task.

    Args:
        task: rte, mrpc, qqp, sst2, qnli or mnli.
        seed: the same seed gives the same rows everywhere.
        sizes: rows per split, by the split's name on the hub (mnli: train, validation_matched, validation_mismatched).
        noise: share of rows whose label is replaced by another one; the texts do not depend on it.

    Returns:
        One frame per split: the task's text columns, `label` (GLUE's ids), `idx` and `difficulty` (1-4). No two rows of
        a task, in whatever split, share their text.

    Raises:
        InputError: the task or a split is unknown.
    """
    if task not in COLUMNS:
        raise InputError(f"mini-GLUE has no task {task!r}; it has {', '.join(COLUMNS)}")
    if unknown := set(sizes) - set(SPLITS[task]):
        raise InputError(f"{task} has no split {min(unknown)!r}; it has {', '.join(SPLITS[task])}")
    num_classes = len(CONNECTIVES[task])
    seen: set[Texts] = set()
    splits = {}
    for split, size in sizes.items():
        rng, noise_rng = (numpy_generator(seed, "minidata", task, split, part) for part in ("texts", "noise"))
        genre = "mismatched" if split.endswith("mismatched") else "matched"
        rows = []
        for idx in range(size):
            difficulty, label = _draw_difficulty(rng), int(rng.integers(num_classes))
            texts = _unseen(rng, task, difficulty, label, genre, seen)
            shift = int(noise_rng.integers(1, num_classes)) if noise_rng.random() < noise else 0
            rows.append((*texts, (label + shift) % num_classes, idx, difficulty))
        splits[split] = pd.DataFrame(rows, columns=[*COLUMNS[task], "label", "idx", "difficulty"])
    return splits


def corpus(seed: int, size: int) -> list[str]:
    """Generates unlabelled documents for pre-training, none of which holds the text (or pair of texts) of a task's row.

    A document is a sentence, or two sentences on two lines, of which the second opens with a connecting word ("so",
    "meanwhile", "perhaps") that fits how the two relate, in nine of ten cases. Definitions ("a poodle is a dog") are
    among them.
    """
    rng = numpy_generator(seed, "minidata", "corpus")
    documents = []
    while len(documents) < size:
        if rng.random() < WORD_FACTS:
            documents.append(_word_fact(rng))
            continue
        task = _pick(rng, tuple(COLUMNS))
        num_classes = len(CONNECTIVES[task])
        label = int(rng.integers(num_classes))
        genre = "mismatched" if rng.random() < 0.4 else "matched"
        texts = MAKERS[task](rng, _draw_difficulty(rng), label, genre)
        if for_corpus(texts):
            first, *second = texts
            if task == "sst2":  # a review goes on in the same vein
                more = [
                    MAKERS[task](rng, int(rng.integers(1, 3)), label, genre)[0] for _ in range(int(rng.integers(3)))
                ]
                first = " . ".join(_shuffled(rng, (first, *more)))
            hint = label if rng.random() < 0.95 else int(rng.integers(num_classes))
            documents.append("\n".join([first, " ".join([_pick(rng, CONNECTIVES[task][hint]), *second])]))
    return documents


def _unseen(rng: Rng, task: str, difficulty: int, label: int, genre: str, seen: set[Texts]) -> Texts:
    """Texts that no row has yet and that are not set aside for the corpus; they are added to `seen`."""
    for _ in range(1000):
        texts = MAKERS[task](rng, difficulty, label, genre)
        if texts not in seen and not for_corpus(texts):
            seen.add(texts)
            return texts
    raise InputError(
        f"mini-GLUE has no more different rows for {task}: ask for fewer than {len(seen)} in all splits together"
    )


def for_corpus(texts: Texts) -> bool:
    """Whether a text or pair is set aside for the corpus: a fixed rule, true of every other text, keeps it apart."""
    return zlib.crc32("\n".join(texts).encode()) % 2 == 1


def _draw_difficulty(rng: Rng) -> int:
    return 1 + int(np.searchsorted(np.cumsum(DIFFICULTY_SHARES), rng.random(), side="right").clip(max=3))


# --- building blocks --------------------------------------------------------------------------------------------------


def _pick(rng: Rng, items: Sequence):
    return items[int(rng.integers(len(items)))]


def _some(rng: Rng, items: Sequence, count: int) -> list:
    """`count` different items, in random order."""
    return [items[int(i)] for i in rng.permutation(len(items))[:count]]


def _likely_first(rng: Rng, items: Sequence, count: int = 2) -> list:
    """`count` different items in random order, but in three of five cases with the first of all in front."""
    chosen = _some(rng, items, len(items))
    if rng.random() < 0.6:
        chosen.remove(items[0])
        chosen.insert(0, items[0])
    return chosen[:count]


def _coin(rng: Rng) -> bool:
    return bool(rng.random() < 0.5)


def _mostly(rng: Rng) -> bool:
    """True in four of five cases: as in real data, some readings are likelier than others."""
    return bool(rng.random() < 0.8)


def _sentence(text: str, end: str = ".") -> str:
    return f"{text[0].upper()}{text[1:]}{end}"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _shuffled(rng: Rng, items: Sequence) -> list:
    return _some(rng, items, len(items))


def _word_fact(rng: Rng) -> str:
    """A phrase and, on a second line, a word that says what one of its words means."""
    topic = int(rng.integers(7))
    yes = _coin(rng)
    if topic == 0:
        return f"{_sst2(rng, 1, int(yes), '')[0]}\n{_pick(rng, CONNECTIVES['sst2'][yes])}"
    if topic == 1:
        past, base = _pick(rng, lex.ROSE if yes else lex.FELL)
        verb = past if _coin(rng) else f"did {base}"
        return f"{_pick(rng, lex.FIGURES)} of the {_pick(rng, lex.FIRMS)} {verb}\n{'up' if yes else 'down'}"
    if topic == 2:
        return (
            f"to {_pick(rng, lex.RAISE if yes else lex.LOWER)} {_pick(rng, lex.AMOUNTS)}\n{'more' if yes else 'less'}"
        )
    if topic == 3:
        kind = int(rng.integers(len(lex.QUESTIONS)))
        request = f"{_pick(rng, lex.RAISE + lex.LOWER)} {_pick(rng, lex.AMOUNTS)}"
        return f"{_pick(rng, lex.QUESTIONS[kind]).format(request)}?\n{('by', 'because', 'at', 'ask')[kind]}"
    if topic == 4:
        one, two = _some(rng, lex.INCIDENTS, 2)
        return (
            f"the {one} came {_pick(rng, lex.EARLIER if yes else lex.LATER)} the {two}\n{'first' if yes else 'second'}"
        )
    if topic == 5:
        asked = _pick(rng, tuple(lex.DETAILS))
        return f"the {_pick(rng, lex.PEOPLE)} {_pick(rng, lex.LEFT)} {_pick(rng, lex.DETAILS[asked])}\n{asked}"
    genre = _pick(rng, tuple(lex.KINDS))
    if yes:
        name = _pick(rng, tuple(lex.KINDS[genre]))
        return f"every {_pick(rng, lex.KINDS[genre][name])} is {_a(name)}"
    word, opposite = _shuffled(rng, _pick(rng, lex.OPPOSITES[genre]))
    return f"what is {word} is not {opposite}"


def _off_topic(rng: Rng) -> str:
    """A remark about a film, which nothing in the pair tasks is about."""
    adjective = _pick(rng, lex.POSITIVE + lex.NEGATIVE)
    return f"the {_pick(rng, lex.ASPECTS)} was {_pick(rng, lex.INTENSIFIERS)} {adjective}"


# --- the tasks: (rng, difficulty, label, genre) -> texts --------------------------------------------------------------


def _sst2(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """0 negative, 1 positive: a word; a negation and its scope; a contrast; a contrast of negations."""

    def opinion(positive: bool) -> str:
        return _pick(rng, lex.POSITIVE if positive else lex.NEGATIVE)

    def clause(aspect: str, positive: bool, negated: bool) -> str:
        if negated:
            return f"the {aspect} is {_pick(rng, lex.NEGATIONS)} {opinion(not positive)}"
        filler = f"{_pick(rng, lex.INTENSIFIERS)} " if _coin(rng) else ""
        return f"the {aspect} is {filler}{opinion(positive)}"

    good = label == 1
    first, second = _some(rng, lex.ASPECTS, 2)
    if difficulty == 1:
        forms = (
            f"{_a(_pick(rng, lex.NEUTRAL))} {first} and {_a(opinion(good))} {second}",
            f"{_a(opinion(good))} and {opinion(good)} {first}",
            f"i {_pick(rng, lex.LIKED if good else lex.DISLIKED)} the {opinion(good)} {first}",
            f"{clause(first, good, False)} and {opinion(good)}",
        )
    elif difficulty == 2:
        not_neutral = f"{_pick(rng, lex.NEGATIONS)} {_pick(rng, lex.NEUTRAL)}"
        forms = (
            clause(first, good, True),
            f"{clause(first, good, True)} and the {second} is {_pick(rng, lex.NEUTRAL)}",
            f"the {first} is {not_neutral} and {clause(second, good, False)}",
            f"{clause(first, good, False)} and the {second} is {not_neutral}",
        )
    else:
        negated = (False, False) if difficulty == 3 else _pick(rng, ((True, False), (False, True), (True, True)))
        lesser, main = clause(first, not good, negated[0]), clause(second, good, negated[1])
        forms = (
            f"although {lesser} , {main}",
            f"{main} although {lesser}",
            f"{lesser} but {main}",
            f"even if {lesser} , {main}",
        )
    return (_pick(rng, forms),)


def _mrpc(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """1 paraphrase, 0 not: another topic; the direction; the direction or a negation; which of two went where."""
    same = label == 1
    up, day, firm = _mostly(rng), _pick(rng, lex.DAYS), _pick(rng, lex.FIRMS)
    figure, other = _some(rng, lex.FIGURES, 2)

    def move(up: bool, negated: bool = False) -> str:
        past, base = _pick(rng, lex.ROSE if up else lex.FELL)
        return f"{_pick(rng, ('did not', 'failed to'))} {base}" if negated else past

    def report(verb: str) -> str:
        core = f"{figure} of the {firm} {verb}"
        return f"on {day} {core}" if _coin(rng) else f"{core} on {day}"

    if difficulty == 1:
        verb = move(up)
        first, second = report(verb), report(verb) if same else _off_topic(rng)
    elif difficulty == 2:
        first, second = report(move(up)), report(move(up == same))
    elif difficulty == 3:
        negated, flip = not _mostly(rng), not same and _coin(rng)
        first, second = report(move(up, negated)), report(move(up != flip, negated if same or flip else not negated))
    else:
        first = f"on {day} {figure} {move(up)} but {other} {move(not up)}"
        second = f"{other} {move(up != same)} while {figure} {move(up == same)} on {day}"
    return _sentence(first), _sentence(second)


def _qqp(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """1 duplicate, 0 not: another topic; another kind of question; the opposite; which of two amounts goes where."""
    same = label == 1
    amount, other = _some(rng, lex.AMOUNTS, 2)
    kind, other_kind = _likely_first(rng, lex.QUESTIONS)
    verbs, opposites = _likely_first(rng, (lex.RAISE, lex.LOWER))
    form, other_form = _some(rng, kind, 2)
    verb, synonym = _some(rng, verbs, 2)
    first = form.format(f"{verb} {amount}")
    if difficulty == 1:
        second = other_form.format(f"{verb} {amount}") if same else f"why do people say that {_off_topic(rng)}"
    elif difficulty == 2:
        second = (other_form if same else _pick(rng, other_kind)).format(f"{verb} {amount}")
    elif difficulty == 3:
        second = other_form.format(f"{synonym if same else _pick(rng, opposites)} {amount}")
    else:
        first = form.format(f"{verb} {amount} and {_pick(rng, opposites)} {other}")
        down, up = _pick(rng, opposites), synonym
        second = form.format(f"{down} {other} and {up} {amount}" if same else f"{up} {other} and {down} {amount}")
    return _sentence(first, "?"), _sentence(second, "?")


def _rte(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """0 entailed, 1 not: another topic; before and after; these in either order; a chain of two."""
    entailed = label == 0
    one, two, three = _some(rng, lex.INCIDENTS, 3)
    words, opposites = _likely_first(rng, (lex.EARLIER, lex.LATER))
    verb, place = _pick(rng, ("came", "took place", "happened")), _pick(rng, lex.FIRMS)

    def order(first: str, second: str, words: Sequence[str]) -> str:
        return f"the {first} {verb} {_pick(rng, words)} the {second}"

    premise = f"{order(one, two, words)} at the {place}"
    if difficulty == 1:
        hypothesis = f"the {one} {verb}" if entailed else _off_topic(rng)
    elif difficulty == 2:
        hypothesis = order(two, one, opposites if entailed else words)
    elif difficulty == 3:
        turned = _mostly(rng)
        hypothesis = order(*((two, one) if turned else (one, two)), opposites if turned == entailed else words)
    else:
        premise = " and ".join(_shuffled(rng, (order(one, two, words), order(two, three, words))))
        turned = _mostly(rng)
        hypothesis = order(*((three, one) if turned else (one, three)), opposites if turned == entailed else words)
    return _sentence(premise), _sentence(hypothesis)


def _qnli(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """0 the sentence answers the question, 1 it does not: another topic; one detail; two details; a detail denied."""
    answers = label == 0
    asked, given, also = _likely_first(rng, tuple(lex.DETAILS), 3)
    person, verb = _pick(rng, lex.PEOPLE), _pick(rng, lex.LEFT)
    question = f"{asked} did the {person} go"
    told = f"the {person} {verb}"
    detail = _pick(rng, lex.DETAILS[asked if answers else given])
    if difficulty == 1:
        sentence = f"{told} {detail}" if answers else _off_topic(rng)
    elif difficulty == 2:
        sentence = f"{told} {detail}"
    elif difficulty == 3:
        details = _shuffled(rng, (detail, _pick(rng, lex.DETAILS[also])))
        sentence = f"{told} {' '.join(details)}"
    else:
        denied = f"{_pick(rng, ('nobody knows', 'it is unclear', 'no one said'))} {given if answers else asked}"
        sentence = f"{told} {detail} but {denied}" if _coin(rng) else f"{denied} but {told} {detail}"
    return _sentence(question, "?"), _sentence(sentence)


# What the premise "<quantifier> <noun> is <adjective>" says of a hypothesis in the same adjective; the noun is the
# class ("dog") or a member ("poodle"). Classes are taken to be non-empty. Whatever is not listed stays open.
_ENTAILED = {
    ("every", "class"): [("every", "member"), ("some", "member"), ("some", "class")],
    ("every", "member"): [("some", "member"), ("some", "class")],
    ("some", "member"): [("some", "class")],
    ("no", "class"): [("no", "member")],
}
_REFUTED = {
    ("every", "class"): [("no", "member"), ("no", "class")],
    ("every", "member"): [("no", "member"), ("no", "class")],
    ("some", "member"): [("no", "member"), ("no", "class")],
    ("some", "class"): [("no", "class")],
    ("no", "class"): [("some", "member"), ("some", "class"), ("every", "member"), ("every", "class")],
    ("no", "member"): [("some", "member"), ("every", "member"), ("every", "class")],
}
_OPEN = {
    ("every", "member"): [("every", "class")],
    ("some", "member"): [("every", "class"), ("every", "member")],
    ("some", "class"): [("some", "member"), ("every", "class"), ("no", "member"), ("every", "member")],
    ("no", "member"): [("no", "class"), ("some", "class")],
}


_SAME_NOUN = (
    [("every", "every"), ("every", "some"), ("some", "some"), ("no", "no")],
    [("some", "every")],
    [("every", "no"), ("some", "no"), ("no", "some"), ("no", "every")],
)


_DENIED = {"every": "no", "no": "every"}


def _mnli(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """0 entailed, 1 open, 2 refuted: a telling word; two quantifiers; these and kinds; these and a denial."""
    kinds = lex.KINDS[genre]
    kind = _pick(rng, tuple(kinds))
    noun = {"class": kind, "member": _pick(rng, kinds[kind])}
    word, unrelated = (_pick(rng, pair) for pair in _some(rng, lex.OPPOSITES[genre], 2))
    who = _pick(rng, lex.PEOPLE)
    table = (_ENTAILED, _OPEN, _REFUTED)[label]
    if difficulty == 1:
        premise = f"the {who} saw {_a(noun['member'])} that was {word}"
        hypothesis = (
            f"someone saw something {word}",
            f"the {who} saw the {kind} because it was {unrelated}",
            f"nobody saw {_a(kind)} that was {word}",
        )[label]
        return _sentence(premise), _sentence(hypothesis)
    if difficulty == 3:
        quantifier, level = _pick(rng, tuple(table))
        claim, claim_level = _pick(rng, table[quantifier, level])
    else:
        level = claim_level = _pick(rng, tuple(noun))
        quantifier, claim = _pick(rng, _SAME_NOUN[label])
    said, claimed = word, word
    if difficulty == 4:  # "no dog is wet" is "every dog is anything but wet"
        denied = f"{_pick(rng, lex.DENIALS)} {word}"
        if claim != "some":
            claim, claimed = _DENIED[claim], denied
        elif quantifier != "some":
            quantifier, said = _DENIED[quantifier], denied
    premise = f"{_pick(rng, lex.QUANTIFIERS[quantifier])} {noun[level]} is {said}"
    hypothesis = f"{_pick(rng, lex.QUANTIFIERS[claim])} {noun[claim_level]} is {claimed}"
    return _sentence(premise), _sentence(hypothesis)


MAKERS: dict[str, Callable[[Rng, int, int, str], Texts]] = {
    "rte": _rte, "mrpc": _mrpc, "qqp": _qqp, "sst2": _sst2, "qnli": _qnli, "mnli": _mnli,
}  # fmt: skip
