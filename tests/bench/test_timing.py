"""Timings that can be compared."""

from time import sleep

import numpy as np
import torch

from cosee.bench.timing import interleaved, ratio


def test_every_contender_is_called_in_every_round_and_each_one_is_first_in_turn():
    calls: list[str] = []
    contenders = {name: lambda name=name: calls.append(name) for name in "abc"}
    seconds = interleaved(contenders, rounds=3, warmup=2, device=torch.device("cpu"))
    assert {name: times.shape for name, times in seconds.items()} == {name: (3,) for name in "abc"}
    rounds = [calls[i : i + 3] for i in range(0, len(calls), 3)]
    assert len(rounds) == 5 and all(sorted(order) == ["a", "b", "c"] for order in rounds)
    assert {order[0] for order in rounds[2:]} == {"a", "b", "c"}


def test_warmup_is_not_timed():
    pauses = iter([0.2, 0.0, 0.0])
    (times,) = interleaved({"x": lambda: sleep(next(pauses))}, rounds=2, warmup=1, device=torch.device("cpu")).values()
    assert times.max() < 0.2


def test_ratio_is_the_median_of_the_quotients_of_each_round():
    slow, fast = np.array([2.0, 40.0, 3.0]), np.array([1.0, 20.0, 1.0])
    assert ratio(slow, fast) == 2.0
