"""FLOPs are counted by hand; the numbers that depend on a machine are not tested."""

import numpy as np
import pytest
import torch
from helpers.tiny import HIDDEN, LAYERS, VOCABULARY

from cosee.bench.shapes import random_rows
from cosee.bench.utilization import measure_utilization
from cosee.methods.cosee import Cosee
from cosee.models.loading import load_backbone

CPU = torch.device("cpu")
BATCH, TOKENS, INNER, CLASSES = 6, 10, 32, 2


def measured(folder, precision="fp32", **changes):
    model = Cosee().build(load_backbone(folder), CLASSES, 0).train()
    rows = random_rows(np.full(BATCH, TOKENS), len(VOCABULARY))
    return model, measure_utilization(
        model, rows, CPU, **{"rounds": 3, "warmup": 0, "precision": precision, "product_size": 16} | changes
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_product_is_the_measure_of_a_step_that_trains(precision, tiny_bert):
    before = Cosee().build(load_backbone(tiny_bert), CLASSES, 0).state_dict()
    model, frame = measured(tiny_bert, precision)
    assert list(frame["contender"]) == ["matrix product", "training step"]
    assert frame["share"][0] == 100 and frame["share"][1] > 0
    assert np.isnan(frame["samples_per_second"][0])
    assert frame["samples_per_second"][1] * frame["seconds"][1] == pytest.approx(BATCH)
    assert any((value != before[name]).any() for name, value in model.state_dict().items())


def test_the_arithmetic_of_a_step_is_that_of_its_matrix_products(tiny_bert):
    _, frame = measured(tiny_bert)
    flops = frame["tflops"] * frame["seconds"] * 1e12
    assert flops[0] == pytest.approx(2 * 16**3)
    attention = 8 * HIDDEN**2 + 4 * HIDDEN * TOKENS  # projections of query, key, value and output; scores and mixing
    layers = BATCH * (LAYERS * TOKENS * attention + ((LAYERS - 1) * TOKENS + 1) * 4 * HIDDEN * INNER)
    exits = BATCH * LAYERS * (2 * HIDDEN**2 + 2 * HIDDEN * CLASSES)
    assert flops[1] == pytest.approx(3 * (layers + exits), rel=0.01)  # backward: to weights and to inputs
