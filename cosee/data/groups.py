"""Examples that share text, and held-out splits that share none with the examples that are trained on.

SST-2's training split holds the phrases of parse trees: most of its examples are verbatim parts of others. In QNLI and
MNLI one question or premise stands in several examples. Drawn example by example, a held-out split would have been
trained on in part; here whole groups are held out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
Words = tuple[str, ...]


def parent_sentences(texts: Sequence[str]) -> list[tuple[int, ...]]:
    """The sentences that each text is a part of: those texts which are part of no longer one.

    A text is part of another one if its words, cut at white space, stand in it one after the other. The longest texts
    come first; a text that none of them holds is a sentence, whose parts are then looked up: linear in the number of
    parts, quadratic in the length of a sentence alone.

    Args:
        texts: N texts; equal ones have the same parents.

    Returns:
        For each text the indices of its sentences, ascending; of a sentence its own, or that of the first equal text.
    """
    words = [tuple(text.split()) for text in texts]
    parents: dict[Words, list[int]] = {text: [] for text in words}
    for index in sorted(range(len(words)), key=lambda i: -len(words[i])):
        text = words[index]
        if parents[text]:  # part of a longer text, or equal to one that has been seen
            continue
        for part in {text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)} or {text}:
            if part in parents:
                parents[part].append(index)
    return [tuple(sorted(parents[text])) for text in words]


def connected_groups(columns: Sequence[Sequence[str]]) -> IntArray:
    """Group of each example: examples that share the text of a column are in one group, and so on from there.

    Args:
        columns: for each column that counts, the texts of all N examples.

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
        count: how many examples are wanted.
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

    An example is held out if all its sentences are; one of a held-out sentence that another sentence has too ("a good
    film") belongs to neither side.

    Args:
        parents: `parent_sentences` of all N examples.
        sentences: the sentences that may be held out.
        count: how many examples are wanted.
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
