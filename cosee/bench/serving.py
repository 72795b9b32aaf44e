"""Throughput under load: requests served by the full model, with early exit, and with refilled batches.

Examples at different depths cannot share a layer, because every layer has weights of its own. So refilling works layer
by layer: requests wait in a queue of the layer that they need next, and a layer runs as soon as it has a full batch.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter, sleep

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cosee.bench.timing import turns
from cosee.data.batches import Batch, DeviceSplit
from cosee.exiting.online import OnlineScorer, check_online, early_exit, last_exit
from cosee.exiting.rules import Rule
from cosee.models.multi_exit import MultiExitModel

Serve = Callable[[DeviceSplit, np.ndarray], "Served"]
"""Server: a split and the arrival times of its examples in seconds [N], ascending -> answers and latencies."""


@dataclass(frozen=True)
class Served:
    """Answers to a stream of requests, and their latencies.

    Attributes:
        logits: of the exits taken [N, C].
        exits: exit layers, 0-based [N].
        latencies: seconds from arrival to answer [N].
        seconds: from the first arrival to the last answer.
    """

    logits: np.ndarray
    exits: np.ndarray
    latencies: np.ndarray
    seconds: float


def poisson_arrivals(count: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Arrival times [N] in seconds of a stream of `rate` requests per second, the first at 0."""
    gaps = rng.exponential(1 / rate, count)
    return np.cumsum(gaps) - gaps[0]


def batched(
    run: Callable[[Batch], tuple[Tensor, Tensor]], capacity: int, split: DeviceSplit, arrivals: np.ndarray
) -> Served:
    """Serve waiting requests, up to `capacity` at a time; the next batch starts when all of the last are answered."""
    parts, latencies, begin, began = [], np.empty(len(arrivals)), 0, perf_counter()
    while begin < len(arrivals):
        sleep(max(0.0, arrivals[begin] - (perf_counter() - began)))
        end = min(begin + capacity, int(np.searchsorted(arrivals, perf_counter() - began, side="right")))
        rows = np.arange(begin, max(end, begin + 1))
        parts.append([values.cpu().numpy() for values in run(split.batch(rows))])
        latencies[rows] = perf_counter() - began - arrivals[rows]
        begin = rows[-1] + 1
    logits, exits = (np.concatenate(values) for values in zip(*parts, strict=True))
    return Served(logits, exits, latencies, perf_counter() - began)


