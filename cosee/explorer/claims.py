"""The list of claims: what the paper says, whether published runs support it, and the view that shows it."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pandas as pd

from cosee.errors import InputError
from cosee.explorer.source import series_id
from cosee.io import read_frame
from cosee.tables.claims import COLUMNS, UNITS

SHOWN = ("claim", "verdict", "effect", "low", "high", "unit", "seeds", "tested_in", "source", "view")
"""What the page shows of each row; `view` is an address, relative to the page."""

_VIEWS = {"score": "tradeoff", "score_gain": "tradeoff", "dis": "operating", "exit_of_errors": "operating"}
_OF_TRAINING = "training"


def read_claims(file: str | Path) -> pd.DataFrame:
    """A list of claims, as `cosee claims` writes it.

    Raises:
        InputError: the file is damaged or lacks a column.
    """
    frame = read_frame(file)
    if missing := [column for column in COLUMNS if column not in frame]:
        raise InputError(f"{file}: a list of claims lacks the column {missing[0]}; make it with `cosee claims`.")
    return frame


def claim_rows(claims: pd.DataFrame, here: str | None = None, beside: Collection[str] = ()) -> list[list[Any]]:
    """The list as the page shows it: one row per test, in the order of `SHOWN`; None for what is not known.

    Args:
        claims: of `read_claims`.
        here: the published collection that the page shows; None: none.
        beside: collections whose pages lie in `published/` beside this one.
    """
    known = claims.astype(object).where(claims.notna(), None)
    return [[_cell(row, name, here, beside) for name in SHOWN] for row in known.to_dict("records")]


def _cell(row: dict[str, Any], name: str, here: str | None, beside: Collection[str]) -> Any:
    match name:
        case "unit":
            return UNITS.get(row["measure"])
        case "tested_in":
            return tested_in(row)
        case "view":
            return address(row, here, beside)
    return row[name]


def tested_in(row: dict[str, Any]) -> str | None:
    """What was compared, on which runs; None if nothing was."""
    if row["collection"] is None:
        return None
    compared = " minus ".join(filter(None, (row["variant"], row["reference"])))
    speedups = f" at {str(row['speedups']).replace(' ', '×, ')}×" if row["speedups"] is not None else ""
    return f"{compared}{speedups}; {row['collection']}, {row['backbone']}, {row['tasks']} {row['split']}"


def address(row: dict[str, Any], here: str | None, beside: Collection[str]) -> str | None:
    """Address of the view that shows a test: in this page, or in that of its collection; None if neither has it."""
    if row["collection"] is None or row["collection"] not in {here, *beside}:
        return None
    state = {
        "view": _VIEWS.get(row["measure"], _OF_TRAINING),
        "task": str(row["tasks"]).split()[0],
        "backbone": row["backbone"],
        "split": row["split"],
    }
    variant, reference = (_series(row[side]) for side in ("variant", "reference"))
    state |= {"highlight": variant, "method": variant} | ({"ref": reference} if reference else {})
    if row["speedups"] is not None:
        first = str(row["speedups"]).split()[0]
        state |= {"target": first, "at": first}
    page = "" if row["collection"] == here else f"published/{row['collection']}/results/explorer.html"
    return f"{page}#{urlencode(state)}"


def _series(entrant: str | None) -> str | None:
    """Name of the series of an entrant, which claims write as "variant (exit rule)"."""
    parts = re.fullmatch(r"(.+) \((.+)\)", entrant or "")
    return series_id(*parts.groups()) if parts else None
