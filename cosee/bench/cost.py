"""Cost of a preset on this machine, from short trainings of its own methods on its own examples.

Timing every variant on every task is too slow. The most common kind of run is timed on all tasks, the others on their
largest task only; the rest is extrapolated, assuming equal ratios between tasks.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from cosee.data.batches import DeviceSplit, training_order
from cosee.data.tasks import TASKS
from cosee.data.tokens import TokenSplit
from cosee.methods import make_method
from cosee.models.loading import backbone_of_run
from cosee.models.prediction import predict
from cosee.plan.configuration import Configuration
from cosee.plan.cost import ExampleCounts, example_counts
from cosee.plan.runs import Run, final_runs, task_training
from cosee.plan.search import grid_runs
from cosee.seeds import numpy_generator
from cosee.training.loop import train
from cosee.training.settings import TrainingSettings

REPEATS = 2
"""Timings of each kind, of which the fastest counts: slower ones were disturbed, or loaded GPU kernels."""


class RunKind(NamedTuple):
    """Kind of runs with equal cost per example: they differ in hyper-parameters, signal or seed; the first is timed.

    Attributes:
        variant: key in `variants`.
        depth: number of layers of a truncated model; None: all of them.
        batch_size: that of a grid or of the variant; None: the usual one of the task.
    """

    variant: str
    depth: int | None
    batch_size: int | None


class SecondsPerExample(NamedTuple):
    """Seconds per example: of training (forward, backward and a share of the optimizer step), and of prediction."""

    training: float
    prediction: float


KindOnTask = tuple[RunKind, str]
"""A kind of run and a task."""


def kind_and_task(config: Configuration, run: Run) -> KindOnTask:
    """Kind and task of a run."""
    size = run.training["batch_size"]
    usual = task_training(config, run.task)["batch_size"]
    return RunKind(run.variant, run.settings.get("depth"), None if size == usual else size), run.task


def measure_cost(
    config: Configuration,
    tokens_of: Callable[[str, str], Mapping[str, TokenSplit]],
    folder_of: Callable[[str], Path],
    device: torch.device,
    log: Callable[[str], None] = lambda line: None,
) -> pd.DataFrame:
    """Hours of all runs of a configuration, one at a time, without data preparation, start-up and evaluation.

    Args:
        config: the configuration; `cost.steps` is the number of steps per timed training.
        tokens_of: backbone, task -> token ids of every split.
        folder_of: backbone -> encoder folder.
        device: device of the computation.
        log: called with a line about every timing.

    Returns:
        A row per backbone, task and kind: backbone, task, variant, depth (NaN: all layers), batch_size (NaN: that of
        the task), trainings, rows_trained and rows_predicted (examples, counted at every visit, all runs together),
        training_ms and prediction_ms (per example), timed (False: extrapolated), hours.
    """
    lines = []
    every = [*final_runs(config), *grid_runs(config)]
    for backbone in dict.fromkeys(run.backbone for run in every):
        runs: dict[KindOnTask, list[Run]] = {}
        for run in every:
            if run.backbone == backbone:
                runs.setdefault(kind_and_task(config, run), []).append(run)
        counts = {pair: [example_counts(config, run) for run in alike] for pair, alike in runs.items()}
        trained = {pair: sum(count.trained for count in counted) for pair, counted in counts.items()}
        common, timings = most_common_kind(trained), {}
        for kind, task in pairs_to_time(trained, common):
            run = runs[kind, task][0]
            fit = tokens_of(backbone, task)["fit"]
            timings[kind, task] = time_run(run, fit, folder_of(backbone), device, config.cost.steps)
            speed = 1 / timings[kind, task].training
            size = run.training["batch_size"]
            log(f"{backbone}, {task}, {run.name}, batches of {size}: {speed:.1f} examples per second in training")
        for (kind, task), counted in counts.items():
            each = estimated(timings, trained, common, kind, task)
            total = ExampleCounts(*map(sum, zip(*counted, strict=True)))
            hours = (total.trained * each.training + total.predicted * each.prediction) / 3600
            lines.append(
                {"backbone": backbone, "task": task, **kind._asdict(), "trainings": len(counted)}
                | {"rows_trained": total.trained, "rows_predicted": total.predicted}
                | {"training_ms": 1000 * each.training, "prediction_ms": 1000 * each.prediction}
                | {"timed": (kind, task) in timings, "hours": hours}
            )
    return pd.DataFrame(lines)


def most_common_kind(trained: Mapping[KindOnTask, int]) -> RunKind:
    """The kind that is trained on most tasks, the first of several; `trained` counts examples, as below."""
    return Counter(kind for kind, _ in trained).most_common(1)[0][0]


def pairs_to_time(trained: Mapping[KindOnTask, int], common: RunKind) -> list[KindOnTask]:
    """A small set of pairs to time that includes every kind and every task.

    The most common kind is timed on all of its tasks, every other kind on the largest of these; tasks that the most
    common kind does not have are timed with every kind.

    Args:
        trained: number of training examples of every pair.
        common: the most common kind.
    """
    anchored = {task for kind, task in trained if kind == common}
    return [
        (kind, task)
        for kind, task in trained
        if kind == common or task not in anchored or task == largest_task(trained, common, kind)
    ]


def largest_task(trained: Mapping[KindOnTask, int], common: RunKind, kind: RunKind) -> str:
    """The task with most training examples of a kind, if possible among those that the most common kind has too."""
    tasks = [task for each, task in trained if each == kind]
    shared = [task for task in tasks if (common, task) in trained]
    return max(shared or tasks, key=lambda task: trained[kind, task])


def estimated(
    timings: Mapping[KindOnTask, SecondsPerExample],
    trained: Mapping[KindOnTask, int],
    common: RunKind,
    kind: RunKind,
    task: str,
) -> SecondsPerExample:
    """The timing of a kind on a task, or that on its largest task times the ratio of the two tasks for `common`."""
    if (kind, task) in timings:
        return timings[kind, task]
    largest = largest_task(trained, common, kind)
    parts = zip(timings[kind, largest], timings[common, task], timings[common, largest], strict=True)
    return SecondsPerExample(*(on_largest * numerator / denominator for on_largest, numerator, denominator in parts))


def time_run(run: Run, fit: TokenSplit, backbone: Path, device: torch.device, steps: int) -> SecondsPerExample:
    """Time a training of all epochs and stages on few examples, and the prediction of these examples.

    Args:
        run: the run.
        fit: examples, of which only as many as needed are used.
        backbone: encoder folder.
        device: device of the computation.
        steps: approximate number of optimizer steps.
    """
    settings = replace(TrainingSettings(**run.training), checkpoint="last", save_minutes=1e9)
    batches = -(-steps // settings.epochs)
    chosen = typical_examples(fit.lengths, settings.batch_size, batches, numpy_generator(run.seed, "cost"))
    rows, one = DeviceSplit(fit.take(chosen), device), DeviceSplit(fit.take(chosen[:1]), device)
    method = make_method(run.method, run.settings)
    training, prediction = [], []
    for _ in range(REPEATS):
        model = method.build(backbone_of_run(backbone, run.seed), TASKS[run.task].num_classes, run.seed).to(device)
        with TemporaryDirectory() as scratch:
            _, facts, _ = train(
                model,
                stages=method.stages(),
                objective=lambda schedule: method.objective(schedule, run.seed, device),
                fit=rows,
                sel=one,
                settings=settings,
                seed=run.seed,
                select=lambda outputs: {run.rule: 0.0},
                state_file=Path(scratch) / "state.safetensors",
                fingerprint="timed",
            )
        training.append(facts["seconds"] / (settings.epochs * len(rows)))
        began = perf_counter()
        predict(model, rows, settings.eval_batch_size)  # ends with a copy to the host, which synchronizes
        prediction.append((perf_counter() - began) / len(rows))
    return SecondsPerExample(min(training), min(prediction))


def typical_examples(lengths: np.ndarray, batch_size: int, batches: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of the examples of some of an epoch's batches, evenly spread from the shortest to the longest.

    A small random sample would form batches of very different lengths, with more padding than in training.
    """
    order = sorted(training_order(lengths, batch_size, rng), key=lambda batch: lengths[batch].mean())
    count = min(batches, len(order))
    middles = (np.arange(count) + 0.5) * len(order) / count
    return np.concatenate([order[int(middle)] for middle in middles])
