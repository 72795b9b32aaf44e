"""Disk space of a preset: the runs that keep their weights, and the size of what all runs leave behind."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cosee.data.tasks import TASKS
from cosee.plan.configuration import Configuration
from cosee.plan.cost import split_rows
from cosee.plan.curves import evaluated_splits
from cosee.plan.runs import Run, final_runs, predicted_splits, timed_run

ALL = "all"
"""Stands for every variant in `keep_weights`."""

CHOSEN_ON = ("fit", "sel", "cal")
"""Splits without trade-off curves."""
CURVE_BYTES = 160_000
"""Results of one run, split and exit rule as CSV: at most 500 operating points, and distributions; a round figure."""
STEP_BYTES = 130
"""One row of `history.csv`."""


class Disk(NamedTuple):
    """Space of results in bytes: all but weights; the weights that are kept, of how many runs (None: not known yet)."""

    results: int
    weights: int | None
    kept: int


def runs_with_weights(config: Configuration) -> set[tuple[str, str, str, int]]:
    """Keys of the final runs whose weights are kept: those that `latency` times or `keep_weights` lists."""
    kept = set(config.keep_weights)
    timed = timed_run(config)
    keys = {run.key for run in final_runs(config) if ALL in kept or run.variant in kept}
    return keys | ({timed.key} if timed is not None else set())


def disk_space(config: Configuration, runs: Iterable[Run], folder: Path) -> Disk:
    """Space that the results of runs take, estimated from numbers of examples, exits and encoders.

    Args:
        config: the configuration.
        runs: trainings, of grid search and final ones.
        folder: the working directory, where encoders are that are there already.
    """
    rows = {task: split_rows(config, task) for task in dict.fromkeys(run.task for run in runs)}
    kept, results, sizes = runs_with_weights(config), 0, []
    for run in runs:
        layers = config.backbones[run.backbone].layers
        exits = 1 if config.variants[run.variant].is_static else layers
        splits = predicted_splits(run, config)
        examples = sum(rows[run.task][split] for split in splits)
        logits = 4 * examples * exits * TASKS[run.task].num_classes * len(run.rules)
        shown = [split for split in evaluated_splits(run, config) if split not in CHOSEN_ON]
        curves = 0 if run.point else CURVE_BYTES * len(run.rules) * len(shown)
        steps = run.training["epochs"] * rows[run.task]["fit"] / run.training["batch_size"]
        results += round(logits + curves + STEP_BYTES * steps)
        if run.point is None and run.key in kept:
            weights = folder / "resources/backbones" / run.backbone / "model.safetensors"
            depth = run.settings.get("depth") or layers
            sizes.append(weights.stat().st_size * depth / layers if weights.is_file() else None)
    return Disk(results, None if None in sizes else round(sum(sizes)), len(sizes))


def disk_sentence(space: Disk) -> str:
    """Disk space in words, for the announcement of a start."""
    runs = "1 run" if space.kept == 1 else f"{space.kept} runs"
    if not space.kept:
        return f"disk: about {size(space.results)}; no weights are kept (`keep_weights`)"
    weights = "of the size of their encoders" if space.weights is None else f"about {size(space.weights)}"
    return f"disk: about {size(space.results)}, and the weights of {runs} ({weights}; `keep_weights`)"


def size(count: float) -> str:
    """Bytes in words, no more exactly than they are known."""
    return f"{max(count / 1e6, 1):.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"
