"""Timings of early exit: contenders, examples and layers are those that the frame states."""

import numpy as np
import pytest
import torch
from helpers.tiny import CONFIG, LAYERS

from cosee.bench.latency import ALL_EXITS_VISITED, EARLY_EXIT, FULL_MODEL, early_exiting_model, measure, thresholds_on
from cosee.bench.shapes import random_rows
from cosee.data.batches import DeviceSplit
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers
from cosee.models.prediction import predict

CPU = torch.device("cpu")
LENGTHS = np.random.default_rng(0).integers(4, 20, 37)
RULE = RULES["entropy"]
TARGETS = (1.3, 2.0)


@pytest.fixture(scope="module")
def model():
    return early_exiting_model({"model_type": "bert"} | CONFIG, rows(), CPU, seed=0)


def rows():
    return random_rows(LENGTHS, CONFIG["vocab_size"])


@pytest.mark.parametrize("target", TARGETS)
def test_rows_of_a_random_model_leave_all_over_the_layers_at_the_target(model, target):
    split = DeviceSplit(rows(), CPU)
    threshold = thresholds_on(model, rows(), RULE, [target], CPU)[target]
    scores = RULE.score(predict(model, split, 8).logits[:, :-1].astype(np.float64), None)
    layers = exit_layers(scores, threshold, RULE.harder_is)
    assert set(layers) == set(range(LAYERS))
    assert LAYERS / (layers + 1).mean() == pytest.approx(target, rel=0.1)


def test_every_contender_is_timed_on_every_batch_in_every_round(model):
    split = DeviceSplit(rows(), CPU)
    thresholds = thresholds_on(model, rows(), RULE, TARGETS, CPU)
    timings = measure(model, split, np.arange(len(LENGTHS)), RULE, thresholds, batch_sizes=(1, 8), rounds=2)
    assert not timings.duplicated(["batch_size", "contender", "target_speedup", "batch", "round"]).any()
    assert (timings["seconds"] > 0).all()
    for (size, contender, target), group in timings.groupby(
        ["batch_size", "contender", "target_speedup"], dropna=False
    ):
        once = group[group["round"] == 0]
        assert len(group) == 2 * len(once) and once["rows"].sum() == len(LENGTHS)
        assert once["rows"].max() == size
        if contender == EARLY_EXIT:
            assert LAYERS * len(LENGTHS) / once["layers"].sum() == pytest.approx(target, rel=0.1)
            assert group["threshold"].unique().tolist() == [thresholds[target]]
        else:
            assert contender in (FULL_MODEL, ALL_EXITS_VISITED) and once["layers"].sum() == LAYERS * len(LENGTHS)
