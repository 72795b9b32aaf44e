"""Cost of one exit, measured in place: in isolation its weights would stay in cache."""

from collections import defaultdict
from time import perf_counter

import numpy as np
import pandas as pd
import torch

from cosee.data.batches import DeviceSplit
from cosee.exiting.online import OnlineScorer
from cosee.exiting.rules import Rule
from cosee.models.multi_exit import MultiExitModel

NEVER = float("nan")
"""A threshold that no score passes."""


@torch.inference_mode()
def measure_visits(model: MultiExitModel, split: DeviceSplit, rule: Rule, rounds: int, warmup: int = 1) -> pd.DataFrame:
    """Time the parts of `cosee.exiting.online.early_exit` at batch size 1, with every exit visited and none taken.

    Args:
        model: a model in eval mode with an exit after every layer.
        split: examples to use, on the CPU, because calls on a GPU are asynchronous.
        rule: exit rule.
        rounds: timings of every example.
        warmup: untimed rounds before them.

    Returns:
        A row per part, "layer", "exit" (pooler and head) and "decision" (copy to the host, score, threshold): part,
        microseconds (median over examples, layers and rounds), p95, share (of a layer, in percent).
    """
    seconds: dict[str, list[float]] = defaultdict(list)
    for turn in range(-warmup, rounds):
        for row in range(len(split)):
            batch, scorer, carry = split.batch(np.array([row])), OnlineScorer(rule, 1, model), None
            hidden, mask = model.backbone.embed(batch.input_ids, batch.attention_mask, batch.token_type_ids)
            for layer in range(model.num_exits):
                times = [perf_counter()]
                hidden = model.backbone.layer(layer, hidden, mask)
                times.append(perf_counter())
                state = model.backbone.state(hidden, mask)
                outputs, carry = model.exits.forward_exit(layer, state, model.backbone, carry)
                times.append(perf_counter())
                scorer.test(np.array([0]), layer, [outputs], NEVER)
                times.append(perf_counter())
                if turn >= 0:
                    for part, time in zip(("layer", "exit", "decision"), np.diff(times), strict=True):
                        seconds[part].append(time)
    frame = pd.DataFrame(
        [(part, *(1e6 * np.quantile(times, (0.5, 0.95)))) for part, times in seconds.items()],
        columns=["part", "microseconds", "p95"],
    )
    return frame.assign(share=100 * frame["microseconds"] / frame["microseconds"].iloc[0])
