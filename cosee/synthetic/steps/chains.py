"""Chains of facts: what all tasks of mini-GLUE have in common.

A text states facts. Each is about one node, a person or a kind of thing, and either leads on to another node ("Ann
backs Bob") or ends a chain with a value ("Bob loves it"). The value of a node is that of the end of its chain, turned
around by every fact of negative sign on the way ("Ann doubts Bob"). The number of *steps* of a question about a node
is the number of facts on its way, the last one included.

The facts form a forest: the chain that is asked about, for every other end a chain that is as long (as far as the text
has room), and further facts that lead to either at random. Which end closes which chain is drawn last, so that texts
of the same words have each answer with the same probability: only by following the chain can it be known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Rng = np.random.Generator
T = TypeVar("T")
MAX_STEPS = 6
LEAST_OTHERS = 4
"""Facts beside the chain that is asked about: as many as that chain has, but at least these."""
EXTRA = 2
"""At most so many more, in texts of at most `MAX_STEPS` - 2 steps, so that length does not tell the steps exactly."""


def pick(rng: Rng, items: Sequence[T]) -> T:
    """A random item."""
    return items[int(rng.integers(len(items)))]


def some(rng: Rng, items: Sequence[T], count: int) -> list[T]:
    """`count` different items, in random order."""
    return [items[int(i)] for i in rng.permutation(len(items))[:count]]


def coin(rng: Rng) -> bool:
    """True in half of the cases."""
    return bool(rng.integers(2))


@dataclass(frozen=True)
class Forest:
    """Nodes that lead to one another; node 0 is the one that is asked about.

    Attributes:
        leads_to: the node that each node leads to; -1 at the end of a chain [N].
        end: number of the end that each node arrives at; that of node 0 is 0 [N].
        steps: facts on the way from each node to its end, 1 at the end itself [N].
    """

    leads_to: tuple[int, ...]
    end: tuple[int, ...]
    steps: tuple[int, ...]

    def __len__(self) -> int:
        """N, the number of nodes and of facts."""
        return len(self.steps)


def draw_forest(rng: Rng, steps: int, ends: int) -> Forest:
    """A forest in which the node asked about is `steps` facts from its end, and there are `ends` ends in all."""
    others = max(LEAST_OTHERS, steps) + (int(rng.integers(EXTRA + 1)) if steps <= MAX_STEPS - 2 else 0)
    leads_to, end, distance = [], [], []

    def chain(number: int, length: int) -> None:
        first = len(leads_to)
        leads_to.extend([*range(first + 1, first + length), -1])
        end.extend([number] * length)
        distance.extend(range(length, 0, -1))

    chain(0, steps)
    for number in range(1, ends):
        chain(number, min(steps, others // (ends - 1)))
    while len(leads_to) < steps + others:
        target = pick(rng, [node for node, far in enumerate(distance) if far < MAX_STEPS])
        leads_to.append(target)
        end.append(end[target])
        distance.append(distance[target] + 1)
    return Forest(tuple(leads_to), tuple(end), tuple(distance))
