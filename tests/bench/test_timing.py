"""Comparable timings."""

import numpy as np
import torch

from cosee.bench import timing
from cosee.bench.timing import interleaved, ratio


def test_every_contender_is_called_in_every_round_and_each_one_is_first_in_turn():
    calls: list[str] = []
    contenders = {name: lambda name=name: calls.append(name) for name in "abc"}
    seconds = interleaved(contenders, rounds=3, warmup=2, device=torch.device("cpu"))
    assert {name: times.shape for name, times in seconds.items()} == {name: (3,) for name in "abc"}
    rounds = [calls[i : i + 3] for i in range(0, len(calls), 3)]
    assert len(rounds) == 5 and all(sorted(order) == ["a", "b", "c"] for order in rounds)
    assert {order[0] for order in rounds[2:]} == {"a", "b", "c"}


def test_what_a_call_takes_is_measured_but_for_the_warmup(monkeypatch):
    now, pauses = [0], iter([100, 2, 3])
    monkeypatch.setattr(timing, "perf_counter", lambda: now[0])

    def work():
        now[0] += next(pauses)

    assert interleaved({"x": work}, rounds=2, warmup=1, device=torch.device("cpu"))["x"].tolist() == [2, 3]


def test_ratio_is_the_median_of_the_quotients_of_each_round():
    slow, fast = np.array([2.0, 40.0, 3.0]), np.array([1.0, 20.0, 1.0])
    assert ratio(slow, fast) == 2.0
