"""Selection of the best grid point: pure functions of trade-off curves and grid points."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import pandas as pd

from cosee.errors import InputError
from cosee.evaluation.budget import curve_area, score_within

CRITERIA: Mapping[str, Callable[[pd.DataFrame], float]] = MappingProxyType(
    {"area": curve_area, "score_at_2x": partial(score_within, speedup=2.0)}
)
"""Selection criteria: functions of a grid point's trade-off curve on the selection split; higher is better.

None of them grows when a curve loses operating points (`cosee.evaluation.budget`).
"""


def criteria(curve: pd.DataFrame) -> dict[str, float]:
    """Every criterion of a trade-off curve, as `choose` reads them."""
    return {name: measure(curve) for name, measure in CRITERIA.items()}


def choose(candidates: pd.DataFrame, criterion: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Choose the grid point with the highest criterion; among equals the earlier row.

    Args:
        candidates: one row per grid point: its settings, and columns with the names of `CRITERIA`.
        criterion: the column that decides; NaN (a diverged run) comes last.

    Returns:
        The best row and all others by decreasing criterion, as plain Python values.

    Raises:
        InputError: the criterion is unknown, or no candidate has a value.
    """
    if criterion not in candidates.columns:
        raise InputError(f"selection criterion {criterion!r} is unknown; choose one of {', '.join(CRITERIA)}.")
    ranked = candidates.sort_values(criterion, ascending=False, kind="stable", na_position="last")
    if not ranked[criterion].notna().any():
        raise InputError(
            f"None of the {len(ranked)} candidates has a value of {criterion!r}: all trainings diverged; "
            "lower the learning rates."
        )
    best, *runners_up = ranked.to_dict("records")
    return best, runners_up


def selection_record(
    best: dict[str, Any], runners_up: list[dict[str, Any]], criterion: str, protocol: str, split: str, keep: int = 5
) -> dict[str, Any]:
    """Content of `best.yaml`: the chosen point, criterion and split, and the runners-up.

    Args:
        best: the row chosen by `choose`.
        runners_up: the rows behind it.
        criterion: the column that decided.
        protocol: "heldout" or "field".
        split: the split on which the criterion was measured.
        keep: how many runners-up are kept.
    """

    def entry(row: dict[str, Any]) -> dict[str, Any]:
        point = {name: value for name, value in row.items() if name not in CRITERIA}
        return {"point": point, "score": row[criterion]}

    return {
        **entry(best),
        "criterion": criterion,
        "protocol": protocol,
        "split": split,
        "runners_up": [entry(row) for row in runners_up[:keep]],
    }
