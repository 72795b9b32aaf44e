"""Smoke and properties: the numbers themselves depend on the machine."""

import numpy as np
import pytest
import torch
from helpers.tiny import token_split

from cosee.bench import training as bench
from cosee.bench.shapes import ENCODERS
from cosee.methods.cosee import Cosee
from cosee.models.loading import load_backbone

CPU = torch.device("cpu")
MEASURES = pytest.mark.parametrize(
    ("measure", "steps"),
    [(bench.measure_objectives, ["vanilla", "cosee"]), (bench.measure_throughput, ["reference", "here"])],
)


@pytest.fixture
def model(tiny_bert, monkeypatch):
    monkeypatch.setattr(bench, "MAX_LENGTH", 16)
    return Cosee().build(load_backbone(tiny_bert), 2, 0).train()


@MEASURES
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_row_per_contender_and_the_first_is_compared_with_itself(measure, steps, precision, model):
    before = [parameter.clone() for parameter in model.parameters()]
    frame = measure(model, token_split(20), CPU, batch_size=8, rounds=2, warmup=0, precision=precision)
    assert list(frame["contender"]) == steps
    assert list(frame.columns[:3]) == ["contender", "seconds", "samples_per_second"]
    quotient = {"measure_objectives": "relative_time", "measure_throughput": "relative_speed"}[measure.__name__]
    assert frame.columns[3:] == [quotient] and frame[quotient][0] == 1
    assert (frame.drop(columns="contender") > 0).all(axis=None)
    assert all((now != then).any() for now, then in zip(model.parameters(), before, strict=True))  # it did train


def test_a_pass_visits_every_row_once(model, monkeypatch):
    seen = {"reference": [], "here": []}
    collate, batch = bench.collate, bench.DeviceSplit.batch
    monkeypatch.setattr(
        bench, "collate", lambda rows, device: seen["reference"].append(len(rows)) or collate(rows, device)
    )
    monkeypatch.setattr(bench.DeviceSplit, "batch", lambda self, rows: seen["here"].append(rows) or batch(self, rows))
    frame = bench.measure_throughput(model, token_split(20), CPU, batch_size=8, rounds=1, warmup=0)
    assert sum(seen["reference"]) == 20 and len(seen["reference"]) == 3
    assert sorted(np.concatenate(seen["here"])) == list(range(20))
    assert frame["samples_per_second"].to_numpy() * frame["seconds"].to_numpy() == pytest.approx(20)


def test_models_of_every_shape_can_be_made_without_weights():
    for name in ENCODERS:
        with torch.device("meta"):
            model = bench.model_in_training(name, Cosee(), torch.device("meta"))
        assert model.num_exits == 12 and model.training
