"""Rank of one's own runs among published ones, at equal cost, with differences and verdicts."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cosee.data.tasks import TASKS
from cosee.evaluation.intervals import contributions
from cosee.tables.differences import AVERAGE, MATCHED, SidePoints, differences
from cosee.tables.text import NONE, count, decimal

SCORE_COLUMNS = ("entrant", "task", "seed", "target_speedup", "score")
"""Columns of `scores_at`, in order; the score lies in 0..1."""

TaskPoints = Mapping[tuple[str, str], SidePoints]
"""(task, entrant) -> seed -> operating point; None where the curve does not get to the target."""


def scores_at(points: TaskPoints, target_speedup: float) -> pd.DataFrame:
    """Score of every operating point; columns `SCORE_COLUMNS`, NaN where a curve ends before the target."""
    rows = []
    for (task, name), by_seed in points.items():
        for seed, point in by_seed.items():
            score = np.nan if point is None else float(contributions([point], TASKS[task]).mean())
            rows.append((name, task, seed, target_speedup, score))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def differences_from(
    reference: str, names: Sequence[str], points: TaskPoints, target_speedup: float, backbone: str
) -> pd.DataFrame:
    """The table of differences with one's own entrant as the reference: the others minus it, at equal cost.

    Args:
        reference: one's own entrant; the declared comparison is the mean over its tasks.
        names: of all entrants, in display order.
        points: of all of them.
        target_speedup: that of the points.
        backbone: named in the table.
    """
    reached = {key: side for key, side in points.items() if any(side.values())}
    labels = {name: name for name in names}
    return differences({MATCHED: reached}, labels, reference, backbone=backbone, target_speedup=target_speedup)


def ranking(scores: pd.DataFrame, table: pd.DataFrame, tasks: Sequence[str]) -> pd.DataFrame:
    """Entrants by their mean score over tasks at one target, with their difference from one's own.

    A rank orders means and decides nothing: the verdict does.

    Args:
        scores: of `scores_at`, at one target.
        table: of `differences_from`, at the same.
        tasks: those of one's own entrant; one that lacks a task, or does not get to the target on it, has no rank.

    Returns:
        Columns rank (1: highest), entrant, seeds, score (percent); difference, low, high (points) and verdict are NaN
        for one's own.
    """
    there = scores[scores["task"].isin(tasks)]
    by_task = there.groupby(["entrant", "task"], sort=False)["score"].agg(lambda score: score.mean(skipna=False))
    mean = 100 * by_task.unstack().reindex(columns=list(tasks)).mean(axis=1, skipna=False)
    seeds = there.groupby(["entrant", "task"])["seed"].nunique().groupby("entrant").min()
    ranked = pd.DataFrame({"score": mean, "seeds": seeds}).sort_values("score", ascending=False, kind="stable")
    ranked["rank"] = ranked["score"].rank(ascending=False, method="min")
    declared = table[table["task"] == AVERAGE].set_index("variant")[["difference", "low", "high", "verdict"]]
    ranked = ranked.join(declared).rename_axis("entrant").reset_index()
    return ranked[["rank", "entrant", "seeds", "score", "difference", "low", "high", "verdict"]]


def ranking_wide(table: pd.DataFrame) -> pd.DataFrame:
    """The text of `ranking`, one line per entrant."""
    lines = [
        {
            "Rank": count(row.rank),
            "Entrant": row.entrant,
            "Seeds": count(row.seeds),
            "Score": decimal(row.score),
            "Minus yours": _difference(row.difference, row.low, row.high),
            "Verdict": NONE if pd.isna(row.verdict) else row.verdict,
        }
        for row in table[["rank", *table.columns[1:]]].itertuples(index=False)
    ]
    return pd.DataFrame(lines)


def _difference(value: float, low: float, high: float) -> str:
    if pd.isna(value):
        return NONE
    return f"{value:+.1f}" + ("" if pd.isna(low) else f" [{low:+.1f}, {high:+.1f}]")
