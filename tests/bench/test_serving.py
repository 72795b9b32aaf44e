"""Serving under load: every server gives the answers of the simulation, to all requests."""

import numpy as np
import pytest
import torch
from helpers.tiny import LAYERS, token_split

from cosee.bench.serving import measure, poisson_arrivals, servers
from cosee.data.batches import DeviceSplit
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers
from cosee.methods import make_method
from cosee.models.loading import load_backbone
from cosee.models.prediction import predict

N = 21


def stand(folder, method="cosee", rule="entropy"):
    """A model, its rows, its rule and a threshold with which exits differ, and what the simulation says."""
    model = make_method(method, {}).build(load_backbone(folder), 2, seed=0).eval()
    split, rule = DeviceSplit(token_split(N), torch.device("cpu")), RULES[rule]
    logits, learned = predict(model, split, 8)
    learned = None if learned is None else learned[:, :-1].astype(np.float64)
    scores = rule.score(logits[:, :-1].astype(np.float64), learned)
    values = np.unique(scores)
    candidates = (values[1:] + values[:-1]) / 2 if len(values) > 1 else values
    spread = [len(set(exit_layers(scores, value, rule.harder_is))) for value in candidates]
    best = np.flatnonzero(np.equal(spread, max(spread)))
    threshold = float(candidates[max(best, key=lambda place: values[place + 1] - values[place])])
    layers = exit_layers(scores, threshold, rule.harder_is)
    assert len(set(layers)) > 1
    return model, split, rule, threshold, logits, layers


@pytest.mark.parametrize(
    ("method", "rule", "backbone"),
    [
        ("cosee", "entropy", "tiny_bert"),
        ("cosee", "fpabee", "tiny_albert"),
        ("gpfee", "entropy", "tiny_bert"),
        ("palbert", "quantile", "tiny_bert"),
    ],
)
@pytest.mark.parametrize("capacity", [1, 4, 32])
@pytest.mark.parametrize("rate", [None, 2000.0])
def test_every_server_gives_the_simulated_answers(request, method, rule, backbone, capacity, rate):
    model, split, rule, threshold, logits, layers = stand(request.getfixturevalue(backbone), method, rule)
    arrivals = np.zeros(N) if rate is None else poisson_arrivals(N, rate, np.random.default_rng(0))
    for name, serve in servers(model, rule, threshold, capacity).items():
        served = serve(split, arrivals)
        taken = np.full(N, LAYERS - 1) if name == "whole" else layers
        assert served.exits.tolist() == taken.tolist(), name
        np.testing.assert_allclose(served.logits, logits[np.arange(N), taken], rtol=1e-4, atol=1e-4)
        assert (served.latencies > 0).all() and served.latencies.max() <= served.seconds


def test_freed_rows_are_filled_again(tiny_bert):
    model, split, rule, threshold, _, layers = stand(tiny_bert)
    sizes, step = [], model.backbone.layer
    model.backbone.layer = lambda index, hidden, mask: sizes.append((index, len(hidden))) or step(index, hidden, mask)
    servers(model, rule, threshold, 4)["refilled"](split, np.zeros(N))
    for layer in range(LAYERS):
        reached = int((layers >= layer).sum())
        batches = [rows for index, rows in sizes if index == layer]
        assert sum(batches) == reached and max(batches, default=0) <= 4
        assert len(batches) == -(-reached // 4)  # full ones, but for the last


def test_what_lay_in_memory_before_is_never_read(tiny_bert):
    """Rows that waited alone join longer ones: what is padding to them has weight 0, but 0 times NaN is NaN."""
    model, split, rule, threshold, logits, layers = stand(tiny_bert)
    torch.use_deterministic_algorithms(True)  # fills memory that is taken with NaN
    try:
        served = servers(model, rule, threshold, 3)["refilled"](split, np.zeros(N))
    finally:
        torch.use_deterministic_algorithms(False)
    assert served.exits.tolist() == layers.tolist()
    np.testing.assert_allclose(served.logits, logits[np.arange(N), layers], rtol=1e-4, atol=1e-4)


def test_measurements_have_a_row_per_server_and_round(tiny_bert):
    model, split, rule, threshold, _, layers = stand(tiny_bert)
    frame = measure(servers(model, rule, threshold, 4), split, np.zeros(N), rounds=2)
    assert frame.groupby("server").size().to_dict() == {"whole": 2, "compacted": 2, "refilled": 2}
    assert (frame["requests_per_second"] > 0).all()
    assert (frame["latency_p50_seconds"] <= frame["latency_p95_seconds"]).all()
    means = frame.groupby("server")["mean_exit_layer"].first()
    assert means["whole"] == LAYERS and means["refilled"] == means["compacted"] == pytest.approx(layers.mean() + 1)


def test_poisson_arrivals_have_the_rate():
    arrivals = poisson_arrivals(4000, 50.0, np.random.default_rng(0))
    assert arrivals[0] == 0 and (np.diff(arrivals) >= 0).all()
    assert 4000 / arrivals[-1] == pytest.approx(50, rel=0.05)
