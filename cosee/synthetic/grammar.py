"""The sentences of mini-GLUE: a small grammar per task, from a wanted difficulty and label to texts.

Each function's docstring lists its four difficulties. Examples of difficulty 1 are decided by a single word; the others
require words to be read together. As in real data, some readings are more likely than others, which lets a model
progress from single words to their composition.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from cosee.synthetic import lexicon as lex
from cosee.synthetic.splits import Texts

Rng = np.random.Generator
T = TypeVar("T")


def pick(rng: Rng, items: Sequence[T]) -> T:
    """A random item."""
    return items[int(rng.integers(len(items)))]


def _some(rng: Rng, items: Sequence[T], count: int) -> list[T]:
    """`count` different items, in random order."""
    return [items[int(i)] for i in rng.permutation(len(items))[:count]]


def _likely_first(rng: Rng, items: Sequence[T], count: int = 2) -> list[T]:
    """`count` different items in random order, but in three of five cases starting with the first of `items`."""
    chosen = _some(rng, items, len(items))
    if rng.random() < 0.6:
        chosen.remove(items[0])
        chosen.insert(0, items[0])
    return chosen[:count]


def _coin(rng: Rng) -> bool:
    return bool(rng.random() < 0.5)


def _mostly(rng: Rng) -> bool:
    """True in three of four cases: as in real data, some readings are more likely than others."""
    return bool(rng.random() < 0.75)


def _sentence(text: str, end: str = ".") -> str:
    return f"{text[0].upper()}{text[1:]}{end}"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def shuffled(rng: Rng, items: Sequence[T]) -> list[T]:
    """All items in random order."""
    return _some(rng, items, len(items))


def _off_topic(rng: Rng) -> str:
    """A remark about a film: off topic in all pair tasks."""
    adjective = pick(rng, lex.POSITIVE + lex.NEGATIVE)
    return f"the {pick(rng, lex.ASPECTS)} was {pick(rng, lex.INTENSIFIERS)} {adjective}"


def sst2(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """0 negative, 1 positive: a word; a negation and its scope; a contrast; a contrast of negations."""

    def opinion(positive: bool) -> str:
        return pick(rng, lex.POSITIVE if positive else lex.NEGATIVE)

    def clause(aspect: str, positive: bool, negated: bool) -> str:
        if negated:
            return f"the {aspect} is {pick(rng, lex.NEGATIONS)} {opinion(not positive)}"
        filler = f"{pick(rng, lex.INTENSIFIERS)} " if _coin(rng) else ""
        return f"the {aspect} is {filler}{opinion(positive)}"

    good = label == 1
    first, second = _some(rng, lex.ASPECTS, 2)
    if difficulty == 1:
        forms = (
            f"{_a(pick(rng, lex.NEUTRAL))} {first} and {_a(opinion(good))} {second}",
            f"{_a(opinion(good))} and {opinion(good)} {first}",
            f"i {pick(rng, lex.LIKED if good else lex.DISLIKED)} the {opinion(good)} {first}",
            f"{clause(first, good, False)} and {opinion(good)}",
        )
    elif difficulty == 2:
        not_neutral = f"{pick(rng, lex.NEGATIONS)} {pick(rng, lex.NEUTRAL)}"
        forms = (
            clause(first, good, True),
            f"{clause(first, good, True)} and the {second} is {pick(rng, lex.NEUTRAL)}",
            f"the {first} is {not_neutral} and {clause(second, good, False)}",
            f"{clause(first, good, False)} and the {second} is {not_neutral}",
        )
    else:
        negated = (False, False) if difficulty == 3 else pick(rng, ((True, False), (False, True), (True, True)))
        lesser, main = clause(first, not good, negated[0]), clause(second, good, negated[1])
        forms = (
            f"although {lesser} , {main}",
            f"{main} although {lesser}",
            f"{lesser} but {main}",
            f"even if {lesser} , {main}",
        )
    return (pick(rng, forms),)


def mrpc(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """1 paraphrase, 0 not: another topic; the direction; the direction or a negation; which of two went where."""
    same = label == 1
    up, day, firm = _mostly(rng), pick(rng, lex.DAYS), pick(rng, lex.FIRMS)
    figure, other = _some(rng, lex.FIGURES, 2)

    def move(up: bool, negated: bool = False) -> str:
        past, base = pick(rng, lex.ROSE if up else lex.FELL)
        return f"{pick(rng, ('did not', 'failed to'))} {base}" if negated else past

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


def qqp(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """1 duplicate, 0 not: another topic; another kind of question; the opposite; which of two amounts goes where."""
    same = label == 1
    amount, other = (f"my {name}" for name in _some(rng, lex.AMOUNTS, 2))
    kind, other_kind = _likely_first(rng, lex.QUESTIONS)
    verbs, opposites = _likely_first(rng, (lex.RAISE, lex.LOWER))
    form, other_form = _some(rng, kind, 2)
    verb, synonym = _some(rng, verbs, 2)
    first = form.format(f"{verb} {amount}")
    if difficulty == 1:
        second = other_form.format(f"{verb} {amount}") if same else f"why do people say that {_off_topic(rng)}"
    elif difficulty == 2:
        second = (other_form if same else pick(rng, other_kind)).format(f"{verb} {amount}")
    elif difficulty == 3:
        second = other_form.format(f"{synonym if same else pick(rng, opposites)} {amount}")
    else:
        first = form.format(f"{verb} {amount} and {pick(rng, opposites)} {other}")
        down, up = pick(rng, opposites), synonym
        second = form.format(f"{down} {other} and {up} {amount}" if same else f"{up} {other} and {down} {amount}")
    return _sentence(first, "?"), _sentence(second, "?")


def rte(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """0 entailed, 1 not: another topic; before and after; these in either order; a chain of two."""
    entailed = label == 0
    one, two, three = _some(rng, lex.INCIDENTS, 3)
    words, opposites = _likely_first(rng, (lex.EARLIER, lex.LATER))
    verb, place = pick(rng, ("came", "took place", "happened")), pick(rng, lex.FIRMS)

    def order(first: str, second: str, words: Sequence[str]) -> str:
        return f"the {first} {verb} {pick(rng, words)} the {second}"

    premise = f"{order(one, two, words)} at the {place}"
    if difficulty == 1:
        hypothesis = f"the {one} {verb}" if entailed else _off_topic(rng)
    elif difficulty == 2:
        hypothesis = order(two, one, opposites if entailed else words)
    elif difficulty == 3:
        turned = _mostly(rng)
        hypothesis = order(*((two, one) if turned else (one, two)), opposites if turned == entailed else words)
    else:
        premise = " and ".join(shuffled(rng, (order(one, two, words), order(two, three, words))))
        turned = _mostly(rng)
        hypothesis = order(*((three, one) if turned else (one, three)), opposites if turned == entailed else words)
    return _sentence(premise), _sentence(hypothesis)


def qnli(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """0 the sentence answers the question, 1 it does not: another topic; one detail; two details; a detail denied."""
    answers = label == 0
    asked, given, also = _likely_first(rng, tuple(lex.DETAILS), 3)
    person, verb = pick(rng, lex.PEOPLE), pick(rng, lex.LEFT)
    question = f"{asked} did the {person} go"
    told = f"the {person} {verb}"
    detail = pick(rng, lex.DETAILS[asked if answers else given])
    if difficulty == 1:
        sentence = f"{told} {detail}" if answers else _off_topic(rng)
    elif difficulty == 2:
        sentence = f"{told} {detail}"
    elif difficulty == 3:
        details = shuffled(rng, (detail, pick(rng, lex.DETAILS[also])))
        sentence = f"{told} {' '.join(details)}"
    else:
        denied = f"{pick(rng, ('nobody knows', 'it is unclear', 'no one said'))} {given if answers else asked}"
        sentence = f"{told} {detail} but {denied}" if _coin(rng) else f"{denied} but {told} {detail}"
    return _sentence(question, "?"), _sentence(sentence)


# Entailment by the premise "<quantifier> <noun> is <adjective>" of a hypothesis with the same adjective; the noun is
# the class ("dog") or a member ("poodle"). Classes are assumed to be non-empty. Pairs that are not listed are open.
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
# The same for premise and hypothesis about one noun.
_SAME_NOUN = (
    [("every", "every"), ("every", "some"), ("some", "some"), ("no", "no")],
    [("some", "every")],
    [("every", "no"), ("some", "no"), ("no", "some"), ("no", "every")],
)
_DENIED = {"every": "no", "no": "every"}


def mnli(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """0 entailed, 1 open, 2 refuted: a telling word; two quantifiers; these and kinds; these and a denial."""
    kinds = lex.KINDS[genre]
    kind = pick(rng, tuple(kinds))
    noun = {"class": kind, "member": pick(rng, kinds[kind])}
    word, unrelated = (pick(rng, pair) for pair in _some(rng, lex.OPPOSITES[genre], 2))
    who = pick(rng, lex.PEOPLE)
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
        quantifier, level = pick(rng, tuple(table))
        claim, claim_level = pick(rng, table[quantifier, level])
    else:
        level = claim_level = pick(rng, tuple(noun))
        quantifier, claim = pick(rng, _SAME_NOUN[label])
    said, claimed = word, word
    if difficulty == 4:  # "no dog is wet" is "every dog is anything but wet"
        denied = f"{pick(rng, lex.DENIALS)} {word}"
        if claim != "some":
            claim, claimed = _DENIED[claim], denied
        elif quantifier != "some":
            quantifier, said = _DENIED[quantifier], denied
    premise = f"{pick(rng, lex.QUANTIFIERS[quantifier])} {noun[level]} is {said}"
    hypothesis = f"{pick(rng, lex.QUANTIFIERS[claim])} {noun[claim_level]} is {claimed}"
    return _sentence(premise), _sentence(hypothesis)


GRAMMARS: dict[str, Callable[[Rng, int, int, str], Texts]] = {
    "rte": rte, "mrpc": mrpc, "qqp": qqp, "sst2": sst2, "qnli": qnli, "mnli": mnli,
}  # fmt: skip
"""Task -> (rng, difficulty, label, genre) -> texts; the genre, matched or mismatched, matters to MNLI alone."""
