from itertools import pairwise

import pytest

from cosee.errors import InputError
from cosee.training.schedule import Schedule, Stage

THREE = (Stage(0.5), Stage(0.25, rate=2.0), Stage(0.25))


@pytest.mark.parametrize(
    ("total", "warmup", "expected"),
    [
        (4, 0.0, [1, 3 / 4, 2 / 4, 1 / 4]),
        (6, 1 / 3, [1 / 2, 1, 1, 3 / 4, 2 / 4, 1 / 4]),
        (2, 1.0, [1 / 2, 1]),
        (1, 0.1, [1]),
    ],
)
def test_the_rate_rises_and_falls_linearly(total, warmup, expected):
    assert [Schedule(total, 1).rate(step, warmup) for step in range(total)] == pytest.approx(expected)


def test_every_stage_has_a_rate_of_its_own_that_rises_and_falls():
    schedule = Schedule(4, 2, stages=THREE)
    assert [schedule.stage(step) for step in range(8)] == [0, 0, 0, 0, 1, 1, 2, 2]
    assert [schedule.bounds(stage) for stage in range(3)] == [(0, 4), (4, 6), (6, 8)]
    rates = [schedule.rate(step, 0.0) for step in range(8)]
    assert rates == pytest.approx([1, 3 / 4, 1 / 2, 1 / 4, 2, 1, 1, 1 / 2])


@pytest.mark.parametrize(("steps", "epochs"), [(4, 1), (7, 3), (86, 2), (1000, 10)])
def test_the_stages_share_all_steps_without_gap(steps, epochs):
    schedule = Schedule(steps, epochs, stages=THREE)
    bounds = [schedule.bounds(stage) for stage in range(3)]
    assert bounds[0][0] == 0 and bounds[-1][1] == schedule.total_steps
    assert all(before[1] == after[0] for before, after in pairwise(bounds))


def test_batches_of_one_step_belong_together():
    schedule = Schedule(5, 2, accumulation=2)
    assert (schedule.steps_per_epoch, schedule.total_steps) == (3, 6)
    assert [schedule.step(epoch, batch) for epoch in range(2) for batch in range(5)] == [0, 0, 1, 1, 2, 3, 3, 4, 4, 5]


@pytest.mark.parametrize(
    ("shares", "steps", "expected"),
    [
        ((0.4, 0.2, 0.02, 0.17, 0.02, 0.17, 0.02), 20, [0, 8, 12, 13, 16, 17, 19, 20]),
        ((0.4, 0.2, 0.02, 0.17, 0.02, 0.17, 0.02), 7, [0, 1, 2, 3, 4, 5, 6, 7]),
        ((0.01, 0.98, 0.01), 10, [0, 1, 9, 10]),
        ((0.01, 0.01, 0.98), 4, [0, 1, 2, 4]),
        ((0.98, 0.01, 0.01), 4, [0, 2, 3, 4]),
    ],
)
def test_a_stage_of_less_than_a_step_takes_one_of_its_neighbors(shares, steps, expected):
    schedule = Schedule(steps, 1, stages=tuple(Stage(share) for share in shares))
    assert [schedule.bounds(stage) for stage in range(len(shares))] == list(pairwise(expected))


def test_a_share_below_none_is_refused():
    with pytest.raises(InputError, match="stage 2 of 3 gets none of the 10 steps"):
        Schedule(10, 1, stages=(Stage(0.8), Stage(-0.2), Stage(0.4)))


def test_a_stage_without_a_step_is_refused():
    with pytest.raises(
        InputError, match=r"stage 1 of 3 gets none of the 1 steps; train for more epochs or increase its share\.$"
    ):
        Schedule(1, 1, stages=THREE)
