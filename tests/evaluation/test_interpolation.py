import numpy as np
import pandas as pd
import pytest
from helpers import frames

from cosee.evaluation.interpolation import RUN, VALUES, at_speedups


def wanted(*rows):
    return pd.DataFrame(rows, columns=["task", "variant", "speedup"])


def test_values_are_linear_between_operating_points():
    curves = frames.tradeoff(("mrpc", "sst2"), seeds=(1, 2))
    found = at_speedups(curves, wanted(("mrpc", "cosee", 2.0), ("mrpc", "cosee", 3.3), ("sst2", "vanilla", 1.5)))
    assert list(found.columns) == [*RUN, "speedup", *VALUES]
    assert len(found) == 2 * 3
    for row in found.itertuples():
        same = (curves["task"] == row.task) & (curves["variant"] == row.variant) & (curves["seed"] == row.seed)
        curve = curves[same].sort_values("speedup")
        for name in VALUES:
            expected = np.interp(row.speedup, curve["speedup"], curve[name])
            assert getattr(row, name) == pytest.approx(expected, nan_ok=True)


def test_the_models_of_a_seed_make_one_curve():
    rows = [("a", 1.0, 0.9), ("b", 3.0, 0.7), ("b", 3.0, 0.5)]
    curves = pd.DataFrame(rows, columns=["model", "speedup", "score"]).assign(
        task="rte", variant="m", exit_rule="policy", seed=0, split="dev", speedup_flops=1.0, accuracy=0.5, f1=np.nan
    )
    (row,) = at_speedups(curves, wanted(("rte", "m", 2.0))).itertuples()
    assert row.score == pytest.approx((0.9 + 0.6) / 2)
    assert np.isnan(row.f1)


def test_a_speedup_counts_only_where_all_seeds_get_there():
    curves = frames.tradeoff(seeds=(1, 2))
    short = curves[(curves["seed"] == 1) | (curves["speedup"] < 2.5)]
    found = at_speedups(short, wanted(("sst2", "cosee", 2.0), ("sst2", "cosee", 2.6), ("sst2", "cosee", 0.5)))
    assert sorted(found["seed"]) == [1, 2]
    assert set(found["speedup"]) == {2.0}


def test_nothing_wanted_or_measured_gives_no_rows():
    curves = frames.tradeoff(seeds=(1,))
    for some, at in ((curves, wanted(("rte", "cosee", 2.0))), (curves.iloc[:0], wanted(("sst2", "cosee", 2.0)))):
        found = at_speedups(some, at)
        assert found.empty
        assert list(found.columns) == [*RUN, "speedup", *VALUES]
