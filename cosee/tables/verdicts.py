"""Sentences that rank variants, made from the verdicts of `differences`, so that no sentence outlives its numbers."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from cosee.evaluation.intervals import BETTER, MIN_SEEDS, UNDECIDED, WORSE
from cosee.tables.differences import AVERAGE, MATCHED

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def verdict_sentences(table: pd.DataFrame) -> list[str]:
    """The outcome of the declared comparison of a table of `differences`, in plain English.

    Differences are those of the reference: positive where it is ahead. Nothing is said of variants without a verdict
    but that there is none, and why.

    Args:
        table: the long frame of `differences`, of one backbone, reference and target.
    """
    declared = table[(table["task"] == AVERAGE) & (table["view"] == MATCHED)]
    if declared.empty:
        return ["No variant was trained on every task of the reference: there is no verdict."]
    first = declared.iloc[0]
    tasks = table.loc[(table["view"] == MATCHED) & (table["task"] != AVERAGE), "task"].nunique()
    on = "on one task" if tasks == 1 else f"on average over {_number(tasks)} tasks"
    ahead, behind = (declared[declared["verdict"] == value] for value in (WORSE, BETTER))
    facts = [
        *(
            [f"{first['reference_name']} is ahead of {_listed(map(_reversed, ahead.itertuples()))}"]
            if len(ahead)
            else []
        ),
        *(
            [f"{first['reference_name']} is behind {_listed(map(_reversed, behind.itertuples()))}"]
            if len(behind)
            else []
        ),
    ]
    where = f"At {first['target_speedup']:g}× and equal mean exit layer, {on},"
    sentences = [f"{where} {fact}." for fact in facts]
    open_ = declared[declared["verdict"] == UNDECIDED]
    reached = open_["difference"].notna()
    undecided, unmeasured, few = (
        open_[reached & open_["p_value"].notna()],
        open_[~reached],
        open_[reached & open_["p_value"].isna()],
    )
    if len(undecided):
        sentences.append(f"{where} there is no verdict on {_listed(map(_reversed, undecided.itertuples()))}.")
    if len(few):
        sentences.append(f"Fewer than {_number(MIN_SEEDS)} seeds, hence no verdict: {_listed(few['name'])}.")
    if len(unmeasured):
        sentences.append(f"Some curve ends before {first['target_speedup']:g}×: {_listed(unmeasured['name'])}.")
    return sentences


def _reversed(row: Any) -> str:
    """Name, difference and interval as seen from the reference."""
    return f"{row.name} ({-row.difference:+.1f} [{-row.high:+.1f}, {-row.low:+.1f}])"


def _listed(items: Iterable[str]) -> str:
    *head, last = items
    return f"{', '.join(head)} and {last}" if head else last


def _number(value: int) -> str:
    return _NUMBERS[value] if value < len(_NUMBERS) else str(value)
