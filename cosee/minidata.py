"""Mini-GLUE: the six tasks, generated from a seed in GLUE's own columns, in plain English and of graded difficulty.

Each row carries a `difficulty` (1-4) that says what deciding it takes: 1, a single telling word; 2, two words read together
(a negation and what it negates, a question word and the detail that answers it); 3, the structure of a clause (contrast, passive
voice, exchanged roles, a chain of two facts); 4, several of these composed. Rows of difficulty 2-4 are built so that their
words alone do not give the label away. A few labels are wrong, as they are in real data.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cosee import lexicon as lex
from cosee.errors import InputError

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
DIFFICULTY_SHARES = (0.4, 0.3, 0.2, 0.1)
# How a second sentence opens in the unlabelled corpus: the words that connect two sentences hint at how they relate.
CONNECTIVES = {
    "sst2": (("skip", "avoid"), ("see", "recommend")),
    "mrpc": (("meanwhile", "elsewhere"), ("namely", "again")),
    "qqp": (("besides", "another"), ("rather", "reworded")),
    "rte": (("so", "thus"), ("maybe", "still")),
    "qnli": (("answer", "reply"), ("aside", "unasked")),
    "mnli": (("so", "thus"), ("perhaps", "maybe"), ("wrong", "false")),
}

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
        stream = [seed, zlib.crc32(f"{task}/{split}".encode())]
        rng, noise_rng = np.random.default_rng([*stream, 0]), np.random.default_rng([*stream, 1])
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
    rng = np.random.default_rng([seed, zlib.crc32(b"corpus")])
    documents = []
    while len(documents) < size:
        if rng.random() < 0.1:
            documents.append(_definition(rng))
            continue
        task = _pick(rng, tuple(COLUMNS))
        num_classes = len(CONNECTIVES[task])
        label = int(rng.integers(num_classes))
        genre = "mismatched" if rng.random() < 0.4 else "matched"
        texts = MAKERS[task](rng, _draw_difficulty(rng), label, genre)
        if _for_corpus(texts):
            first, *second = texts
            if task == "sst2":  # a review goes on in the same vein
                more = [MAKERS[task](rng, int(rng.integers(1, 3)), label, genre)[0] for _ in range(int(rng.integers(3)))]
                first = " . ".join(_shuffled(rng, (first, *more)))
            hint = label if rng.random() < 0.95 else int(rng.integers(num_classes))
            documents.append("\n".join([first, " ".join([_pick(rng, CONNECTIVES[task][hint]), *second])]))
    return documents


def _unseen(rng: Rng, task: str, difficulty: int, label: int, genre: str, seen: set[Texts]) -> Texts:
    """Texts that no row has yet and that are not set aside for the corpus; they are added to `seen`."""
    for _ in range(1000):
        texts = MAKERS[task](rng, difficulty, label, genre)
        if texts not in seen and not _for_corpus(texts):
            seen.add(texts)
            return texts
    raise InputError(f"mini-GLUE has no more different rows for {task}: ask for fewer than {len(seen)} in all splits together")


def _for_corpus(texts: Texts) -> bool:
    """Whether a text or pair belongs to the corpus (one in two) rather than to the tasks: a fixed rule keeps them apart."""
    return zlib.crc32("\n".join(texts).encode()) % 2 == 1


def _draw_difficulty(rng: Rng) -> int:
    return 1 + int(np.searchsorted(np.cumsum(DIFFICULTY_SHARES), rng.random(), side="right").clip(max=3))


# --- building blocks --------------------------------------------------------------------------------------------------


def _pick(rng: Rng, items: Sequence):
    return items[int(rng.integers(len(items)))]


def _some(rng: Rng, items: Sequence, count: int) -> list:
    """`count` different items, in random order."""
    return [items[int(i)] for i in rng.permutation(len(items))[:count]]


def _coin(rng: Rng) -> bool:
    return bool(rng.random() < 0.5)


def _sentence(text: str, end: str = ".") -> str:
    return f"{text[0].upper()}{text[1:]}{end}"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _definition(rng: Rng) -> str:
    """One fact about words: a synonym, a kind, or an antonym."""
    genre = _pick(rng, tuple(lex.KINDS))
    kind = int(rng.integers(4))
    if kind == 0:
        word, synonym = _pick(rng, [names for names in lex.PEOPLE if len(names) == 2])
        return _sentence(f"{_a(word)} is the same as {_a(synonym)}")
    if kind == 1:
        word, synonym = _pick(rng, [verb for verb in lex.VERBS if len(verb) == 2])
        return _sentence(f"to {word[1]} is the same as to {synonym[1]}")
    if kind == 2:
        name = _pick(rng, tuple(lex.KINDS[genre]))
        return _sentence(f"{_a(_pick(rng, lex.KINDS[genre][name]))} is a kind of {name}")
    word, opposite = _shuffled(rng, _pick(rng, lex.ANTONYMS[genre]))
    return _sentence(f"what is {word} is not {opposite}")


def _shuffled(rng: Rng, items: Sequence) -> list:
    return _some(rng, items, len(items))


@dataclass(frozen=True)
class _Event:
    """Who did what to whom, where and when; people and verbs are tuples of synonyms."""

    agent: tuple[str, ...]
    verb: tuple[tuple[str, str], ...]
    patient: tuple[str, ...]
    city: str
    day: str

    def swapped(self) -> "_Event":
        return replace(self, agent=self.patient, patient=self.agent)

    def say(self, *, passive: bool = False, synonym: bool = False, city: bool = True, day: bool = True,
            front: bool = False) -> str:  # fmt: skip
        agent, patient = f"the {self.agent[-1 if synonym else 0]}", f"the {self.patient[-1 if synonym else 0]}"
        past = self.verb[-1 if synonym else 0][0]
        core = f"{patient} was {past} by {agent}" if passive else f"{agent} {past} {patient}"
        where, when = f" in {self.city}" if city else "", f"on {self.day}" if day else ""
        return f"{when} {core}{where}" if front and day else f"{core}{where} {when}".rstrip()


def _events(rng: Rng, count: int = 1) -> list[_Event]:
    """`count` events that share no word."""
    people, verbs = _some(rng, lex.PEOPLE, 2 * count), _some(rng, lex.VERBS, count)
    cities, days = _some(rng, lex.CITIES, count), _some(rng, lex.DAYS, count)
    return [
        _Event(people[2 * i], verbs[i], people[2 * i + 1], cities[i], days[i]) for i in range(count)
    ]  # fmt: skip


def _one_changed(rng: Rng, event: _Event) -> _Event:
    """The event with one of its words exchanged for that of another event."""
    other = _events(rng)[0]
    while {other.agent, other.patient} & {event.agent, event.patient}:
        other = _events(rng)[0]
    names = [name for name in ("agent", "verb", "patient", "city", "day") if getattr(other, name) != getattr(event, name)]
    name = _pick(rng, names)
    return replace(event, **{name: getattr(other, name)})


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
    """1 paraphrase, 0 not: another topic; another detail; passive voice or exchanged roles; these with synonyms."""
    event = _events(rng)[0]
    same = label == 1
    first = event.say()
    if difficulty == 1:
        second = event.say(front=True) if same else _off_topic(rng)
    elif difficulty == 2:
        second = (event if same else _one_changed(rng, event)).say(front=_coin(rng), synonym=same or _coin(rng))
    elif difficulty == 3:
        passive = _coin(rng)
        second = (event if same else event.swapped()).say(passive=passive, front=not passive or _coin(rng))
    else:
        other = event if same else event.swapped() if _coin(rng) else _one_changed(rng, event)
        second = other.say(passive=_coin(rng), synonym=True, front=True)
    return tuple(map(_sentence, _shuffled(rng, (first, second)) if difficulty > 1 else (first, second)))


def _qqp(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """1 duplicate, 0 not: another topic; another thing or intent; a direction; a comparison turned round."""
    same = label == 1
    goods = [f"{grade} {good}" for grade in lex.GRADES for good in lex.GOODS]
    slots = {"learn": lex.SKILLS, "buy": goods, "cost": goods}
    forms = {
        "learn": ("how can i learn {}", "what is the best way to learn {}", "how do i get good at {}", "can i teach myself {}"),
        "buy": ("where can i buy a {}", "which shop sells a {}", "where do people find a {}", "who has a {} for sale"),
        "cost": ("how much does a {} cost", "what is the price of a {}", "how much do i pay for a {}", "what is a {} worth"),
    }
    if difficulty <= 2:
        intent = _pick(rng, tuple(forms))
        thing, other = _some(rng, slots[intent], 2)
        first, second = (form.format(thing) for form in _some(rng, forms[intent], 2))
        if not same and difficulty == 1:
            second = f"why do people say that {_off_topic(rng)}"
        elif not same and intent != "learn" and _coin(rng):
            second = _pick(rng, forms["cost" if intent == "buy" else "buy"]).format(thing)
        elif not same:
            second = second.replace(thing, other)
    elif difficulty == 3:
        start, goal, elsewhere = _some(rng, lex.CITIES, 3)
        routes = ("how do i get from {0} to {1}", "which train goes to {1} from {0}", "what is the fastest way from {0} to {1}")
        first, second = _some(rng, routes, 2)
        first = first.format(start, goal)
        second = second.format(*((start, goal) if same else (goal, start) if rng.random() < 0.7 else (start, elsewhere)))
    else:
        one, two = _some(rng, lex.BRANDS, 2)
        better = ("is {0} better than {1}", "is {1} worse than {0}", "should i choose {0} over {1}", "does {0} beat {1}")
        first, second = _some(rng, better, 2)
        first, second = first.format(one, two), second.format(*((one, two) if same else (two, one)))
    return _sentence(first, "?"), _sentence(second, "?")


def _rte(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """0 entailed, 1 not: another topic; parts of two clauses mixed; chains of two and of three facts."""
    entailed = label == 0
    if difficulty <= 2:
        one, two = _shuffled(rng, _events(rng, 2))
        premise = " and ".join(_shuffled(rng, (one.say(day=False), two.say(day=False))))
        mixed = replace(one, **{(name := _pick(rng, ("agent", "patient", "city"))): getattr(two, name)})
        claim = one if entailed or difficulty == 1 else mixed
        hypothesis = claim.say(day=False) if entailed or difficulty == 2 else _off_topic(rng)
    else:
        hops = difficulty - 1
        names = _some(rng, lex.NAMES, 2 * hops + 1)
        chain, others = names[: hops + 1], names[hops + 1 :]
        facts = [f"{name} for {boss}" for line in (chain, others) for name, boss in zip(line, line[1:], strict=False)]
        premise = " , ".join(_shuffled(rng, facts)).replace(" for", " works for", 1)
        hypothesis = f"{chain[0]} works under {chain[-1] if entailed else others[-1]}"
    return _sentence(premise), _sentence(hypothesis)


def _qnli(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """0 the sentence answers the question, 1 it does not: another topic; the asked detail; whose detail; roles."""
    answers = label == 0
    event, other = _events(rng, 2)
    ask_city = _coin(rng)
    agent, verb, patient = event.agent[0], event.verb[0], event.patient[0]
    question = f"{'where' if ask_city else 'when'} did the {agent} {verb[1]} the {patient}"
    if difficulty == 1:
        sentence = event.say(city=ask_city, day=not ask_city) if answers else _off_topic(rng)
    elif difficulty == 2:
        given_city = ask_city == answers
        sentence = event.say(city=given_city, day=not given_city)
    elif difficulty == 3:
        clauses = [event.say(city=ask_city == answers, day=ask_city != answers),
                   other.say(city=ask_city != answers, day=ask_city == answers)]  # fmt: skip
        sentence = " and ".join(_shuffled(rng, clauses))
    else:
        passive, who = _coin(rng), _coin(rng)
        question = f"who {verb[0]} the {patient}" if who else f"who did the {agent} {verb[1]}"
        told = event if answers else event.swapped()
        sentence = told.say(passive=passive, synonym=_coin(rng), city=ask_city, day=not ask_city)
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


def _mnli(rng: Rng, difficulty: int, label: int, genre: str) -> Texts:
    """0 entailed, 1 open, 2 refuted: a telling word; antonyms; negated antonyms of kinds; quantifiers and kinds."""
    kinds = lex.KINDS[genre]
    kind = _pick(rng, tuple(kinds))
    noun = {"class": kind, "member": _pick(rng, kinds[kind])}
    (word, opposite), (unrelated, _) = (_shuffled(rng, pair) for pair in _some(rng, lex.ANTONYMS[genre], 2))
    who = _pick(rng, lex.PEOPLE)[0]
    if difficulty == 1:
        premise = f"the {who} saw {_a(noun['member'])} that was {word}"
        hypothesis = (
            f"someone saw something {word}",
            f"the {who} saw the {kind} because it was {unrelated}",
            f"nobody saw {_a(kind)} that was {word}",
        )[label]
    elif difficulty == 2:
        premise = f"the {who} has {_a(noun['member'])} , which is {word}"
        hypothesis = f"the {noun['member']} is {(word, unrelated, opposite)[label]}"
    elif difficulty == 3:
        negated, claim_negated = _coin(rng), _coin(rng)
        premise = f"the {noun['member']} is {'not ' * negated}{word}"
        same, other = (word, opposite) if negated == claim_negated else (opposite, word)
        hypothesis = f"the {kind} is {'not ' * claim_negated}{(same, unrelated, other)[label]}"
    else:
        table = (_ENTAILED, _OPEN, _REFUTED)[label]
        quantifier, level = _pick(rng, tuple(table))
        claim, claim_level = _pick(rng, table[quantifier, level])
        premise = f"{quantifier} {noun[level]} is {word}"
        hypothesis = f"{claim} {noun[claim_level]} is {word}"
    return _sentence(premise), _sentence(hypothesis)


MAKERS: dict[str, Callable[[Rng, int, int, str], Texts]] = {
    "rte": _rte, "mrpc": _mrpc, "qqp": _qqp, "sst2": _sst2, "qnli": _qnli, "mnli": _mnli,
}  # fmt: skip
