"""Measured trade-off curves at any speed-up between their operating points."""

import numpy as np
import pandas as pd

RUN = ["task", "method", "signal", "seed", "split"]
"""What tells one measured trade-off curve from another; its points may belong to several models."""

VALUES = ["speedup_flops", "score", "accuracy", "f1"]


def at_speedups(curves: pd.DataFrame, wanted: pd.DataFrame) -> pd.DataFrame:
    """Curves at given speed-ups, linear in cost between operating points: what choosing between them at random gives.

    Costs, in layers and in FLOPs, are mixed, not their inverses, the speed-ups. A curve says nothing beyond its ends,
    so a speed-up has rows only where the curves of all seeds get there.

    Args:
        curves: a trade-off frame of one backbone.
        wanted: columns task, method, speedup; what was not measured is left out.

    Returns:
        Columns `RUN`, speedup and `VALUES`.
    """
    speedups = dict(list(wanted.groupby(["task", "method"])["speedup"]))
    found = [curves.iloc[:0][[*RUN, "speedup", *VALUES]]]
    for (task, method, *_), runs in curves.groupby([name for name in RUN if name != "seed"], sort=False):
        ends = runs.groupby("seed")["speedup"].agg(["min", "max"])
        at = speedups.get((task, method), runs["speedup"].iloc[:0]).unique()
        at = at[(at >= ends["min"].max()) & (at <= ends["max"].min())]
        for _, curve in runs.groupby("seed") if at.size else ():
            points = curve.assign(speedup_flops=1 / curve["speedup_flops"]).groupby("speedup")[VALUES].mean()[::-1]
            values = {name: np.interp(1 / at, 1 / points.index, points[name]) for name in VALUES}
            values["speedup_flops"] = 1 / values["speedup_flops"]
            found.append(pd.DataFrame(curve[RUN].iloc[0].to_dict() | {"speedup": at} | values))
    return pd.concat(found, ignore_index=True)
