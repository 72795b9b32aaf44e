"""Cost of a layer by family of encoders: what a layer of a decoder or of Mamba costs beside one of BERT."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from cosee.bench.timing import interleaved, ratio
from cosee.data.batches import Batch, DeviceSplit
from cosee.data.tokens import TokenSplit
from cosee.models.backbones import Backbone
from cosee.models.loading import empty_backbone


def measure_layers(
    encoders: Mapping[str, Mapping[str, Any]],
    rows: TokenSplit,
    device: torch.device,
    batch_size: int,
    rounds: int,
    warmup: int = 1,
) -> pd.DataFrame:
    """Time the states of all exits, with and without gradients, in turn on the same batch.

    Args:
        encoders: name -> transformers configuration; the first is the one that others are compared with.
        rows: examples, of which the first are used.
        device: device of the encoders.
        batch_size: examples in the batch.
        rounds: timings of each.
        warmup: untimed rounds before them.

    Returns:
        One row per encoder and pass ("forward", or "training": forward and backward): encoder, pass,
        ms_per_layer (median), mflops_per_layer (of one example of the mean length), and times, the ratio to the first
        encoder (median over the rounds).
    """
    batch = DeviceSplit(rows, device).batch(np.arange(min(batch_size, len(rows))))
    backbones = {}
    for seed, (name, config) in enumerate(encoders.items()):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            backbones[name] = empty_backbone(config).to(device).train()
    timed = []
    for what, run in (("forward", _forward), ("training", _training)):
        contenders = {name: partial(run, backbone, batch) for name, backbone in backbones.items()}
        seconds = interleaved(contenders, rounds, warmup, device)
        first = next(iter(backbones))
        for name, backbone in backbones.items():
            layers, tokens = backbone.num_layers, float(rows.lengths[: len(batch)].mean())
            times = ratio(seconds[name], seconds[first]) * backbones[first].num_layers / layers
            cost = {
                "ms_per_layer": 1000 * float(np.median(seconds[name])) / layers,
                "mflops_per_layer": backbone.layer_flops(tokens) / 1e6,
            }
            timed.append({"encoder": name, "pass": what} | cost | {"times": times})
    return pd.DataFrame(timed)


def _states(backbone: Backbone, batch: Batch) -> torch.Tensor:
    return backbone.states(batch.input_ids, batch.attention_mask, batch.token_type_ids)


@torch.no_grad()
def _forward(backbone: Backbone, batch: Batch) -> None:
    _states(backbone, batch)


def _training(backbone: Backbone, batch: Batch) -> None:
    _states(backbone, batch).square().mean().backward()
    backbone.zero_grad()
