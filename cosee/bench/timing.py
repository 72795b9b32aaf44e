"""Comparable timings: every contender in every round, in turn, so that slow moments affect all of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter

import numpy as np
import torch


def interleaved(
    contenders: Mapping[str, Callable[[], object]], rounds: int, warmup: int, device: torch.device
) -> dict[str, np.ndarray]:
    """Time every contender once per round; each round starts with another contender.

    Args:
        contenders: functions to time, by name.
        rounds: R, number of timings of each.
        warmup: untimed rounds before them.
        device: device of the computation; a GPU is synchronized before and after each call.

    Returns:
        Seconds by name [R]. Ratios are taken within a round, where disturbances affect both contenders.
    """
    seconds = {name: np.empty(rounds) for name in contenders}
    for turn, name in turns(list(contenders), rounds, warmup):
        _wait(device)
        began = perf_counter()
        contenders[name]()
        _wait(device)
        if turn >= 0:
            seconds[name][turn] = perf_counter() - began
    return seconds


def turns(names: Sequence[str], rounds: int, warmup: int) -> Iterator[tuple[int, str]]:
    """Number of the round (below 0: warm-up) and name, in the order of timing; each round starts with another name."""
    for turn in range(-warmup, rounds):
        first = turn % len(names)
        for name in (*names[first:], *names[:first]):
            yield turn, name


def ratio(slow: np.ndarray, fast: np.ndarray) -> float:
    """Ratio of two contenders' times: the median over the rounds of the quotient in each [R]."""
    return float(np.median(slow / fast))


def _wait(device: torch.device) -> None:
    """Wait for the work of a GPU to finish."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
