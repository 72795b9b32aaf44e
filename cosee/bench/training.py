"""Speed of training: cost of COSEE relative to the vanilla model, and of padding and Python loops.

Both are measured on one model with random weights, contenders in turn, so that the ratios are meaningful on a busy
machine too.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import count, cycle
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cosee.bench.reference import collate, exits_one_by_one, looped_loss, padded_example
from cosee.bench.shapes import ENCODERS
from cosee.bench.timing import interleaved, ratio
from cosee.data.batches import DeviceSplit, training_order
from cosee.data.tokens import TokenSplit
from cosee.errors import InputError
from cosee.methods.cosee import Cosee
from cosee.models.loading import empty_backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.training.optimizer import make_optimizer, update
from cosee.training.schedule import Schedule

MAX_LENGTH = 128
"""Tokens to which the reference pads every example, as the released scripts do."""

RATE = 2e-5

Precision = Literal["fp32", "bf16"]


def model_in_training(encoder: str, method: Cosee, device: torch.device, num_classes: int = 2) -> MultiExitModel:
    """The model of a method on an encoder of `ENCODERS` with fresh weights, in training mode."""
    return method.build(empty_backbone(ENCODERS[encoder]), num_classes, seed=0).to(device).train()


def measure_objectives(
    model: MultiExitModel,
    rows: TokenSplit,
    device: torch.device,
    batch_size: int,
    rounds: int,
    warmup: int = 3,
    precision: Precision = "fp32",
) -> pd.DataFrame:
    """A step of COSEE against one of the vanilla multi-exit model, both on the same batch in every round.

    Returns:
        A row each: contender, seconds (median of a step), samples_per_second, relative_time (median of the quotients
        with the vanilla step of the same round).

    Raises:
        InputError: there are fewer examples than a batch has.
    """
    split, run = DeviceSplit(rows, device), Steps(model, precision)
    full = full_batches(rows, batch_size)
    methods = {"vanilla": Cosee(alpha=0.0, beta0=0.0), "cosee": Cosee()}
    steps = {name: run.step(training_loss(model, method, split), cycle(full)) for name, method in methods.items()}
    seconds = time_steps(steps, rounds, warmup, device)
    return frame_of(seconds, batch_size, "relative_time", lambda name: ratio(seconds[name], seconds["vanilla"]))


def measure_throughput(
    model: MultiExitModel,
    rows: TokenSplit,
    device: torch.device,
    batch_size: int,
    rounds: int,
    warmup: int = 1,
    precision: Precision = "fp32",
) -> pd.DataFrame:
    """Passes over some examples: this project's training against the padded, looping reference; both train COSEE.

    Returns:
        A row each: contender, seconds (median of a pass), samples_per_second, relative_speed (median of the quotients
        with the reference of the same round).
    """
    method = Cosee()
    split = DeviceSplit(rows, device)
    generators = {name: np.random.default_rng(0) for name in ("reference", "here")}
    size = -(-len(rows) // batch_size)

    def ours() -> Iterator[np.ndarray]:
        while True:
            yield from training_order(split.lengths, batch_size, generators["here"])

    def theirs() -> Iterator[np.ndarray]:
        while True:
            yield from np.array_split(generators["reference"].permutation(len(rows)), size)

    run = Steps(model, precision)
    steps = {
        "reference": run.step(_reference_loss(model, method, rows, device), theirs()),
        "here": run.step(training_loss(model, method, split), ours()),
    }
    passes = {name: lambda step=step: [step() for _ in range(size)] for name, step in steps.items()}
    seconds = interleaved(passes, rounds, warmup, device)
    return frame_of(seconds, len(rows), "relative_speed", lambda name: ratio(seconds["reference"], seconds[name]))


def full_batches(rows: TokenSplit, batch_size: int) -> list[np.ndarray]:
    """Positions of the examples of the full batches of one epoch; smaller batches are omitted.

    Raises:
        InputError: there are fewer examples than a batch has.
    """
    if len(rows) < batch_size:
        raise InputError(
            f"{len(rows)} examples fill no batch of {batch_size}; take more examples or a smaller batch size."
        )
    order = training_order(rows.lengths, batch_size, np.random.default_rng(0))
    return [batch for batch in order if len(batch) == batch_size]


def time_steps(
    steps: Mapping[str, Callable[[], None]], rounds: int, warmup: int, device: torch.device
) -> dict[str, np.ndarray]:
    """Seconds of a step by name [R], interleaved.

    On a GPU ten steps are timed together, because training does not synchronize between steps.
    """
    several = 10 if device.type == "cuda" else 1
    together = {name: lambda step=step: [step() for _ in range(several)] for name, step in steps.items()}
    return {name: times / several for name, times in interleaved(together, rounds, warmup, device).items()}


Loss = Callable[[np.ndarray], Tensor]
"""Positions of a batch's examples -> the loss to minimize."""


def training_loss(model: MultiExitModel, method: Cosee, split: DeviceSplit) -> Loss:
    """The loss of `cosee.training.loop` in the middle of a run, where the weights of COSEE differ between exits."""
    objective, steps = method.objective(Schedule(10_000, 1), 0, split.device), count(5_000)
    return lambda rows: objective(model, split.batch(rows), next(steps))[0]


def _reference_loss(model: MultiExitModel, method: Cosee, rows: TokenSplit, device: torch.device) -> Loss:
    """The loss of the reference in the middle of a run."""
    rng = np.random.default_rng(0)

    def loss(chosen: np.ndarray) -> Tensor:
        batch = collate([padded_example(rows, index, MAX_LENGTH, pad_id=0) for index in chosen], device)
        with torch.autocast(device.type, torch.bfloat16, enabled=model.mixed_precision):
            logits = [exit_logits.float() for exit_logits in exits_one_by_one(model, batch)]
        return looped_loss(logits, batch.labels, method, rng.random(method.num_thresholds).tolist(), method.beta0 / 2)

    return loss


class Steps:
    """Training steps of several losses on one model with one optimizer, so that only the losses differ."""

    def __init__(self, model: MultiExitModel, precision: Precision) -> None:
        self.optimizer = make_optimizer(model, RATE, 0.0)
        model.mixed_precision = precision == "bf16"

    def step(self, loss: Loss, order: Iterator[np.ndarray]) -> Callable[[], None]:
        """A function that makes one step per call, on the next batch of `order`."""

        def step() -> None:
            loss(next(order)).backward()
            update(self.optimizer, RATE, clip=1.0)

        return step


def frame_of(
    seconds: Mapping[str, np.ndarray], examples: int, quotient: str, of: Callable[[str], float]
) -> pd.DataFrame:
    """A row per contender: its name, seconds (median), samples_per_second, and the column `quotient`: `of(name)`."""
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    return pd.DataFrame(
        [
            {"contender": name, "seconds": median, "samples_per_second": examples / median, quotient: of(name)}
            for name, median in medians.items()
        ]
    )
