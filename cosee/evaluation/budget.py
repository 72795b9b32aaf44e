"""Best score of a model within a budget of layers, by which selection and the table of methods judge a curve.

Cost is the mean exit layer over the depth M, the inverse of the speed-up. Choosing at random between two operating
points gives every cost between theirs, at a score on the straight line between theirs (exactly for accuracy, nearly
for F1): lines are straight in cost, not in speed-up. Exiting everywhere at the first exit is an operating point too,
whatever the exit rule, and a budget need not be spent. So the score within a budget is the rising concave envelope of
the curve and the first exit. It can only fall when operating points are taken away: no method gains by stopping short.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def frontier(curve: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Vertices of the best score within a budget, by increasing cost.

    Args:
        curve: trade-off curve of one model, or of the models of one curve, in any order of rows: columns speedup,
            mean_exit_layer, score, and first_exit_score, of the model whose point it is, NaN where a model has but one
            exit.

    Returns:
        Costs and scores of the vertices, both strictly increasing.
    """
    firsts = curve["first_exit_score"].dropna().unique()
    cost = np.concatenate([1 / curve["speedup"].to_numpy(), np.full(len(firsts), 1 / _depth(curve))])
    score = np.concatenate([curve["score"].to_numpy(), firsts])
    order = np.lexsort((-score, cost))
    cost, score = cost[order], score[order]
    best_before = np.maximum.accumulate(np.concatenate([[-np.inf], score[:-1]]))
    vertices: list[tuple[float, float]] = []
    for point in zip(cost[score > best_before], score[score > best_before], strict=True):
        while len(vertices) > 1 and _slope(*vertices[-2:]) <= _slope(vertices[-1], point):
            vertices.pop()  # the line from the vertex before it to this point lies above it
        vertices.append(point)
    costs, scores = zip(*vertices, strict=True)
    return np.array(costs), np.array(scores)


def on_frontier(curve: pd.DataFrame) -> pd.DataFrame:
    """The rows of a curve that are vertices of its frontier, and the slowest and the fastest row."""
    vertices = set(zip(*frontier(curve), strict=True))
    points = zip(1 / curve["speedup"].to_numpy(), curve["score"].to_numpy(), strict=True)
    kept = np.array([point in vertices for point in points])
    kept |= curve["speedup"].isin([curve["speedup"].min(), curve["speedup"].max()]).to_numpy()
    return curve[kept].drop_duplicates(["speedup", "score"])


def score_within(curve: pd.DataFrame, speedup: float) -> float:
    """Best score at a speed-up of at least `speedup`; NaN where the curve cannot be as fast.

    Args:
        curve: as in `frontier`.
        speedup: speed-up in layers.
    """
    cost, score = frontier(curve)
    return float(np.interp(1 / speedup, cost, score, left=np.nan))


def curve_area(curve: pd.DataFrame, low: float = 1.5, high: float = 4.0) -> float:
    """Mean of the best score within a budget, over the budgets of the speed-ups low..high, evenly spread in cost.

    Even in cost, a layer saved counts the same at any speed. Even in speed-up, half of the weight (2.75 to 4) would lie
    on budgets that differ by 0.7 of six layers.

    Args:
        curve: as in `frontier`.
        low: smallest speed-up that counts.
        high: largest speed-up that counts, > low; that of the first exit, if the encoder has fewer layers.

    Returns:
        The normalized area; NaN for a curve without a first exit that does not get to the end of the window.
    """
    cost, score = frontier(curve)
    begin, end = 1 / min(high, _depth(curve)), 1 / low
    inside = cost[(cost > begin) & (cost < end)]
    grid = np.concatenate([[begin], inside, [end]])
    return float(np.trapezoid(np.interp(grid, cost, score, left=np.nan), grid) / (end - begin))


def _depth(curve: pd.DataFrame) -> int:
    """Layers M of the whole encoder, of which a speed-up and a mean exit layer are two ways to say the same."""
    return round(float((curve["speedup"] * curve["mean_exit_layer"]).iloc[0]))


def _slope(left: tuple[float, float], right: tuple[float, float]) -> float:
    return (right[1] - left[1]) / (right[0] - left[0])
