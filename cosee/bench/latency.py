"""What early exit is worth in seconds: a model that leaves early against itself run to the end, on the same batches."""

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
from cosee.evaluation.frames import operating_points
from cosee.evaluation.outputs import exit_outputs
from cosee.exiting.online import early_exit, last_exit
from cosee.exiting.rules import Rule
from cosee.methods.base import linear_exits_model
from cosee.models.loading import empty_backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.models.prediction import predict

WHOLE, TESTS, EARLY = "whole", "tests", "early"
"""What is timed: the encoder with its last exit alone; with every exit tested, but none taken; leaving early."""


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
    """Time every batch run to the end, with tests alone and at every operating point, in turn.

    Batches are the rows in the order given, padded to their longest, as requests would come; to gather them is not
    timed.

    Args:
        model: a model in eval mode with an exit after every layer.
        split: the split.
        rows: which rows of it [N].
        rule: exit rule.
        thresholds: target speed-up -> threshold.
        batch_sizes: rows per batch; the last batch of each size may be smaller.
        rounds: how often each batch is timed.
        warmup: rounds before them that are not timed.
        check_every: layers between the moments when the host asks who is done.

    Returns:
        One row per timing: batch_size, contender (`WHOLE`, `TESTS`, `EARLY`), target_speedup and threshold (of `EARLY`;
        otherwise NaN), batch (number), round, rows (in the batch), num_layers, layers (computed, summed over the rows),
        seconds.
    """
    frames = []
    for size in batch_sizes:
        for number, begin in enumerate(range(0, len(rows), size)):
            batch = split.batch(rows[begin : begin + size])
            leave = partial(early_exit, model, batch, rule, check_every=check_every)
            # No score passes NaN.
            points = {(WHOLE, nan, nan): partial(last_exit, model, batch), (TESTS, nan, nan): partial(leave, nan)}
            points |= {(EARLY, target, limit): partial(leave, limit) for target, limit in thresholds.items()}
            seconds = interleaved({str(i): run for i, run in enumerate(points.values())}, rounds, warmup, split.device)
            for (contender, target, limit), times in zip(points, seconds.values(), strict=True):
                layers = len(batch) * model.num_exits
                if contender == EARLY:
                    layers = int((leave(limit)[1] + 1).sum())
                timed = {"batch_size": size, "contender": contender, "target_speedup": target, "threshold": limit}
                timed |= {"batch": number, "round": range(rounds), "rows": len(batch), "num_layers": model.num_exits}
                frames.append(pd.DataFrame(timed | {"layers": layers, "seconds": times}))
    return pd.concat(frames, ignore_index=True)


def thresholds_on(
    model: MultiExitModel, rows: TokenSplit, rule: Rule, targets: Iterable[float], device: torch.device
) -> dict[float, float]:
    """Target speed-up -> threshold that comes closest to it on these very rows."""
    outputs = predict(model, DeviceSplit(rows, device), 32)
    (points,) = operating_points([exit_outputs(model, outputs, rows, model.num_exits)], rule, targets)
    return dict(points)


def leaving_model(encoder: Mapping[str, Any], split: TokenSplit, device: torch.device, seed: int) -> MultiExitModel:
    """A model of an encoder's shape with random weights, whose rows leave all over the layers.

    The work of a layer does not depend on its weights, but where rows leave does, and without training confidence
    neither differs between rows nor grows with depth. So every head is scaled on these rows: the margin between its
    two classes has mean 0, and a standard deviation that grows linearly up to 4 at the last exit.

    Args:
        encoder: transformers configuration; `{"model_type": "bert"}` is BERT-base.
        split: the rows that will be timed.
        device: where the model is to live.
        seed: of the weights.

    Raises:
        InputError: a single row, between which and others nothing can differ.
    """
    if len(split) < 2:
        raise InputError("early exit is timed on rows that leave at different layers; expected 2 rows or more, got 1.")
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
