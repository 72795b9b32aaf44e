import numpy as np
import pandas as pd
import pytest
import yaml

from cosee.errors import InputError
from cosee.evaluation.budget import curve_area, score_within
from cosee.evaluation.selection import choose, criteria, selection_record


def curve(*points, num_layers=6):
    frame = pd.DataFrame(points, columns=["speedup", "score"])
    return frame.assign(mean_exit_layer=num_layers / frame["speedup"], first_exit_score=0.4)


GRID = pd.DataFrame(
    {
        "lr": [1e-5, 2e-5, 3e-5, 5e-5],
        "batch_size": [16, 32, 16, 32],
        "area": [0.7, 0.9, np.nan, 0.9],
        "score_at_2x": [0.8, 0.6, 0.7, 0.5],
    }
)


def test_every_criterion_is_measured():
    points = curve((6, 0.5), (2, 0.8), (1, 1.0))
    assert criteria(points) == {"area": curve_area(points), "score_at_2x": score_within(points, 2.0)}


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
