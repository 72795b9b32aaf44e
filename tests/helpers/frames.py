"""Small result frames for tests of tables and figures, in the columns that the workflow writes."""

import numpy as np
import pandas as pd

from cosee.data.tasks import TASKS

LABELS = {
    "backbone": "BERT-base",
    "half": "BERT-6L",
    "vanilla": "w/o OSC & SWM",
    "wo_osc": "w/o OSC",
    "cosee": "COSEE",
}

_LEVEL = {"rte": 0.67, "mrpc": 0.86, "qqp": 0.90, "sst2": 0.925, "qnli": 0.90, "mnli": 0.84}
_GAIN = {"vanilla": 0.0, "wo_osc": 0.35, "wo_swm": 0.2, "cosee": 0.6}


COST = 1.01  # of a layer with its exit


def _identity(task, variant, seed, split="dev", backbone="bert", exit_rule="energy", model=None):
    identity = {
        "task": task,
        "backbone": backbone,
        "variant": variant,
        "exit_rule": exit_rule,
        "seed": seed,
        "split": split,
    }
    return identity | {"model": model or variant}


def _score(task, variant, speedup, rng):
    """A score that falls with the speed-up, less so for the better variants, with some noise of the seed."""
    chance = 1 / TASKS[task].num_classes
    drop = (1 - _GAIN.get(variant, 0.1)) * 0.5 * ((np.asarray(speedup) - 1) / 5) ** 1.8
    return chance + (_LEVEL[task] - chance) * (1 - drop) + rng.normal(0, 0.003)


def _metrics(task, score):
    f1 = score + 0.02 if "f1" in TASKS[task].metrics else np.nan
    accuracy = score - 0.02 if "f1" in TASKS[task].metrics else score
    return {"score": score, "accuracy": accuracy, "f1": f1}


def tradeoff(
    tasks=("sst2",), variants=("vanilla", "cosee"), seeds=(1, 2, 3), num_layers=12, controls=True, exit_rule="energy"
):
    rows = []
    for task in tasks:
        for seed in seeds:
            rng = np.random.default_rng([seed, list(TASKS).index(task)])
            for variant in (*variants, *(("random", "oracle", "static") if controls else ())):
                layers = np.sort(rng.uniform(1, num_layers, 60))
                layers[[0, -1]] = 1, num_layers
                if variant == "static":
                    layers = np.arange(1.0, num_layers + 1)
                if variant == "oracle":
                    layers = np.linspace(1.6, num_layers, num_layers)
                for layer in layers:
                    speedup = num_layers / layer
                    score = float(
                        _score(
                            task, variant, min(speedup, 6), rng if variant in variants else np.random.default_rng(seed)
                        )
                    )
                    if variant == "oracle":
                        score = _LEVEL[task] + 0.06 * (1 - layer / num_layers)
                    if variant == "random":
                        score -= 0.02 * (speedup > 1.05)
                    point = {"threshold": np.nan if variant == "static" else layer / 50, "mean_exit_layer": layer}
                    speeds = {"speedup": speedup, "speedup_flops": speedup / COST}
                    model = f"static-{layer:g}" if variant == "static" else variant
                    identity = _identity(task, variant, seed, exit_rule=exit_rule, model=model)
                    first = np.nan if variant == "static" else 1 / TASKS[task].num_classes
                    rows.append(identity | point | speeds | _metrics(task, score) | {"first_exit_score": first})
    return pd.DataFrame(rows)


def targets(
    tasks=tuple(TASKS), variants=("vanilla", "wo_osc", "cosee"), seeds=(1, 2, 3), backbone="bert", aims=(1.5, 2.0)
):
    rows = []
    for task in tasks:
        for seed in seeds:
            rng = np.random.default_rng([seed, list(TASKS).index(task)])
            for split in TASKS[task].eval_splits:
                for variant, speedup in (("backbone", 1.0), ("half", 2.0)):
                    point = {"target_speedup": np.nan, "threshold": np.nan, "speedup": speedup}
                    point |= {"speedup_flops": speedup / COST, "adjustable": False}
                    scores = _metrics(task, float(_score(task, variant, speedup, rng)))
                    rows.append(_identity(task, variant, seed, split, backbone, "none") | point | scores)
                for variant in variants:
                    for aim in aims:
                        speedup = aim + rng.normal(0, 0.05)
                        point = {"target_speedup": aim, "threshold": 0.01 * aim, "speedup": speedup}
                        point |= {"speedup_flops": speedup / COST, "adjustable": True}
                        scores = _metrics(task, float(_score(task, variant, speedup, rng)))
                        rows.append(_identity(task, variant, seed, split, backbone) | point | scores)
    return pd.DataFrame(rows)


