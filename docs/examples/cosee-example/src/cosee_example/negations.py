"""A task: is a sentence positive, whatever number of negations it has?

Its examples are generated, as a preset with generated data asks for. With a `repository` and a `revision` instead of
`generate`, or with files `<data_dir>/negations/<split>-*.parquet`, they come from elsewhere.
"""

from collections.abc import Mapping
from itertools import product

import pandas as pd

from cosee.data.tasks import Task
from cosee.errors import InputError
from cosee.seeds import numpy_generator

PEOPLE = ("critics", "viewers", "friends", "students", "writers", "guests", "teachers", "fans")
THINGS = ("film", "story", "cast", "plot", "music", "ending", "script", "scene", "book", "show")
ADJECTIVES = (("bad", "dull", "weak", "slow", "poor"), ("good", "warm", "fresh", "clever", "strong"))
MOST_NEGATIONS = 3


def generate(seed: int, sizes: Mapping[str, int], noise: float) -> dict[str, pd.DataFrame]:
    """Splits of the task, no two examples of which are equal.

    Args:
        seed: the same seed gives the same examples.
        sizes: examples per split.
        noise: share of the examples whose label is wrong.

    Returns:
        One frame per split: sentence, label, idx, and difficulty, the number of negations plus one.

    Raises:
        InputError: there are not as many sentences.
    """
    rng = numpy_generator(seed, "negations")
    sentences = [
        (f"{who} say the {what} is {'not ' * count}{how}", (positive + count) % 2, count + 1)
        for who, what, positive, count in product(PEOPLE, THINGS, (0, 1), range(MOST_NEGATIONS + 1))
        for how in ADJECTIVES[positive]
    ]
    if sum(sizes.values()) > len(sentences):
        raise InputError(f"negations: {sum(sizes.values())} examples are wanted; expected {len(sentences)} at most.")
    order, splits, begin = rng.permutation(len(sentences)), {}, 0
    for split, size in sizes.items():
        chosen = [sentences[index] for index in order[begin : begin + size]]
        frame = pd.DataFrame(chosen, columns=["sentence", "label", "difficulty"]).assign(idx=range(len(chosen)))
        wrong = rng.random(len(chosen)) < noise
        splits[split], begin = frame.assign(label=frame["label"].where(~wrong, 1 - frame["label"])), begin + size
    return splits


TASK = Task(
    name="negations",
    label="Negations",
    kind="Sentiment",
    columns=("sentence",),
    classes=("negative", "positive"),
    official_rows={},
    test_splits={},
    generate=generate,
)
