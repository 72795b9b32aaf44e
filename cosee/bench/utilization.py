"""Utilization of the hardware in training: the FLOP/s of a step relative to those of a large matrix product."""

from itertools import repeat

import numpy as np
import pandas as pd
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cosee.bench.timing import interleaved, ratio
from cosee.bench.training import Precision, Steps, training_loss
from cosee.data.batches import DeviceSplit
from cosee.data.tokens import TokenSplit
from cosee.methods.cosee import Cosee
from cosee.models.multi_exit import MultiExitModel

PRODUCT_SIZE = {"cuda": 8192, "cpu": 2048}
"""Rows and columns of the matrices whose product represents the peak: large enough to be bound by arithmetic."""


def measure_utilization(
    model: MultiExitModel,
    rows: TokenSplit,
    device: torch.device,
    rounds: int,
    warmup: int = 3,
    precision: Precision = "fp32",
    product_size: int | None = None,
) -> pd.DataFrame:
    """Time a COSEE step on a batch against a product of square matrices, in turn, both in the same precision.

    FLOPs are those of matrix products, forward and backward, including attention; an addition counts as one.

    Args:
        model: a model in training mode on its device.
        rows: the batch; use examples of equal length to exclude padding from the work.
        device: device of the computation.
        rounds: timings of each.
        warmup: untimed rounds before them.
        precision: "fp32", or "bf16" for autocast.
        product_size: rows of the square matrices; None: `PRODUCT_SIZE`.

    Returns:
        A row each, "matrix product" and "training step": contender, seconds (median), samples_per_second (NaN for the
        product), tflops (10^12 FLOP per second), share (of the product's FLOP/s in percent, median over the rounds).
    """
    batch, split = np.arange(len(rows)), DeviceSplit(rows, device)
    loss = training_loss(model, Cosee(), split)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # not every fused kernel is counted
        loss(batch).backward()
    model.zero_grad()

    size = product_size or PRODUCT_SIZE[device.type]
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    left, right, out = (torch.randn(size, size, device=device).to(dtype) for _ in range(3))
    step = Steps(model, precision).step(loss, repeat(batch))
    contenders = {"matrix product": lambda: torch.mm(left, right, out=out), "training step": step}
    seconds = interleaved(contenders, rounds, warmup, device)
    flops = {"matrix product": 2.0 * size**3, "training step": float(counter.get_total_flops())}
    shares = {
        name: 100 * flops[name] / flops["matrix product"] * ratio(seconds["matrix product"], seconds[name])
        for name in contenders
    }
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    return pd.DataFrame(
        {
            "contender": list(contenders),
            "seconds": medians.values(),
            "samples_per_second": [np.nan, len(rows) / medians["training step"]],
            "tflops": [flops[name] / medians[name] / 1e12 for name in contenders],
            "share": shares.values(),
        }
    )
