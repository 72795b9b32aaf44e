"""Effect of compiling an encoder's layers in training: time of a step, and time of compilation."""

import os
import shutil
from copy import deepcopy
from itertools import cycle

import pandas as pd
import torch

from cosee.bench.timing import interleaved, ratio
from cosee.bench.training import Precision, Steps, frame_of, full_batches, time_steps, training_loss
from cosee.data.batches import DeviceSplit
from cosee.data.tokens import TokenSplit
from cosee.errors import InputError
from cosee.methods.cosee import Cosee
from cosee.models.multi_exit import MultiExitModel

FIRST = 10
"""Number of first steps that are timed together: they include all compilation for batches of varying length."""


def measure_compiled(
    model: MultiExitModel,
    rows: TokenSplit,
    device: torch.device,
    batch_size: int,
    rounds: int,
    warmup: int = 3,
    precision: Precision = "fp32",
) -> pd.DataFrame:
    """A COSEE step against one of the same model with compiled layers, both on the same batch in every round.

    Every layer but the last, of which training computes only a part, is compiled by `torch.compile` for any shape.
    torch caches compiled code between processes: only the first run on a machine measures the time of compilation.

    Args:
        model: a model on a BERT encoder in training mode on its device.
        rows: examples of varying length.
        device: device of the computation.
        batch_size: examples per step.
        rounds: timings of each.
        warmup: untimed rounds before them.
        precision: "fp32", or "bf16" for autocast.

    Returns:
        A row each, "plain" and "compiled": contender, seconds (median of a step), samples_per_second, relative_time
        (median of the quotients with the plain step of the same round), first_seconds (of the first `FIRST` steps).

    Raises:
        InputError: there are fewer examples than a batch has, or no compiler.
    """
    if not any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))):
        raise InputError("bench compiled: torch needs g++ or clang++ to compile; install one of them.")
    split, full = DeviceSplit(rows, device), full_batches(rows, batch_size)
    models = {"plain": model, "compiled": deepcopy(model)}
    for layer in models["compiled"].backbone.encoder.encoder.layer[:-1]:
        layer.compile(dynamic=True)
    steps = {
        name: Steps(each, precision).step(training_loss(each, Cosee(), split), cycle(full))
        for name, each in models.items()
    }
    several = {name: lambda step=step: [step() for _ in range(FIRST)] for name, step in steps.items()}
    first = interleaved(several, rounds=1, warmup=0, device=device)
    seconds = time_steps(steps, rounds, warmup, device)
    frame = frame_of(seconds, batch_size, "relative_time", lambda name: ratio(seconds[name], seconds["plain"]))
    return frame.assign(first_seconds=[first[name].item() for name in steps])
