"""Mini-GLUE: the six tasks, generated from a seed in GLUE's own columns, in plain English and of graded difficulty.

Each example has a `difficulty`, the reading that it requires: 1, a telling word; 2, two words read together (a
negation and its scope, two verbs of similar or opposite meaning, a question and the kind of detail given); 3, a
structure (a contrast, an order, a quantifier and a kind of thing); 4, two of these composed. A few labels are wrong.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.seeds import numpy_generator
from cosee.synthetic import lexicon as lex
from cosee.synthetic.grammar import GRAMMARS, Rng, pick, shuffled
from cosee.synthetic.splits import Drawn, Texts, for_pretraining, generate_splits

DIFFICULTY_SHARES = (0.35, 0.3, 0.2, 0.15)
CONNECTIVES = {
    "rte": (("so", "thus"), ("maybe", "still")),
    "mrpc": (("meanwhile", "elsewhere"), ("namely", "again")),
    "qqp": (("besides", "another"), ("rather", "reworded")),
    "sst2": (("skip", "avoid"), ("see", "recommend")),
    "qnli": (("answer", "reply"), ("aside", "unasked")),
    "mnli": (("so", "thus"), ("perhaps", "maybe"), ("wrong", "false")),
}
"""Task -> per label, the words that open a second sentence in the corpus: they hint at how two sentences relate."""
FITTING = 0.95  # share of the documents whose connecting word is drawn to fit; it is drawn at random in the others
WORD_FACTS = 0.35  # share of the documents that are about the meaning of one word


def generate(task: str, seed: int, sizes: Mapping[str, int], noise: float = 0.03) -> dict[str, pd.DataFrame]:
    """Generate splits of one task.

    Args:
        task: name of the task.
        seed: the same seed gives the same examples on every machine.
        sizes: examples per split, as in `generate_splits`.
        noise: share of the examples whose label is replaced by another one; nothing else depends on it.

    Returns:
        One frame per split: the task's text columns, `label` (GLUE's ids), `idx` and `difficulty` (1 to 4). No two
        examples of a task share their text, in any split.

    Raises:
        InputError: the task or a split is unknown, or the grammar cannot generate that many different examples.
    """
    if task not in GRAMMARS:
        raise InputError(f"task: mini-GLUE has no {task!r}; expected one of {', '.join(GRAMMARS)}.")

    def draw(rng: Rng, genre: str, seen: set[Texts]) -> Drawn:
        difficulty, label = _difficulty(rng), int(rng.integers(TASKS[task].num_classes))
        return _texts(rng, task, difficulty, label, genre, corpus=False, seen=seen), label, (difficulty,)

    return generate_splits(task, seed, sizes, noise, draw, ["difficulty"])


def corpus(seed: int, size: int) -> list[str]:
    """Generate unlabeled documents for pre-training, from a random stream of their own.

    A document is a text, a line break, and a word that connects it with what follows, as in "Sales fell on Monday." /
    "namely On Monday sales dropped.", "a warm and witty film" / "recommend" or "by bus" / "how". No document holds the
    text, or pair of texts, of any example of any task, whatever the seeds.
    """
    rng = numpy_generator(seed, "minidata", "corpus")
    return [_word_fact(rng) if rng.random() < WORD_FACTS else _document(rng) for _ in range(size)]


def _texts(
    rng: Rng, task: str, difficulty: int, label: int, genre: str, *, corpus: bool, seen: set[Texts] | None = None
) -> Texts:
    """Texts from the wanted side of `for_pretraining` that are not among those seen."""
    for _ in range(1000):
        texts = GRAMMARS[task](rng, difficulty, label, genre)
        if for_pretraining(texts) == corpus and texts not in (seen or ()):
            return texts
    raise InputError(
        f"sizes: mini-GLUE's {task} has no more different examples; expected fewer than {len(seen or ())} in total."
    )


def _difficulty(rng: Rng) -> int:
    return 1 + int(np.searchsorted(np.cumsum(DIFFICULTY_SHARES)[:-1], rng.random(), side="right"))


def _document(rng: Rng) -> str:
    """Two sentences with a relation of one of the tasks, and the word that connects them."""
    task = pick(rng, tuple(CONNECTIVES))
    num_classes = TASKS[task].num_classes
    label = int(rng.integers(num_classes))
    genre = "mismatched" if rng.random() < 0.4 else "matched"
    first, *second = _texts(rng, task, _difficulty(rng), label, genre, corpus=True)
    if task == "sst2":  # the second sentence has the same sentiment
        more = [
            _texts(rng, task, int(rng.integers(1, 3)), label, genre, corpus=True)[0] for _ in range(rng.integers(3))
        ]
        first = " . ".join(shuffled(rng, (first, *more)))
    hint = label if rng.random() < FITTING else int(rng.integers(num_classes))
    return f"{first}\n{' '.join((pick(rng, CONNECTIVES[task][hint]), *second))}"


def _word_fact(rng: Rng) -> str:
    """A phrase, and a word that gives the meaning of one of its words."""
    topic, yes = int(rng.integers(7)), int(rng.integers(2))
    if topic == 0:
        text, fact = _texts(rng, "sst2", 1, yes, "matched", corpus=True)[0], pick(rng, CONNECTIVES["sst2"][yes])
    elif topic == 1:
        past, base = pick(rng, (lex.FELL, lex.ROSE)[yes])
        verb = pick(rng, (past, f"did {base}"))
        text, fact = f"{pick(rng, lex.FIGURES)} of the {pick(rng, lex.FIRMS)} {verb}", ("down", "up")[yes]
    elif topic == 2:
        text, fact = f"to {pick(rng, (lex.LOWER, lex.RAISE)[yes])} my {pick(rng, lex.AMOUNTS)}", ("less", "more")[yes]
    elif topic == 3:
        kind = int(rng.integers(len(lex.QUESTIONS)))
        request = f"{pick(rng, lex.RAISE + lex.LOWER)} my {pick(rng, lex.AMOUNTS)}"
        text, fact = pick(rng, lex.QUESTIONS[kind]).format(request), ("by", "because", "at", "ask")[kind]
    elif topic == 4:
        one, two = pick(rng, lex.INCIDENTS), pick(rng, lex.INCIDENTS)
        text, fact = f"the {one} came {pick(rng, (lex.LATER, lex.EARLIER)[yes])} the {two}", ("second", "first")[yes]
    elif topic == 5:
        fact = pick(rng, tuple(lex.DETAILS))
        text = f"the {pick(rng, lex.PEOPLE)} {pick(rng, lex.LEFT)} {pick(rng, lex.DETAILS[fact])}"
    else:
        kinds = lex.KINDS[pick(rng, tuple(lex.KINDS))]
        fact = pick(rng, tuple(kinds))
        text = f"every {pick(rng, kinds[fact])} is a kind of"
    return f"{text}\n{fact}"
