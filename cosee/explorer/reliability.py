"""Certified risks and calibration of the page: the rows of the result files, column by column."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from cosee.evaluation.confidence import CALIBRATION
from cosee.explorer.pack import Pack

IDENTITY = ("task", "backbone", "split", "series", "seed")
"""Columns that tell which curve a row is of."""

RISK = (
    (*IDENTITY, "loss", "procedure", "level", "confidence", "num_calibration"),
    ("threshold", "risk", "low", "high", "speedup", "speedup_flops", "score"),
)
"""Columns of certified risks with few values, and those with many; see `cosee.evaluation.risk_frames`."""

CALIBRATED = ((*IDENTITY, "target_speedup"), ("threshold", "speedup", *CALIBRATION))
"""Columns of the calibration of answers, likewise; see `cosee.evaluation.frames.calibration_frame`."""


def risk_columns(frame: pd.DataFrame | None, pack: Pack) -> dict[str, Any] | None:
    """Certified thresholds with promised and realized risk, as shares; None where nothing was certified.

    Args:
        frame: risk frames of all tasks together, with the column `series`.
        pack: takes the arrays.
    """
    return None if frame is None or frame.empty else _columns(frame, *RISK, pack)


def calibration_columns(frame: pd.DataFrame | None, pack: Pack) -> dict[str, Any] | None:
    """Calibration at the thresholds that were sought for target speed-ups; None where there is none.

    Args:
        frame: calibration frames of all tasks together, with the column `series`.
        pack: takes the arrays.
    """
    sought = None if frame is None else frame[frame["target_speedup"].notna()]
    return None if sought is None or sought.empty else _columns(sought, *CALIBRATED, pack)


def _columns(frame: pd.DataFrame, few: Sequence[str], many: Sequence[str], pack: Pack) -> dict[str, Any]:
    """A frame as the page reads it: columns of few values as places in a list of them, numbers as float32."""
    columns: dict[str, Any] = {}
    for name in few:
        places, values = pd.factorize(frame[name])
        columns[name] = {"values": values.tolist(), "places": pack.add(places, "u2")}
    columns |= {name: pack.add(frame[name], "f4") for name in many}
    return {"count": len(frame), "columns": columns}
