import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cosee.errors import InputError
from cosee.evaluation.selection import CRITERIA, choose, criteria, curve_area, score_at, selection_record


def curve(*points):
    return pd.DataFrame(points, columns=["speedup", "score"])


GRID = pd.DataFrame(
    {
        "lr": [1e-5, 2e-5, 3e-5, 5e-5],
        "batch_size": [16, 32, 16, 32],
        "area": [0.7, 0.9, np.nan, 0.9],
        "score_at_2x": [0.8, 0.6, 0.7, 0.5],
    }
)


def test_the_area_of_a_straight_line_is_its_score_in_the_middle_of_the_window():
    assert curve_area(curve((1, 1.0), (6, 0.5))) == pytest.approx(1 - 0.1 * (2.75 - 1))


def test_the_area_of_a_kinked_curve_weighs_each_piece_by_its_width():
    # 0.9 up to 2x, then falling to 0.5 at 4x: (0.5 * 0.9 + 2 * 0.7) / 2.5
    assert curve_area(curve((1, 0.9), (2, 0.9), (4, 0.5), (12, 0.4))) == pytest.approx(0.74)


@pytest.mark.parametrize("points", [[(2, 0.8)], [(12, 0.8)], [(1, 0.8)], [(1, 0.8), (1.2, 0.8)]])
def test_a_curve_that_misses_the_window_goes_on_flat(points):
    assert curve_area(curve(*points)) == pytest.approx(0.8)


@given(st.lists(st.tuples(st.floats(1, 12), st.floats(0, 1)), min_size=1, max_size=20, unique_by=lambda p: p[0]))
def test_the_area_equals_a_fine_sum_and_ignores_the_order_of_rows(points):
    points = [(round(speedup, 3), score) for speedup, score in {round(s, 3): (s, v) for s, v in points}.values()]
    ordered = sorted(points)
    middles = 1.5 + 2.5 * (np.arange(20_000) + 0.5) / 20_000
    fine = np.interp(middles, *zip(*ordered, strict=True)).mean()
    assert curve_area(curve(*points)) == pytest.approx(fine, abs=1e-3)
    assert curve_area(curve(*points[::-1])) == curve_area(curve(*points))


def test_the_score_at_a_speedup_is_interpolated():
    assert score_at(curve((3, 0.6), (1, 1.0)), 1.5) == pytest.approx(0.9)
    assert criteria(curve((1, 1.0), (3, 0.6)))["score_at_2x"] == pytest.approx(0.8)


def test_every_criterion_is_measured():
    assert criteria(curve((2, 0.5))) == dict.fromkeys(CRITERIA, 0.5)


def test_the_highest_criterion_wins_and_ties_go_to_the_earlier_row():
    best, runners_up = choose(GRID, "area")
    assert best == GRID.to_dict("records")[1]
    assert [row["lr"] for row in runners_up] == [5e-5, 1e-5, 3e-5]
    assert choose(GRID, "score_at_2x")[0]["lr"] == 1e-5


def test_an_unknown_criterion_names_the_known_ones():
    with pytest.raises(InputError, match="'accuracy' is unknown; choose one of area, score_at_2x"):
        choose(GRID, "accuracy")


@pytest.mark.parametrize("candidates", [GRID[:0], GRID[2:3]])
def test_nothing_to_choose_from_is_an_error(candidates):
    with pytest.raises(InputError, match="all trainings diverged; lower the learning rates"):
        choose(candidates, "area")


def test_the_record_says_what_was_chosen_by_what_and_survives_yaml():
    record = selection_record(*choose(GRID, "area"), "area", protocol="heldout", split="sel", keep=2)
    assert record == {
        "point": {"lr": 2e-5, "batch_size": 32},
        "score": 0.9,
        "criterion": "area",
        "protocol": "heldout",
        "split": "sel",
        "runners_up": [
            {"point": {"lr": 5e-5, "batch_size": 32}, "score": 0.9},
            {"point": {"lr": 1e-5, "batch_size": 16}, "score": 0.7},
        ],
    }
    assert yaml.safe_load(yaml.safe_dump(record)) == record
    assert type(record["point"]["batch_size"]) is int
