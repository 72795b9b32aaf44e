"""Groups of examples that share text, and held-out splits that share no text with the training examples.

SST-2's training split holds the phrases of parse trees: most of its examples are verbatim parts of others. In QNLI and
MNLI one question or premise occurs in several examples. A split drawn example by example would leak into training; here
whole groups are held out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
Words = tuple[str, ...]


def parent_sentences(texts: Sequence[str]) -> list[tuple[int, ...]]:
    """The sentences that contain each text; a sentence is a text that no longer text contains.

    A text contains another one if the words of the latter, cut at white space, occur in it consecutively. Texts are
    visited from the longest on; one that no earlier text contains is a sentence, whose parts are then looked up: linear
    in the number of parts that are as long as some text.

    Args:
        texts: N texts; equal ones have the same parents.

    Returns:
        For each text the indices of its sentences, ascending; of a sentence its own, or that of the first equal text.
    """
    words = [tuple(text.split()) for text in texts]
    lengths = {len(text) for text in words} - {0}
    parents: dict[Words, list[int]] = {text: [] for text in words}
    for index in sorted(range(len(words)), key=lambda i: -len(words[i])):
        text = words[index]
        if parents[text]:  # part of a longer text, or equal to one that has been seen
            continue
        fitting = [length for length in lengths if length <= len(text)]
        for part in {text[i : i + k] for k in fitting for i in range(len(text) - k + 1)} or {text}:
            if part in parents:
                parents[part].append(index)
    return [tuple(sorted(parents[text])) for text in words]


def connected_groups(columns: Sequence[Sequence[str]]) -> IntArray:
    """Group of each example: two examples are in one group if a chain of shared texts connects them.

    Args:
        columns: the texts of all N examples, one sequence per column in which they may be shared.

    Returns:
        Group ids [N], 0, 1, … in order of first appearance.
    """
    num_examples = len(columns[0])
    root = list(range(num_examples))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    for column in columns:
        first: dict[str, int] = {}
        for index, text in enumerate(column):
            root[find(index)] = find(first.setdefault(text, index))
    roots = [find(index) for index in range(num_examples)]
    order = {r: group for group, r in enumerate(dict.fromkeys(roots))}
    return np.array([order[r] for r in roots], dtype=np.int64)


def hold_out_groups(groups: IntArray, count: int, rng: np.random.Generator, free: NDArray[np.bool_]) -> IntArray:
    """Whole groups, drawn at random until they have `count` examples or more.

    Args:
        groups: group id of each example [N].
        count: number of examples to hold out.
        rng: decides the order of the groups.
        free: examples that may be taken [N]; a group is free as a whole or not at all.

    Returns:
        Indices of the examples, ascending.
    """
    sizes = np.bincount(groups[free], minlength=groups.max() + 1)
    order = rng.permutation(len(sizes))
    needed = int(np.searchsorted(np.cumsum(sizes[order]), count)) + 1 if count else 0
    return np.flatnonzero(np.isin(groups, order[:needed]) & free)


def hold_out_sentences(
    parents: Sequence[tuple[int, ...]], sentences: IntArray, count: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Examples of sentences that are held out with all their parts, drawn until there are `count` examples or more.

    An example is held out if all its sentences are; one that is part of both a held-out sentence and another one ("a
    good film") belongs to neither side.

    Args:
        parents: `parent_sentences` of all N examples.
        sentences: the sentences that may be held out.
        count: number of examples to hold out.
        rng: decides the order of the sentences.

    Returns:
        Indices of the examples that are held out, and of all that are part of a held-out sentence; both ascending.
    """
    rank = np.full(len(parents), len(parents))  # of sentences that may not be held out: beyond all others
    rank[rng.permutation(sentences)] = np.arange(len(sentences))
    earliest, latest = (np.array([reach(rank[list(p)]) for p in parents]) for reach in (np.min, np.max))
    complete = np.sort(latest[latest < len(sentences)])
    last = complete[min(count, len(complete)) - 1] if count and len(complete) else -1
    return np.flatnonzero(latest <= last), np.flatnonzero(earliest <= last)
