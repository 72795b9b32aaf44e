"""Mini-GLUE: the six tasks, generated from a seed in GLUE's own columns, in plain English and of known depth.

Each example has `steps`, the number of facts that its answer takes, 1 to 6: see
`cosee.synthetic.steps.chains`. A few labels are wrong.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.seeds import numpy_generator
from cosee.synthetic.steps.chains import MAX_STEPS, Rng, pick
from cosee.synthetic.steps.surfaces import SURFACES, Surface, Texts

STEP_SHARES = (0.25, 0.2, 0.175, 0.15, 0.125, 0.1)
"""Share of the examples of 1 to 6 steps in the tasks; the mean is 3, half of the most."""


@dataclass(frozen=True)
class Example:
    """An example of pre-training: its task, steps, label and what is written."""

    task: str
    steps: int
    label: int
    surface: Surface


def generate(task: str, seed: int, sizes: Mapping[str, int], noise: float = 0.03) -> dict[str, pd.DataFrame]:
    """Generate splits of one task.

    Args:
        task: name of the task.
        seed: the same seed gives the same examples on every machine.
        sizes: examples per split, by its name on the hub (mnli: train, validation_matched, validation_mismatched), and
            `calibration`, which the hub does not have. A split never changes those before it.
        noise: share of the examples whose label is replaced by another one; nothing else depends on it.

    Returns:
        One frame per split: the task's text columns, `label` (GLUE's ids), `idx`, and `difficulty` and `steps`, which
        are the same (1 to 6). No two examples of a task share their text, in any split.

    Raises:
        InputError: the task or a split is unknown.
    """
    if task not in SURFACES:
        raise InputError(f"task: mini-GLUE has no {task!r}; expected one of {', '.join(SURFACES)}.")
    names = ("train", *TASKS[task].eval_splits.values(), "calibration")
    if unknown := sorted(set(sizes) - set(names)):
        raise InputError(f"sizes: mini-GLUE's {task} has no split {unknown[0]!r}; expected {', '.join(names)}.")
    num_classes, seen, splits = TASKS[task].num_classes, set(), {}
    for split, size in sizes.items():
        rng, noise_rng = (numpy_generator(seed, "minidata", task, split, part) for part in ("texts", "noise"))
        genre = "mismatched" if split.endswith("mismatched") else "matched"
        rows = []
        for idx in range(size):
            steps, label = _steps(rng), int(rng.integers(num_classes))
            texts = _surface(rng, task, steps, label, genre, pretraining=False, seen=seen).texts
            seen.add(texts)
            shift = int(noise_rng.integers(1, num_classes)) if noise_rng.random() < noise else 0
            rows.append((*texts, (label + shift) % num_classes, idx, steps, steps))
        splits[split] = pd.DataFrame(rows, columns=[*TASKS[task].columns, "label", "idx", "difficulty", "steps"])
    return splits


def pretraining_examples(rng: Rng, count: int, most_steps: int = MAX_STEPS) -> list[Example]:
    """Examples for pre-training: of every task, label and number of steps up to a most alike, and of both genres.

    None of them is an example of any split of any task, whatever the seeds: see `for_pretraining`.
    """
    examples = []
    for _ in range(count):
        task = pick(rng, tuple(SURFACES))
        steps, label = 1 + int(rng.integers(most_steps)), int(rng.integers(TASKS[task].num_classes))
        genre = "mismatched" if rng.random() < 0.4 else "matched"
        examples.append(Example(task, steps, label, _surface(rng, task, steps, label, genre, pretraining=True)))
    return examples


def for_pretraining(texts: Texts) -> bool:
    """Whether texts are reserved for pre-training: about every other example, by a rule independent of the seed."""
    return zlib.crc32("\n".join(texts).encode()) % 2 == 1


def _surface(
    rng: Rng, task: str, steps: int, label: int, genre: str, *, pretraining: bool, seen: set[Texts] | None = None
) -> Surface:
    """An example from the wanted side of `for_pretraining` that is not among those seen."""
    while True:
        surface = SURFACES[task](rng, steps, label, genre)
        if for_pretraining(surface.texts) == pretraining and surface.texts not in (seen or ()):
            return surface


def _steps(rng: Rng) -> int:
    return 1 + int(np.searchsorted(np.cumsum(STEP_SHARES)[:-1], rng.random(), side="right"))
