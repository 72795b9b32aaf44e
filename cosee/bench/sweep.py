"""Cost of an exact trade-off curve, with every operating point: seconds and memory."""

import tracemalloc
from time import perf_counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosee.data.tasks import TASKS
from cosee.evaluation.tradeoff import tradeoff_curve
from cosee.exiting.signals import SIGNALS


def random_logits(rows: int, exits: int, classes: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Logits [N, M, C] whose confidence grows with depth, as in a trained model; no two examples are equal."""
    certainty = np.linspace(0.5, 4.0, exits, dtype=np.float32)[:, None]
    return rng.standard_normal((rows, exits, classes), dtype=np.float32) * certainty


def measure_sweep(rows: int = 40_430, exits: int = 12, rounds: int = 5) -> pd.DataFrame:
    """Trade-off curve of random logits, from logits to scores of all operating points; by default as many as QQP's dev.

    Returns:
        A row per exit signal: signal, rows (examples), points (operating points), seconds (median, wall-clock), peak_mb
        (memory allocated by the computation, in 10^6 bytes).
    """
    rng = np.random.default_rng(0)
    logits, labels = random_logits(rows, exits, 2, rng), rng.integers(2, size=rows)
    measured = []
    for signal in SIGNALS.values():

        def curve(signal=signal) -> pd.DataFrame:
            scores = signal.score(logits[:, :-1].astype(np.float64))
            return tradeoff_curve(scores, logits.argmax(axis=-1), labels, signal.harder_is, TASKS["qqp"])

        seconds = np.empty(rounds)
        for turn in range(rounds):
            began = perf_counter()
            points = len(curve())
            seconds[turn] = perf_counter() - began
        tracemalloc.start()  # in a separate round, because tracing slows the computation down
        curve()
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        measured.append((signal.name, rows, points, float(np.median(seconds)), peak))
    return pd.DataFrame(measured, columns=["signal", "rows", "points", "seconds", "peak_mb"])
