"""What tables are made of: the papers' numbers, made-up results beside them, and made-up counts."""

from pathlib import Path

import pandas as pd
from helpers import frames

from cosee.data.tasks import TASKS
from cosee.io import read_frame
from cosee.tables import comparison

REPORTED = {n: read_frame(Path(__file__).parents[2] / "config" / "reported" / f"table{n}.csv") for n in (1, 2, 3, 4)}
ROWS = pd.DataFrame(
    [
        *(("sst2", "fit", 0, 30_000), ("sst2", "fit", 1, 35_349), ("sst2", "sel", 0, 900), ("sst2", "sel", 1, 1_100)),
        *(("sst2", "dev", 0, 428), ("sst2", "dev", 1, 444), ("sst2", "test", -1, 1_821)),
        *(("mnli", "fit", 0, 10_000), ("mnli", "fit", 2, 5_000), ("mnli", "dev", 1, 9_815), ("mnli", "dev_mm", 1, 999)),
    ],
    columns=["task", "split", "label", "rows"],
)
COUNTS = pd.DataFrame(
    [("backbone", 2, 109_483_778, 0), ("cosee", 2, 109_500_696, 16_918), ("mine", 2, 7, 5)],
    columns=["model", "num_classes", "params", "extra_params"],
)
CURVES = frames.tradeoff(tuple(TASKS), seeds=(1, 2), controls=False)


def compare(number=2, targets=None, curves=CURVES, **settings):
    targets = frames.targets() if targets is None else targets
    settings = {"backbone": "bert", "signal": "energy", "protocol": "heldout"} | settings
    return comparison(REPORTED[number], targets, curves, frames.LABELS, **settings)


def cell(table, variant, task, metric, split="dev"):
    chosen = (table["variant"] == variant) & (table["task"] == task) & (table["metric"] == metric)
    (row,) = table[chosen & (table["split"].fillna("dev") == split)].itertuples()
    return row
