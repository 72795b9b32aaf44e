"""Depth matters in the mini preset: models of the first k layers of the shipped encoders, over seeds and steps."""

import os

import pandas as pd
import pytest
from helpers.depth import scores_by_layers

from cosee.data.tasks import TASKS

pytestmark = pytest.mark.slow
SEEDS = (0, 1, 2)
DEPTHS = (2, 4, 6, 8, 10, 12)


@pytest.fixture(scope="module", params=["mini-bert", "mini-albert"])
def results(request) -> pd.DataFrame:
    frame = pd.concat([scores_by_layers(request.param, task, DEPTHS, SEEDS) for task in TASKS], ignore_index=True)
    if folder := os.environ.get("COSEE_DEPTH_DIR"):  # keep what was measured
        frame.to_csv(f"{folder}/{request.param}.csv", index=False)
    return frame


@pytest.fixture(scope="module")
def curves(results) -> pd.DataFrame:
    """Accuracy in percent, mean over seeds: one row per task, one column per number of layers."""
    sums = results.groupby(["task", "layers"])[["right", "examples"]].sum()
    return (100 * sums["right"] / sums["examples"]).unstack("layers")


def missed(request, reason):
    """A bar that mini-BERT is known to miss: the test is to fail, and to be told when it no longer does."""
    if request.node.callspec.params["results"] == "mini-bert":
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))


def test_the_whole_encoder_solves_the_tasks(curves):
    assert (curves[12] >= 85).sum() >= 4 and (curves[12] >= 75).all(), curves.round(1)


def test_depth_matters(curves, request):
    missed(request, "on SST-2 it has 84.9 % with 8 layers and 83.0 % with 10")
    assert ((curves[12] - curves[2]) >= 10).sum() >= 4, curves.round(1)
    gains = (curves[12] - curves[6]) >= 3
    assert gains.sum() >= 3, curves.round(1)
    assert (curves[gains].diff(axis=1).iloc[:, 1:] >= -1).all(axis=None), curves[gains].round(1)


def test_seeds_agree(results, request):
    missed(request, "seeds differ by more than a point on all tasks but MRPC and QQP")
    whole = results[results["layers"] == 12].groupby(["task", "seed"])[["right", "examples"]].sum()
    spread = (100 * whole["right"] / whole["examples"]).groupby("task").std()
    assert (spread <= 1).sum() >= 4, spread.round(2)


def test_two_layers_are_at_chance_beyond_two_steps(results):
    chance = {task: 100 / TASKS[task].num_classes for task in TASKS}
    few = results[(results["layers"] == 2) & (results["steps"] > 2)].groupby("task")[["right", "examples"]].sum()
    excess = 100 * few["right"] / few["examples"] - pd.Series(chance)
    assert (excess.abs() < 10).all(), excess.round(1)
