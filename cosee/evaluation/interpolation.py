"""Measured trade-off curves at any speed-up between their operating points."""

import numpy as np
import pandas as pd

RUN = ["task", "variant", "exit_rule", "seed", "split"]
"""Columns that identify a measured trade-off curve; its points may belong to several models."""

VALUES = ["speedup_flops", "score", "accuracy", "f1"]


def at_speedups(curves: pd.DataFrame, wanted: pd.DataFrame) -> pd.DataFrame:
    """Curves at given speed-ups, linear between operating points, which a random choice between the two realizes.

    A curve is undefined beyond its ends, so a speed-up has rows only if the curves of all seeds reach it.

    Args:
        curves: a trade-off frame of one backbone.
        wanted: columns task, variant, speedup; curves that were not measured are omitted.

    Returns:
        Columns `RUN`, speedup and `VALUES`.
    """
    speedups = dict(list(wanted.groupby(["task", "variant"])["speedup"]))
    found = [curves.iloc[:0][[*RUN, "speedup", *VALUES]]]
    for (task, variant, *_), runs in curves.groupby([name for name in RUN if name != "seed"], sort=False):
        ends = runs.groupby("seed")["speedup"].agg(["min", "max"])
        at = speedups.get((task, variant), runs["speedup"].iloc[:0]).unique()
        at = at[(at >= ends["min"].max()) & (at <= ends["max"].min())]
        for _, curve in runs.groupby("seed") if at.size else ():
            points = curve.groupby("speedup")[VALUES].mean()
            values = {name: np.interp(at, points.index, points[name]) for name in VALUES}
            found.append(pd.DataFrame(curve[RUN].iloc[0].to_dict() | {"speedup": at} | values))
    return pd.concat(found, ignore_index=True)
