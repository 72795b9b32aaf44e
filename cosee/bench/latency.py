"""Wall-clock effect of early exit: a model that exits early against the same model run to the end, on equal batches."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from math import nan
from typing import Any

import numpy as np
import pandas as pd
import torch

from cosee.bench.timing import interleaved
from cosee.data.batches import DeviceSplit
from cosee.data.tokens import TokenSplit
from cosee.errors import InputError
from cosee.evaluation.outputs import exit_outputs
from cosee.evaluation.point_frames import operating_points
from cosee.exiting.online import early_exit, last_exit
from cosee.exiting.rules import Rule
from cosee.methods.base import linear_exits_model
from cosee.models.loading import empty_backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.models.prediction import predict

FULL_MODEL, ALL_EXITS_VISITED, EARLY_EXIT = "whole", "tests", "early"
"""Contenders: the encoder with only its last exit; with every exit tested, but none taken; with early exit."""


def measure(
    model: MultiExitModel,
    split: DeviceSplit,
    rows: np.ndarray,
    rule: Rule,
    thresholds: Mapping[float, float],
    batch_sizes: Sequence[int],
    rounds: int,
    warmup: int = 1,
    check_every: int = 1,
) -> pd.DataFrame:
    """Time every batch run to the end, with exit tests only, and at every operating point, in turn.

    Batches are the examples in the given order, like requests, padded to the longest; gathering them is not timed.

    Args:
        model: a model in eval mode with an exit after every layer.
        split: the split.
        rows: positions of the examples to use [N].
        rule: exit rule.
        thresholds: target speed-up -> threshold.
        batch_sizes: examples per batch; the last batch of each size may be smaller.
        rounds: timings of each batch.
        warmup: untimed rounds before them.
        check_every: run the exit test every `check_every` layers (each test synchronizes host and GPU).

    Returns:
        One row per timing: batch_size, contender (`FULL_MODEL`, `ALL_EXITS_VISITED`, `EARLY_EXIT`), target_speedup and
        threshold (of `EARLY_EXIT`; otherwise NaN), batch (number), round, rows (examples in the batch), num_layers,
        layers (executed, summed over the examples), seconds.
    """
    frames = []
    for size in batch_sizes:
        for number, begin in enumerate(range(0, len(rows), size)):
            batch = split.batch(rows[begin : begin + size])
            exit_at = partial(early_exit, model, batch, rule, check_every=check_every)
            points = {
                (FULL_MODEL, nan, nan): partial(last_exit, model, batch),
                (ALL_EXITS_VISITED, nan, nan): partial(exit_at, nan),  # no score passes NaN
            }
            points |= {(EARLY_EXIT, target, limit): partial(exit_at, limit) for target, limit in thresholds.items()}
            seconds = interleaved({str(i): run for i, run in enumerate(points.values())}, rounds, warmup, split.device)
            for (contender, target, limit), times in zip(points, seconds.values(), strict=True):
                layers = len(batch) * model.num_exits
                if contender == EARLY_EXIT:
                    layers = int((exit_at(limit)[1] + 1).sum())
                timed = {"batch_size": size, "contender": contender, "target_speedup": target, "threshold": limit}
                timed |= {"batch": number, "round": range(rounds), "rows": len(batch), "num_layers": model.num_exits}
                frames.append(pd.DataFrame(timed | {"layers": layers, "seconds": times}))
    return pd.concat(frames, ignore_index=True)


def thresholds_on(
    model: MultiExitModel, rows: TokenSplit, rule: Rule, targets: Iterable[float], device: torch.device
) -> dict[float, float]:
    """Target speed-up -> threshold that comes closest to it on these examples."""
    outputs = predict(model, DeviceSplit(rows, device), 32)
    (points,) = operating_points([exit_outputs(model, outputs, rows, model.num_exits)], rule, targets)
    return dict(points)


def early_exiting_model(
    encoder: Mapping[str, Any], split: TokenSplit, device: torch.device, seed: int
) -> MultiExitModel:
    """A model of an encoder's shape with random weights, with exit layers that vary between examples.

    The work of a layer does not depend on its weights, but exit layers do, and without training the confidence neither
    differs between examples nor grows with depth. So every head is scaled on these examples: the margin between its two
    classes has mean 0, and a standard deviation that grows linearly up to 4 at the last exit.

    Args:
        encoder: transformers configuration; `{"model_type": "bert"}` is BERT-base.
        split: the examples to be timed.
        device: device of the model.
        seed: seed of the weights.

    Raises:
        InputError: there is only one example, so that exit layers cannot vary.
    """
    if len(split) < 2:
        raise InputError(
            "early exit is timed on examples that exit at different layers; expected 2 examples or more, got 1."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = empty_backbone(encoder)
    model = linear_exits_model(backbone, num_classes=2, dropout=0.0, seed=seed).to(device).eval()
    num_exits, heads = model.num_exits, model.exits
    logits = torch.from_numpy(predict(model, DeviceSplit(split, device), 32).logits).to(device)
    margin = logits[..., 1] - logits[..., 0]
    scale = torch.linspace(4 / num_exits, 4, num_exits, device=device) / margin.std(dim=0)
    with torch.no_grad():
        heads.weight.mul_(scale[:, None, None])
        heads.bias[:, 1] = -scale * margin.mean(dim=0)
    return model
