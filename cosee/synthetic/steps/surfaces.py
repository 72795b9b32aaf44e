"""The six tasks of mini-GLUE: chains of facts (`cosee.synthetic.steps.chains`) in plain English.

| task | a fact | the end of a chain | the question |
| --- | --- | --- | --- |
| SST-2 | "Ann doubts Bob" | "Bob loves it" | what the speaker, who "backs" or "doubts" someone, thinks of the film |
| RTE | "wugs are daxes", "daxes include wugs" | "daxes are round" | whether "wugs are round" is entailed |
| MNLI | the same | "daxes have horns", "daxes lack horns" | whether "wugs have horns" is entailed |
| QNLI | "Ann joins Bob", "Bob brings Ann" | "Bob visits Oslo", "Bob leaves Monday" | whether it is answered |
| QQP | "Ann trails Bob", "Bob leads Ann" | "Bob enters Rome" | whether who meets Ann is who visits Rome |
| MRPC | "Ann serves Bob", "Bob commands Ann" | "Bob guards gold", "gold enriches Bob" | whether Ann guards gold |
"""

from collections.abc import Callable
from dataclasses import dataclass

from cosee.synthetic.steps import words
from cosee.synthetic.steps.chains import Forest, Rng, coin, draw_forest, pick, some

Texts = tuple[str, ...]


@dataclass(frozen=True)
class Mark:
    """A word with a place in a chain.

    Attributes:
        text: number of its text.
        word: its position among the words and punctuation marks of that text.
        steps: facts between it and the end of its chain.
        follows: whether it names a node in the fact about another, so that its value is found one look-up later than
            by the word about which the fact is.
        value: what its chain ends in, one of `words.VALUES`.
        sign: 1 or -1.
    """

    text: int
    word: int
    steps: int
    follows: bool
    value: str
    sign: int


@dataclass(frozen=True)
class Asked:
    """The word that is asked about, what its chain ends in, and what it is compared with.

    Attributes:
        word: the word.
        value: as in `Mark`.
        sign: as in `Mark`.
        claim: the value that the question names.
        claim_sign: its sign; in SST-2 that of the speaker's agreement.
    """

    word: str
    value: str
    sign: int
    claim: str
    claim_sign: int = 1


@dataclass(frozen=True)
class Surface:
    """An example before it is written out.

    Attributes:
        words: words and punctuation marks of each text.
        marks: words with a place in a chain.
        asked: the word that is asked about.
    """

    words: tuple[tuple[str, ...], ...]
    marks: tuple[Mark, ...]
    asked: Asked

    @property
    def texts(self) -> Texts:
        """The texts as they are read: sentences begin with a capital, marks stand beside their words."""
        return tuple(_written(text) for text in self.words)


@dataclass(frozen=True)
class _Fact:
    """Three words, the position of the node that the fact is about, and that of the node it leads to, if any."""

    words: tuple[str, str, str]
    node: int = 0
    target: int | None = None
    sign: int = 1


def _written(text: tuple[str, ...]) -> str:
    joined = ""
    for word in text:
        joined += word if word in words.SEPARATORS or not joined else f" {word}"
    return joined[0].upper() + joined[1:]


def _link(rng: Rng, node: str, target: str, verbs: tuple[str, ...], inverse: tuple[str, ...] = ()) -> _Fact:
    """A fact that leads on, in one of two directions: "Ann joins Bob" or "Bob brings Ann"."""
    if inverse and rng.random() < 0.3:
        return _Fact((target, pick(rng, inverse), node), 2, 0)
    return _Fact((node, pick(rng, verbs), target), 0, 2)


