"""Splits of a generated task, whatever its grammar: their seeds, their noise, and the texts kept for pre-training."""

import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.seeds import numpy_generator

Texts = tuple[str, ...]
Drawn = tuple[Texts, int, tuple[int, ...]]
"""An example: its texts, its label, and the further columns of its row."""


def generate_splits(
    task: str,
    seed: int,
    sizes: Mapping[str, int],
    noise: float,
    draw: Callable[[np.random.Generator, str, set[Texts]], Drawn],
    further: Sequence[str],
) -> dict[str, pd.DataFrame]:
    """Generate splits of one task.

    Args:
        task: name of the task.
        seed: the same seed gives the same examples on every machine.
        sizes: examples per split, by its name on the hub (mnli: train, validation_matched, validation_mismatched), and
            `calibration`, which the hub does not have. A split never changes those before it.
        noise: share of the examples whose label is replaced by another one; nothing else depends on it.
        draw: an example from a generator, of a genre ("matched" or "mismatched"), with none of the texts given.
        further: names of the further columns.

    Returns:
        One frame per split: the task's text columns, `label` (GLUE's ids), `idx` and the further ones.

    Raises:
        InputError: a split is unknown.
    """
    names = ("train", *TASKS[task].eval_splits.values(), "calibration")
    if unknown := sorted(set(sizes) - set(names)):
        raise InputError(f"sizes: mini-GLUE's {task} has no split {unknown[0]!r}; expected {', '.join(names)}.")
    num_classes, seen, splits = TASKS[task].num_classes, set[Texts](), {}
    for split, size in sizes.items():
        rng, noise_rng = (numpy_generator(seed, "minidata", task, split, part) for part in ("texts", "noise"))
        genre = "mismatched" if split.endswith("mismatched") else "matched"
        rows = []
        for idx in range(size):
            texts, label, more = draw(rng, genre, seen)
            seen.add(texts)
            shift = int(noise_rng.integers(1, num_classes)) if noise_rng.random() < noise else 0
            rows.append((*texts, (label + shift) % num_classes, idx, *more))
        splits[split] = pd.DataFrame(rows, columns=[*TASKS[task].columns, "label", "idx", *further])
    return splits


def for_pretraining(texts: Texts) -> bool:
    """Whether texts are kept for pre-training: about every other example, by a rule independent of the seed."""
    return zlib.crc32("\n".join(texts).encode()) % 2 == 1
