"""The table of calibration: seeds, tasks, percentages, and its printed form."""

import numpy as np
import pandas as pd
import pytest

from cosee.io import read_frame, write_frame
from cosee.tables import calibration, calibration_wide
from cosee.tables.calibration import COLUMNS

LABELS = {"vanilla": "Plain", "jeidnn": "JEI-DNN"}


def row(task, variant, seed, bias, target=2.0, split="dev", backbone="bert"):
    identity = {"task": task, "backbone": backbone, "variant": variant, "exit_rule": "energy", "seed": seed}
    point = {"split": split, "model": variant, "target_speedup": target, "threshold": 0.1, "speedup": 2.1}
    measures = {"early": 0.75, "exit_bias": bias, "ece": 0.04, "nll": 0.5, "ece_last": 0.05, "nll_last": 0.6}
    return identity | point | measures | {"adjustable": variant == "vanilla", "rule": "energy"}


def frame():
    """Two tasks and seeds; on MRPC nothing exits early by the gates of one seed."""
    rows = [row(task, "vanilla", seed, 0.02 * (seed + 1)) for task in ("rte", "mrpc") for seed in (0, 1)]
    rows += [row("rte", "jeidnn", seed, -0.01) for seed in (0, 1)]
    rows += [row("mrpc", "jeidnn", 0, -0.03), row("mrpc", "jeidnn", 1, np.nan)]
    rows += [row("rte", "vanilla", 0, 0.5, **other) for other in ({"split": "held"}, {"backbone": "albert"})]
    rows += [row("rte", "other", 0, 0.5), row("rte", "vanilla", 0, 0.3, target=np.nan)]
    return pd.DataFrame([*rows, row("rte", "vanilla", 0, 0.3, target=3.0), row("mrpc", "vanilla", 0, 0.4, target=3.0)])


def value(table, **wanted):
    (found,) = table.loc[(table[list(wanted)] == pd.Series(wanted)).all(axis=1)].itertuples()
    return found


def test_means_over_seeds_and_tasks():
    table = calibration(frame(), LABELS, backbone="bert")
    assert tuple(table.columns) == COLUMNS
    at = {"measure": "exit_bias", "target_speedup": 2.0}
    rte = value(table, task="rte", variant="vanilla", **at)
    assert (rte.mean, rte.std, rte.num_seeds) == (pytest.approx(3), pytest.approx(np.sqrt(2)), 2)
    assert value(table, task="average", variant="vanilla", **at).mean == pytest.approx(3)
    gates = value(table, task="average", variant="jeidnn", **at)
    assert (gates.mean, gates.num_seeds) == (pytest.approx(-2), 1)  # the seed with a value on both tasks
    assert value(table, task="average", variant="jeidnn", measure="nll", target_speedup=2.0).mean == 0.5
    three = value(table, task="average", variant="vanilla", measure="exit_bias", target_speedup=3.0)
    assert three.mean == pytest.approx(35)
    assert list(dict.fromkeys(table["variant"])) == list(LABELS) and "other" not in set(table["variant"])


def test_the_printed_table_has_one_target(tmp_path):
    table = calibration(frame(), LABELS, backbone="bert")
    wide = calibration_wide(table, 2.0).set_index("Method")
    assert list(wide.index) == ["Plain", "JEI-DNN†"]
    assert wide.loc["Plain"].tolist() == ["2.10×", "75 %", "3.0±1.4", "4.0±0.0", "5.0±0.0", "0.500", "0.600"]
    assert wide.at["JEI-DNN†", "Exit bias"] == "-2.0"
    write_frame(tmp_path / "calibration.csv", table)
    pd.testing.assert_frame_equal(read_frame(tmp_path / "calibration.csv"), table)


def test_where_nothing_exits_early_there_is_no_bias():
    table = calibration(frame().assign(exit_bias=np.nan), LABELS, backbone="bert")
    assert set(calibration_wide(table, 2.0)["Exit bias"]) == {"–"}
