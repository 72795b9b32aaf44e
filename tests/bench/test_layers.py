"""The cost of a layer by family; the ratios depend on the machine."""

import torch
from helpers.tiny import configuration, token_split

from cosee.bench import layers
from cosee.bench.layers import measure_layers
from cosee.bench.shapes import FAMILIES
from cosee.models.loading import empty_backbone


def test_each_encoder_is_timed_in_both_passes_and_compared_with_the_first(monkeypatch):
    said = {"one": 4.0, "two": 2.0}
    seconds = {name: torch.tensor([value, 3 * value]).numpy() for name, value in said.items()}
    calls = []

    def interleaved(contenders, rounds, warmup, device):
        for name, run in contenders.items():
            calls.append(name)
            run()
        return seconds

    monkeypatch.setattr(layers, "interleaved", interleaved)
    encoders = {"one": configuration("bert").to_dict(), "two": configuration("mamba2", num_hidden_layers=2).to_dict()}
    frame = measure_layers(encoders, token_split(9), torch.device("cpu"), batch_size=4, rounds=2)
    assert calls == ["one", "two"] * 2
    assert list(frame["pass"]) == ["forward", "forward", "training", "training"]
    assert list(frame["times"]) == [1, 1, 1, 1]  # half the time for half the layers
    assert list(frame["ms_per_layer"][:2]) == [2000, 2000]
    tokens = float(token_split(9).lengths[:4].mean())
    assert frame["mflops_per_layer"][1] == empty_backbone(encoders["two"]).layer_flops(tokens) / 1e6


def test_the_shapes_are_those_of_the_preset():
    shapes = {name: empty_backbone(config) for name, config in FAMILIES.items()}
    assert {backbone.num_layers for backbone in shapes.values()} == {12}
    assert {backbone.hidden_size for backbone in shapes.values()} == {48}
    assert next(iter(shapes)) == "mini-BERT"
