"""Examples and encoders of known shapes."""

import numpy as np
import pytest

from cosee.bench.shapes import LENGTHS, drawn_lengths, random_rows


@pytest.mark.parametrize(("task", "mean"), [("sst2", 13.32), ("mnli", 38.67)])
def test_drawn_lengths_are_those_of_the_task(task, mean):
    lengths = drawn_lengths(task, 20_000)
    shortest, _, _, longest = LENGTHS[task]
    assert lengths.mean() == pytest.approx(mean, rel=0.02)
    assert shortest <= lengths.min() and lengths.max() <= longest
    assert np.array_equal(lengths[:10], drawn_lengths(task, 20_000)[:10])


def test_random_rows_have_the_given_lengths_and_known_tokens():
    lengths = np.array([3, 9, 4])
    rows = random_rows(lengths, vocabulary=7, num_classes=3)
    assert rows.lengths.tolist() == lengths.tolist() and len(rows.ids) == 16
    assert rows.ids.min() >= 1 and rows.ids.max() < 7 and set(rows.labels) <= {0, 1, 2}
