"""Rank among published runs: means order, verdicts decide."""

import numpy as np
import pytest

from cosee.evaluation.matched import OperatingPoint
from cosee.tables.ranking import differences_from, ranking, ranking_wide, scores_at

LABELS = np.arange(400) % 2


def points_of(accuracies, seeds=3, tasks=("sst2",)):
    """(task, entrant) -> seed -> a point that is right at a rate; None: the curve does not get there."""
    points = {}
    for task in tasks:
        for place, (name, accuracy) in enumerate(accuracies.items()):
            for seed in range(seeds):
                right = np.random.default_rng([seed, place, len(task)]).random(400) < (accuracy or 0)
                point = None if accuracy is None else OperatingPoint(right.astype(float), LABELS, 2.0)
                points.setdefault((task, name), {})[seed] = point
    return points


def ranked(points, tasks=("sst2",)):
    names = list(dict.fromkeys(name for _, name in points))
    table = differences_from("mine", names, points, 2.0, "bert")
    return ranking(scores_at(points, 2.0), table, tasks).set_index("entrant")


def test_the_score_is_that_of_the_points():
    points = points_of({"mine": 0.8})
    scores = scores_at(points, 2.0)
    assert scores["score"].tolist() == [point.right.mean() for point in points["sst2", "mine"].values()]
    assert set(scores["target_speedup"]) == {2.0} and scores["seed"].tolist() == [0, 1, 2]


def test_entrants_are_ranked_by_their_mean_and_differ_from_the_reference():
    points = points_of({"mine": 0.8, "weak": 0.4, "strong": 0.99})
    table = ranked(points)
    assert table["rank"].to_dict() == {"strong": 1, "mine": 2, "weak": 3}
    assert table.loc["weak", "difference"] == pytest.approx(table.loc["weak", "score"] - table.loc["mine", "score"])
    assert table["verdict"].dropna().to_dict() == {"strong": "better", "weak": "worse"}
    assert np.isnan(table.loc["mine", "difference"])


def test_few_seeds_have_a_rank_but_neither_interval_nor_verdict():
    table = ranked(points_of({"mine": 0.8, "weak": 0.4}, seeds=2))
    assert table["rank"].to_dict() == {"mine": 1, "weak": 2}
    assert table.loc["weak", "verdict"] == "no verdict" and np.isnan(table.loc["weak", "low"])


def test_who_does_not_get_to_the_speedup_or_lacks_a_task_has_no_rank():
    points = points_of({"mine": 0.8, "slow": None}, tasks=("sst2", "rte")) | points_of({"part": 0.9})
    table = ranked(points, ("sst2", "rte"))
    assert table["rank"].dropna().to_dict() == {"mine": 1}


def test_the_text_has_one_line_per_entrant():
    points = points_of({"mine": 0.8, "slow": None, "weak": 0.4})
    table = ranked(points).reset_index()[["rank", "entrant", "seeds", "score", "difference", "low", "high", "verdict"]]
    wide = ranking_wide(table)
    assert wide["Entrant"].tolist() == ["mine", "weak", "slow"] and wide["Rank"].tolist() == ["1", "2", "–"]
    assert wide["Minus yours"][0] == "–" and wide["Minus yours"][1].startswith("-") and "[" in wide["Minus yours"][1]
