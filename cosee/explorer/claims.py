"""The list of claims: what the paper or this project says, and whether the numbers at hand support it."""

from pathlib import Path
from typing import Any

import pandas as pd

from cosee.errors import InputError
from cosee.io import read_frame

COLUMNS = ("claim", "source", "tested_in", "seeds", "effect", "low", "high", "verdict", "view")
"""Columns of a list of claims; `view` is the address of the view of the page that shows it, such as
`view=operating&task=sst2`."""


def read_claims(file: str | Path) -> pd.DataFrame:
    """A list of claims, all columns as text.

    Raises:
        InputError: the file is damaged or lacks a column.
    """
    frame = read_frame(file)
    if missing := [column for column in COLUMNS if column not in frame]:
        raise InputError(f"{file}: a list of claims lacks the column {missing[0]}; expected {', '.join(COLUMNS)}.")
    return frame[list(COLUMNS)]


def claim_rows(claims: pd.DataFrame) -> list[list[Any]]:
    """The list as the page reads it: one list per claim, in the order of `COLUMNS`; None for an empty cell."""
    return claims.astype(object).where(claims.notna(), None).to_numpy().tolist()