def _listed(
    rng: Rng,
    forest: Forest,
    facts: list[_Fact],
    values: list[tuple[str, int]],
    claim: tuple[str, int],
    opening: tuple[str, ...] = (),
    asked: int | None = None,
    close: str = ".",
    text: int = 0,
) -> tuple[tuple[str, ...], tuple[Mark, ...], Asked]:
    """The facts in random order after an opening, and the marks of their words.

    Args:
        rng: source of the order.
        forest: the chains.
        facts: one per node.
        values: value and sign of each end.
        claim: those that the question names.
        opening: words before the first fact.
        asked: position in the opening of the word that names node 0; None: it is not named there.
        close: the last punctuation mark.
        text: number of the text.
    """
    signs = [0] * len(forest)
    for node in sorted(range(len(forest)), key=lambda node: forest.steps[node]):
        target = forest.leads_to[node]
        onward = values[forest.end[node]][1] if target < 0 else signs[target]
        signs[node] = facts[node].sign * onward
    found = [
        {"steps": forest.steps[node], "value": values[forest.end[node]][0], "sign": signs[node]}
        for node in range(len(forest))
    ]
    listed, marks = list(opening), []
    if asked is not None:
        marks.append(Mark(text=text, word=asked, follows=True, **found[0]))
    for node in rng.permutation(len(forest)).tolist():
        fact, begin = facts[node], len(listed)
        marks.append(Mark(text=text, word=begin + fact.node, follows=False, **found[node]))
        if fact.target is not None:
            marks.append(Mark(text=text, word=begin + fact.target, follows=True, **found[forest.leads_to[node]]))
        listed += [*fact.words, ","]
    listed[-1] = close
    asked_fact = facts[0]
    return (
        tuple(listed),
        tuple(marks),
        Asked(asked_fact.words[asked_fact.node], found[0]["value"], found[0]["sign"], *claim),
    )


def sst2(rng: Rng, steps: int, label: int, genre: str) -> Surface:
    """0 negative, 1 positive: what the speaker thinks, by agreement with others."""
    forest = draw_forest(rng, steps, ends=2)
    names = some(rng, words.PEOPLE, len(forest))
    facts, product = [], 1
    for node, target in enumerate(forest.leads_to):
        sign = 1 if coin(rng) else -1
        if target >= 0:
            verb = pick(rng, words.AGREE if sign > 0 else words.DISAGREE)[0]
            facts.append(_Fact((names[node], verb, names[target]), 0, 2, sign))
            product *= sign if node < steps else 1  # the chain that is asked about comes first
        else:
            facts.append(_Fact((names[node], "", words.FILM)))
    sign = 1 if coin(rng) else -1
    speaks = pick(rng, words.AGREE if sign > 0 else words.DISAGREE)[1]
    first = (1 if label else -1) * sign * product
    values = [(words.FILM, first), (words.FILM, -first)]
    for node, target in enumerate(forest.leads_to):
        if target < 0:
            verb = pick(rng, words.LIKES if values[forest.end[node]][1] > 0 else words.DISLIKES)
            facts[node] = _Fact((names[node], verb, words.FILM))
    listed, *found = _listed(rng, forest, facts, values, (words.FILM, sign), ("I", speaks, names[0], ","), asked=2)
    return Surface((listed,), *found)


def rte(rng: Rng, steps: int, label: int, genre: str) -> Surface:
    """0 entailed, 1 not: things of a kind are what those of a wider kind are."""
    forest = draw_forest(rng, steps, ends=2)
    names, (asked, other) = some(rng, words.CREATURES, len(forest)), some(rng, words.ADJECTIVES, 2)
    ends = (asked, other) if label == 0 else (other, asked)
    facts = [
        _link(rng, names[node], names[target], words.IS, words.INCLUDES)
        if target >= 0
        else _Fact((names[node], "are", ends[forest.end[node]]))
        for node, target in enumerate(forest.leads_to)
    ]
    listed, *found = _listed(rng, forest, facts, [(end, 1) for end in ends], (asked, 1))
    return Surface((listed, (names[0], "are", asked, ".")), *found)


