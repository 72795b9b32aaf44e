"""Smoke and properties: the numbers themselves depend on the machine."""

import subprocess
import sys

import numpy as np

from cosee.bench.sweep import measure_sweep, random_logits
from cosee.exiting.signals import SIGNALS


def test_a_row_per_signal_with_every_operating_point():
    frame = measure_sweep(rows=200, exits=4, rounds=2)
    assert list(frame["signal"]) == list(SIGNALS)
    assert (frame["rows"] == 200).all()
    assert frame["points"].between(200, 200 * 3 + 1).all()  # a row leaves earlier at most three times
    assert (frame["seconds"] > 0).all()
    assert frame["peak_mb"].between(200 * 3 * 8 / 1e6, 1).all()  # the scores at least


def test_logits_grow_more_certain_with_depth():
    logits = random_logits(500, 6, 2, np.random.default_rng(0))
    spread = logits.std(axis=(0, 2))
    assert logits.dtype == np.float32 and (np.diff(spread) > 0).all()
    assert len(np.unique(logits[:, 0, 0])) > 490


def test_a_whole_dev_split_takes_little_memory():
    assert (measure_sweep(rounds=1)["peak_mb"] < 500).all()


def test_torch_is_not_needed():
    code = "import sys, cosee.bench.sweep; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