@torch.inference_mode()
def refilled(
    model: MultiExitModel, rule: Rule, threshold: float, capacity: int, split: DeviceSplit, arrivals: np.ndarray
) -> Served:
    """Serve requests layer by layer, up to `capacity` at a time, each answered as soon as its exit rule fires.

    The deepest layer with a full batch runs next; if there is none, the layer of the oldest request. So at most
    `capacity` examples per layer are in progress, and no request waits forever.

    Raises:
        InputError: the rule is not online.
    """
    check_online(rule)
    num_layers, lengths = model.num_exits, np.asarray(split.lengths)
    scorer, exits = OnlineScorer(rule, len(arrivals), model), np.full(len(arrivals), num_layers - 1)
    slots = capacity * (num_layers + 1)
    # Zeros, because padding positions are read with weight 0, and 0 times NaN would be NaN.
    states = torch.zeros(slots, int(lengths.max()), model.backbone.hidden_size, device=split.device)
    free, slot = list(range(slots)), np.empty(len(arrivals), dtype=np.int64)
    carries: dict[int, Tensor] = {}
    queues: list[deque[int]] = [deque() for _ in range(num_layers)]
    latencies, arrived, answered, began = np.empty(len(arrivals)), 0, 0, perf_counter()
    while answered < len(arrivals):
        if arrived == answered:  # no request is in progress
            sleep(max(0.0, arrivals[arrived] - (perf_counter() - began)))
        while arrived < len(arrivals) and arrivals[arrived] <= perf_counter() - began:
            queues[0].append(arrived)
            arrived += 1
        layer = _next_layer(queues, capacity)
        if layer is None:
            continue
        rows = np.array([queues[layer].popleft() for _ in range(min(capacity, len(queues[layer])))])
        width = int(lengths[rows].max())
        if layer == 0:
            batch = split.batch(rows)
            hidden, mask = model.backbone.embed(batch.input_ids, batch.attention_mask, batch.token_type_ids)
            slot[rows] = [free.pop() for _ in rows]
        else:
            hidden, mask = states[slot[rows], :width], _mask(lengths[rows], width, split.device)
        hidden = model.backbone.layer(layer, hidden, mask)
        carry = torch.stack([carries[row] for row in rows]) if layer and carries else None
        outputs, carry = model.exits.forward_exit(layer, model.backbone.state(hidden, mask), model.backbone, carry)
        done = scorer.test(rows, layer, [outputs], threshold)[:, 0] | (layer == num_layers - 1)
        finished, remaining = rows[done], np.flatnonzero(~done)
        exits[finished], latencies[finished] = layer, perf_counter() - began - arrivals[finished]
        answered += len(finished)
        free.extend(slot[finished].tolist())
        if len(remaining):
            states[slot[rows[remaining]], :width] = hidden[remaining]
            queues[layer + 1].extend(rows[remaining].tolist())
        if carry is not None:
            carries |= dict(zip(rows.tolist(), carry, strict=True))
    seconds, logits = perf_counter() - began, scorer.answers(exits)
    return Served(logits.astype(np.float32), exits, latencies, seconds)


def servers(model: MultiExitModel, rule: Rule, threshold: float, capacity: int) -> dict[str, Serve]:
    """Contenders: "whole" (no early exit), "compacted" (finished examples are removed from the batch), "refilled"."""

    def whole(batch: Batch) -> tuple[Tensor, Tensor]:
        return last_exit(model, batch), torch.full_like(batch.labels, model.num_exits - 1)

    compacted = partial(early_exit, model, rule=rule, threshold=threshold)
    return {
        "whole": partial(batched, whole, capacity),
        "compacted": partial(batched, compacted, capacity),
        "refilled": partial(refilled, model, rule, threshold, capacity),
    }


def measure(
    contenders: Mapping[str, Serve], split: DeviceSplit, arrivals: np.ndarray, rounds: int, warmup: int = 1
) -> pd.DataFrame:
    """Time every server on the same stream in every round; each round starts with another server.

    Returns:
        One row per server and round: server, round, requests_per_second, latency_p50_seconds, latency_p95_seconds and
        mean_exit_layer (1-based).
    """
    lines = []
    for turn, name in turns(list(contenders), rounds, warmup):
        served = contenders[name](split, arrivals)
        p50, p95 = np.quantile(served.latencies, (0.5, 0.95))
        line = {"server": name, "round": turn, "requests_per_second": len(arrivals) / served.seconds}
        line |= {"latency_p50_seconds": p50, "latency_p95_seconds": p95}
        lines.append(line | {"mean_exit_layer": served.exits.mean() + 1})
    frame = pd.DataFrame(lines)
    return frame[frame["round"] >= 0].reset_index(drop=True)


def _next_layer(queues: list[deque[int]], capacity: int) -> int | None:
    """The deepest layer with a full batch, else that of the oldest request; None if no request waits."""
    full = [layer for layer, queue in enumerate(queues) if len(queue) >= capacity]
    waiting = [layer for layer, queue in enumerate(queues) if queue]
    return full[-1] if full else min(waiting, key=lambda layer: min(queues[layer]), default=None)


def _mask(lengths: np.ndarray, width: int, device: torch.device) -> Tensor | None:
    """Attention mask [b, 1, 1, T] of examples of these lengths; None if none is padded."""
    if lengths.min() == width:
        return None
    return (torch.arange(width) < torch.as_tensor(lengths)[:, None])[:, None, None].to(device, non_blocking=True)
