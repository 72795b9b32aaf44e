"""Training curves of the page: moving averages, thinned to what a screen can show."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from cosee.evaluation.bands import smooth
from cosee.explorer.pack import Pack

MAX_STEPS = 160
"""Steps of a training that are kept, evenly spread."""

RUN = ["task", "backbone", "variant", "name", "seed"]
RANGE = ("threshold_low", "threshold_high")


def training_curves(histories: pd.DataFrame, pack: Pack) -> Iterator[dict[str, Any]]:
    """Moving average of the cross-entropy, as in Figure 6, and the range of the thresholds, of every training.

    Args:
        histories: the runs' histories together; see `Source.histories`.
        pack: takes the arrays.

    Yields:
        The run's identity, the width of the moving average in steps, and the arrays step, loss, low and high; the last
        two only of trainings with thresholds.
    """
    for identity, run in histories.groupby(RUN, sort=False):
        run = run.sort_values("step", ignore_index=True)
        span = max(1, len(run) // 20)
        kept = np.unique(np.linspace(0, len(run) - 1, min(len(run), MAX_STEPS)).round().astype(int))
        curve = dict(zip(RUN, identity, strict=True)) | {"seed": int(identity[-1]), "span": span}
        curve["step"] = pack.add(run["step"].to_numpy()[kept], "i4")
        curve["loss"] = pack.add(smooth(run, "mean_ce", span).to_numpy()[kept], "f4")
        if all(column in run and run[column].notna().any() for column in RANGE):
            for name, column in zip(("low", "high"), RANGE, strict=True):
                curve[name] = pack.add(run[column].to_numpy()[kept], "f4")
        yield curve
