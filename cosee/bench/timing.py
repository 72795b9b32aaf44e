"""Timings that can be compared: every contender in every round, in turn, so that a slow moment hits all of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter

import numpy as np
import torch


def interleaved(
    contenders: Mapping[str, Callable[[], object]], rounds: int, warmup: int, device: torch.device
) -> dict[str, np.ndarray]:
    """Time every contender once per round, the rounds starting with another one each time.

    Args:
        contenders: what is timed, by name.
        rounds: R, how often each is timed.
        warmup: rounds before them that are not timed.
        device: where the work is done; a GPU is waited for before and after each call.

    Returns:
        Seconds by name [R]. The entries of one round belong together: their quotients are free of what slows down both.
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
    """Number of the round (below 0: warm-up) and whose turn it is; each round begins with another name."""
    for turn in range(-warmup, rounds):
        first = turn % len(names)
        for name in (*names[first:], *names[:first]):
            yield turn, name


def ratio(slow: np.ndarray, fast: np.ndarray) -> float:
    """How many times as long the one takes as the other: the median over the rounds of the quotient in each [R]."""
    return float(np.median(slow / fast))


def _wait(device: torch.device) -> None:
    """Until a GPU has done what it was given; a CPU is always done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
