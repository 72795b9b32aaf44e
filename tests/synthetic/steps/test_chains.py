"""Forests of facts: the length of the chain that is asked about, its rivals, and the steps of every node."""

from collections import Counter

import numpy as np
import pytest

from cosee.synthetic.steps.chains import EXTRA, LEAST_OTHERS, MAX_STEPS, draw_forest

STEPS = range(1, MAX_STEPS + 1)


def walked(forest, node):
    """Number of facts from a node to its end, by walking."""
    count = 1
    while forest.leads_to[node] >= 0:
        node, count = forest.leads_to[node], count + 1
    return count, node


@pytest.mark.parametrize("ends", [2, 3])
@pytest.mark.parametrize("steps", STEPS)
def test_steps_and_ends_are_those_found_by_walking(steps, ends):
    rng = np.random.default_rng(steps)
    for _ in range(50):
        forest = draw_forest(rng, steps, ends)
        closes = {}
        for node in range(len(forest)):
            count, last = walked(forest, node)
            assert forest.steps[node] == count <= MAX_STEPS
            closes.setdefault(last, forest.end[node])
            assert forest.end[node] == closes[last]
        assert sorted(closes.values()) == list(range(ends))  # each end closes one tree
        assert forest.steps[0] == steps and forest.end[0] == 0


@pytest.mark.parametrize("steps", STEPS)
def test_the_rival_chain_is_as_long_as_the_one_asked_about(steps):
    rng = np.random.default_rng(steps)
    for _ in range(50):
        forest = draw_forest(rng, steps, 2)
        longest = max(count for count, end in zip(forest.steps, forest.end, strict=True) if end == 1)
        assert longest >= steps


def test_the_number_of_facts_does_not_tell_the_steps_of_short_chains():
    rng = np.random.default_rng(0)
    sizes = {steps: Counter(len(draw_forest(rng, steps, 2)) for _ in range(300)) for steps in STEPS}
    for steps in range(1, MAX_STEPS - 1):
        assert set(sizes[steps]) == {steps + LEAST_OTHERS + extra for extra in range(EXTRA + 1)}
    assert set(sizes[1]) & set(sizes[2]) & set(sizes[3])