def mnli(rng: Rng, steps: int, label: int, genre: str) -> Surface:
    """0 entailed, 1 neutral, 2 contradicted: things of a kind have or lack what those of a wider kind do."""
    forest = draw_forest(rng, steps, ends=3)
    names = some(rng, words.TRADES if genre == "mismatched" else words.CREATURES, len(forest))
    (asked, other), has = some(rng, words.PARTS, 2), 1 if coin(rng) else -1
    ends = [(asked, has), (other, 1 if coin(rng) else -1), (asked, -has)]
    ends = [ends[label], *some(rng, [end for number, end in enumerate(ends) if number != label], 2)]
    facts = []
    for node, target in enumerate(forest.leads_to):
        if target >= 0:
            facts.append(_link(rng, names[node], names[target], words.IS, words.INCLUDES))
        else:
            part, sign = ends[forest.end[node]]
            facts.append(_Fact((names[node], words.HAVE if sign > 0 else words.LACK, part)))
    listed, *found = _listed(rng, forest, facts, ends, (asked, has))
    return Surface((listed, (names[0], words.HAVE if has > 0 else words.LACK, asked, ".")), *found)


def qnli(rng: Rng, steps: int, label: int, genre: str) -> Surface:
    """0 answered, 1 not: who travels with others travels where, when and how they do."""
    forest = draw_forest(rng, steps, ends=2)
    names, (asked, other) = some(rng, words.PEOPLE, len(forest)), some(rng, tuple(words.DETAILS), 2)
    ends = (asked, other) if label == 0 else (other, asked)
    facts = []
    for node, target in enumerate(forest.leads_to):
        if target >= 0:
            facts.append(_link(rng, names[node], names[target], words.JOINS, words.BRINGS))
        else:
            verb, details = words.DETAILS[ends[forest.end[node]]]
            facts.append(_Fact((names[node], verb, pick(rng, details))))
    listed, *found = _listed(rng, forest, facts, [(end, 1) for end in ends], (asked, 1), text=1)
    question = (asked, "does", names[0], "travel", "?")
    return Surface((question, listed), *found)


def qqp(rng: Rng, steps: int, label: int, genre: str) -> Surface:
    """1 duplicate, 0 not: two questions for those at a place, of which one names who goes there."""
    forest = draw_forest(rng, steps, ends=2)
    names, (asked, other) = some(rng, words.PEOPLE, len(forest)), some(rng, words.PLACES, 2)
    ends = (asked, other) if label == 1 else (other, asked)
    facts = [
        _link(rng, names[node], names[target], words.TRAILS, words.LEADS)
        if target >= 0
        else _Fact((names[node], pick(rng, words.ENTERS), ends[forest.end[node]]))
        for node, target in enumerate(forest.leads_to)
    ]
    opening = ("who", "meets", names[0], "if")
    listed, *found = _listed(rng, forest, facts, [(end, 1) for end in ends], (asked, 1), opening, asked=2, close="?")
    return Surface((listed, ("who", "visits", asked, "?")), *found)


def mrpc(rng: Rng, steps: int, label: int, genre: str) -> Surface:
    """1 paraphrase, 0 not: servants guard what their masters guard."""
    forest = draw_forest(rng, steps, ends=2)
    names, (asked, other) = some(rng, words.PEOPLE, len(forest)), some(rng, words.GOODS, 2)
    ends = (asked, other) if label == 1 else (other, asked)

    def possession(name: str, goods: str) -> _Fact:
        if rng.random() < 0.3:
            return _Fact((goods, pick(rng, words.FEEDS), name), 2)
        return _Fact((name, pick(rng, words.GUARDS), goods))

    facts = [
        _link(rng, names[node], names[target], words.SERVES, words.COMMANDS)
        if target >= 0
        else possession(names[node], ends[forest.end[node]])
        for node, target in enumerate(forest.leads_to)
    ]
    listed, *found = _listed(rng, forest, facts, [(end, 1) for end in ends], (asked, 1))
    return Surface((listed, (*possession(names[0], asked).words, ".")), *found)


SURFACES: dict[str, Callable[[Rng, int, int, str], Surface]] = {
    "rte": rte,
    "mrpc": mrpc,
    "qqp": qqp,
    "sst2": sst2,
    "qnli": qnli,
    "mnli": mnli,
}
"""Task -> its examples, by random generator, steps, label and genre ("mismatched" or not)."""
