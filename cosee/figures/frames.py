"""Data of the figures: selection of rows."""

from collections.abc import Iterable

import pandas as pd

from cosee.data.tasks import TASKS
from cosee.errors import InputError


def paper_layers(num_layers: int) -> tuple[int, ...]:
    """Internal exits (1-based) at the depths of the paper's layers 2, 6 and 10 of 12."""
    scaled = (int(num_layers * layer / 12 + 0.5) for layer in (2, 6, 10))
    return tuple(sorted({min(max(layer, 1), num_layers - 1) for layer in scaled}))


def select(frame: pd.DataFrame, what: str, **conditions: object) -> pd.DataFrame:
    """Rows with the given values; a condition of None requires that the column has a single value.

    Raises:
        InputError: no rows match, or the choice is ambiguous; the message lists the values of the column.
    """
    if frame.empty:
        raise InputError(f"{what}: there are no results to show; the data frame is empty.")
    for column, wanted in conditions.items():
        values = list(frame[column].unique())
        if wanted is None and len(values) > 1:
            raise InputError(f"{what}: choose one {column} of {', '.join(map(str, values))}.")
        kept = frame if wanted is None else frame[frame[column] == wanted]
        if kept.empty:
            raise InputError(f"{what}: there are no rows with {column} {wanted!r}, only {', '.join(map(str, values))}.")
        frame = kept
    return frame


def panels(frame: pd.DataFrame, variants: Iterable[str], preferred: Iterable[str], what: str) -> list[str]:
    """The preferred tasks with rows of a variant; if there are none, all tasks with such rows.

    Raises:
        InputError: no variant has any row.
    """
    at_hand = set(frame["task"][frame["variant"].isin(variants)])
    if not at_hand:
        there = ", ".join(frame["variant"].unique())
        raise InputError(f"{what}: there are no results of {', '.join(variants)}, only of {there}.")
    return [task for task in preferred if task in at_hand] or [task for task in TASKS if task in at_hand]


def ordered(present: Iterable[str], labels: Iterable[str]) -> list[str]:
    """The variants of `labels` that are present, in display order."""
    present = set(present)
    return [variant for variant in labels if variant in present]