def dis(tasks=("sst2", "qnli"), variants=("vanilla", "wo_osc", "cosee"), seeds=(1, 2, 3), num_layers=12):
    rows = []
    for task in tasks:
        for seed in seeds:
            rng = np.random.default_rng([seed, list(TASKS).index(task)])
            for variant in variants:
                for layer in range(1, num_layers):
                    value = 60 + 25 * (layer / num_layers) ** 0.5 + 5 * _GAIN[variant] + rng.normal(0, 0.7)
                    point = {"layer": layer, "dis": value, "dis_strict": value - 1, "num_easy": 800, "num_hard": 72}
                    rows.append(_identity(task, variant, seed) | point)
    return pd.DataFrame(rows)


def histogram(
    task="sst2", seeds=(1, 2, 3), num_layers=12, splits=("fit", "dev"), points=((1.5, 0.01), (2.0, 0.02), (4.0, 0.08))
):
    rows = []
    layers = np.arange(1, num_layers + 1)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        for split in splits:
            size = 20000 if split == "fit" else 800
            for aim, threshold in points:
                center = num_layers / (2.0 if np.isnan(aim) else aim)
                share = np.exp(-0.5 * ((layers - center) / (0.2 * num_layers)) ** 2) + 0.02
                share[-1] += 0.5 / (1 if np.isnan(aim) else aim)
                counts = [rng.multinomial(size, share / share.sum()) for _ in TASKS[task].classes]
                speedup = num_layers * np.sum(counts) / (np.array(counts) @ layers).sum()
                for label, of_class in zip(TASKS[task].classes, counts, strict=True):
                    for layer, count in zip(layers, of_class, strict=True):
                        point = {
                            "threshold": threshold + (0 if np.isnan(aim) else 0.0005 * seed),
                            "target_speedup": aim,
                            "layer": layer,
                        }
                        point |= {"label": label, "count": count, "speedup": speedup}
                        rows.append(_identity(task, "cosee", seed, split) | point)
    return pd.DataFrame(rows)


def density(seeds=(1, 2, 3), num_layers=12, bins=60):
    frames = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        for layer in range(1, num_layers + 1):
            raw = -1 - 5 * layer / num_layers + rng.normal(0, 0.3 + layer / num_layers, 800)
            for kind, values, span in (("raw", raw, (-10, 1)), ("normalized", 1 / (1 + np.exp(-raw)), (0, 1))):
                heights, edges = np.histogram(values, bins, span, density=True)
                columns = {
                    "layer": layer,
                    "kind": kind,
                    "bin_left": edges[:-1],
                    "bin_right": edges[1:],
                    "density": heights,
                }
                frames.append(pd.DataFrame(_identity("sst2", "cosee", seed) | columns))
    return pd.concat(frames, ignore_index=True)


def history(tasks=("sst2", "qnli"), variants=("vanilla", "wo_osc", "cosee"), seeds=(1, 2, 3), steps=600):
    frames = []
    step = np.arange(1, steps + 1)
    for task in tasks:
        for seed in seeds:
            rng = np.random.default_rng(seed)
            for variant in variants:
                loss = 0.2 + 0.5 * np.exp(-step / (60 + 60 * (1 - _GAIN[variant]))) + rng.normal(0, 0.06, steps)
                frames.append(
                    pd.DataFrame(_identity(task, variant, seed) | {"step": step, "loss": loss + 0.1, "mean_ce": loss})
                )
    return pd.concat(frames, ignore_index=True)


def timings(num_layers=12, batch_sizes=(1, 8), rows=16, rounds=3, layer=0.002, embed=0.001, test=0.0001):
    """Timings that follow a formula: an embedding, then layers, with a test each; every round is slower than before."""
    rng = np.random.default_rng(0)
    points = [("whole", np.nan, np.nan), ("tests", np.nan, np.nan), ("early", 1.5, 0.1), ("early", 3.0, 0.2)]
    lines = []
    for size in batch_sizes:
        for contender, target, threshold in points:
            exits = (
                rng.integers(1, 2 * num_layers / target, rows) if contender == "early" else np.full(rows, num_layers)
            )
            for batch, begin in enumerate(range(0, rows, size)):
                of_batch = exits[begin : begin + size]
                work = of_batch.sum() * (layer + test * (contender != "whole")) + embed * len(of_batch)
                for turn in range(rounds):
                    line = {"batch_size": size, "contender": contender, "target_speedup": target}
                    line |= {"threshold": threshold, "batch": batch, "round": turn, "rows": len(of_batch)}
                    line |= {"num_layers": num_layers, "layers": of_batch.sum(), "seconds": work * (1 + turn)}
                    lines.append(line | {"hardware": "Abacus 1", "threads": 1})
    return pd.DataFrame(lines)
