"""Agreement of two sets of result tables: which estimates and verdicts of one hold in the other.

Each table is reduced to keyed estimates with an interval and, if it has them, verdicts; the two sets are compared in
both directions. An estimate *holds* if it lies inside the other's 95 % interval. A verdict (+1 or -1; 0 for none) is
*kept* if the other has the same one, *contradicted* if it has the opposite one, and *lost* if it has none.

Neither share is expected to be one. A 95 % interval is about the true value, and a second estimate has an error of its
own: were the variances known and nothing shared, 83 % would lie inside; wide quantiles for few seeds and common
examples raise that. A verdict on an effect of about half an interval's width is lost in every second repetition, by
lack of power alone; only a contradiction is evidence against an interval.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student

from cosee.errors import InputError
from cosee.evaluation.intervals import BETTER, LEVEL, MIN_SEEDS, WORSE
from cosee.io import read_frame

COLUMNS = ("table", "estimates_of", "intervals_of", "estimates", "inside", "verdicts", "kept", "contradicted", "lost")
"""Columns of `agreement`, in order; `inside` is a share of `estimates`, the last three are shares of `verdicts`."""

_KEYS = ("task", "backbone", "variant", "view", "reference", "target_speedup", "measure", "metric", "split", "name")
_SPREADS = (("mean", "std"), ("measured_mean", "measured_std"))  # of tables with means over seeds


def read_tables(folder: str | Path) -> dict[str, pd.DataFrame]:
    """The tables of a result folder that hold estimates with a spread, by name.

    Args:
        folder: a folder of the workflow (`results/tables` in it), of kept results (`tables` in it), or of CSV files.

    Raises:
        InputError: there is no such table, or a file is damaged.
    """
    places = [Path(folder, *parts) for parts in (("results", "tables"), ("tables",), ())]
    files = next((found for place in places if (found := sorted(place.glob("*.csv")))), [])
    read = {file.stem: read_frame(file) for file in files}
    tables = {name: table for name, table in read.items() if _has_estimates(table)}
    if not tables:
        raise InputError(
            f"{folder}: no tables with estimates; expected a workflow's folder with results/tables/differences.csv."
        )
    return tables


def estimates(table: pd.DataFrame, name: str) -> dict[str, pd.DataFrame]:
    """Keyed estimates of a table, by the name of each part that is counted alone.

    Args:
        table: `differences`, whose parts are its views and its declared comparison; or means over seeds with standard
            deviations, whose interval is Student's and which rank nothing.
        name: of the table.

    Returns:
        Frames with one row per estimate: index of the table's identity columns; value, low, high, and verdict (+1, 0,
        -1), which is the sign of an interval without zero, or in the declared comparison what was declared.
    """
    keys = [key for key in _KEYS if key in table]
    indexed = table.set_index(keys)
    if "difference" in table:
        value, low, high = (indexed[column] for column in ("difference", "low", "high"))
        sign = (low > 0).astype(int) - (high < 0).astype(int)
        frame = pd.DataFrame({"value": value, "low": low, "high": high, "verdict": sign})
        parts = {f"{name}, {view}": frame[(table["view"] == view).to_numpy()] for view in table["view"].unique()}
        declared = indexed["verdict"].map({BETTER: 1, WORSE: -1}).fillna(0).astype(int)
        return parts | {f"{name}, declared": frame.assign(verdict=declared)[indexed["verdict"].notna()]}
    mean, std = next(columns for columns in _SPREADS if columns[0] in table)
    seeds = indexed["num_seeds"].where(indexed["num_seeds"] >= MIN_SEEDS)
    half = student.ppf((1 + LEVEL) / 2, seeds - 1) * indexed[std] / np.sqrt(seeds)
    value = indexed[mean]
    return {name: pd.DataFrame({"value": value, "low": value - half, "high": value + half, "verdict": 0})}


def agreement(
    first: Mapping[str, pd.DataFrame], second: Mapping[str, pd.DataFrame], names: tuple[str, str]
) -> pd.DataFrame:
    """How far two sets of tables agree, in both directions.

    Args:
        first: name -> table, of `read_tables`.
        second: the same of the other set.
        names: how the two are called in the columns `estimates_of` and `intervals_of`.

    Returns:
        `COLUMNS`: two rows per table or part of one. Verdicts are counted where the set named in `intervals_of` has
        one; only what both sets have is compared.

    Raises:
        InputError: the two sets share no estimate.
    """
    rows = []
    for name in [name for name in first if name in second]:
        parts = [estimates(table, name) for table in (first[name], second[name])]
        for part in [part for part in parts[0] if part in parts[1]]:
            pair = [side[part] for side in parts]
            shared = pair[0].index.intersection(pair[1].index)
            if shared.empty:
                continue
            pair = [side[~side.index.duplicated()].loc[shared] for side in pair]
            for theirs, ours in ((1, 0), (0, 1)):
                counted = {"table": part, "estimates_of": names[theirs], "intervals_of": names[ours]}
                rows.append(counted | _counts(pair[ours], pair[theirs]))
    if not any(row["estimates"] for row in rows):
        raise InputError(f"{names[0]} and {names[1]}: no estimate with an interval is in both; nothing to compare.")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _counts(intervals: pd.DataFrame, others: pd.DataFrame) -> dict[str, float]:
    """Shares of the others' estimates inside intervals, and of verdicts that the others keep, contradict and lose."""
    known = intervals["low"].notna() & others["value"].notna()
    inside = others["value"].between(intervals["low"], intervals["high"])
    given = intervals["verdict"] != 0
    product = (intervals["verdict"] * others["verdict"])[given]
    return {
        "estimates": int(known.sum()),
        "inside": _share(inside[known]),
        "verdicts": int(given.sum()),
        "kept": _share(product > 0),
        "contradicted": _share(product < 0),
        "lost": _share(product == 0),
    }


def _share(flags: pd.Series) -> float:
    return float(flags.mean()) if len(flags) else float("nan")


def _has_estimates(table: pd.DataFrame) -> bool:
    means = any(set(columns) <= set(table) for columns in _SPREADS) and "num_seeds" in table
    return "variant" in table and (means or {"difference", "low", "high", "view", "verdict"} <= set(table))
