"""What a preset costs on this machine, from short trainings of its own methods on its own rows.

To train every method on every task for some steps would take hours where that is slow. So one kind of model is timed on
every task, every other kind on its largest, and where a kind was not timed the tasks are taken to be apart by as much
as they are for the first.
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
from cosee.plan.cost import Passes, passes
from cosee.plan.runs import Run, final_runs, task_training
from cosee.plan.search import grid_runs
from cosee.seeds import numpy_generator
from cosee.training.loop import train
from cosee.training.settings import TrainingSettings

REPEATS = 2
"""Timings of each kind, the fastest of which counts: others were disturbed, or loaded what a GPU computes with."""


class Kind(NamedTuple):
    """Runs that are taken to cost the same per row: of other hyper-parameters, signals and seeds the first is timed.

    Attributes:
        variant: key in `variants`.
        depth: of a model of the first layers; None: all of them.
        batch_size: of a grid or of the variant; None: the one that runs on a task have.
    """

    variant: str
    depth: int | None
    batch_size: int | None


class Pace(NamedTuple):
    """Seconds per row: forward, backward and the optimizer's share; forward alone."""

    training: float
    prediction: float


Cell = tuple[Kind, str]
"""A kind and a task that it is trained on."""


def cell_of(config: Configuration, run: Run) -> Cell:
    """The kind that a run is of, and its task."""
    size = run.training["batch_size"]
    usual = task_training(config, run.task)["batch_size"]
    return Kind(run.variant, run.settings.get("depth"), None if size == usual else size), run.task


def measure_cost(
    config: Configuration,
    tokens_of: Callable[[str, str], Mapping[str, TokenSplit]],
    folder_of: Callable[[str], Path],
    device: torch.device,
    say: Callable[[str], None] = lambda line: None,
) -> pd.DataFrame:
    """Hours that all runs of a configuration take, one at a time, data, start-up and evaluation apart.

    Args:
        config: the configuration; its `cost.steps` says how long a training is timed.
        tokens_of: backbone, task -> token ids of every split.
        folder_of: backbone -> encoder folder.
        device: where to compute.
        say: told of every timing.

    Returns:
        A row per backbone, task and kind: backbone, task, variant, depth (NaN: all layers), batch_size (NaN: that of
        the task), trainings, rows_trained and rows_predicted (each as often as it is visited, all runs together),
        training_ms and prediction_ms (per row), timed (False: estimated, see above), hours.
    """
    lines = []
    every = [*final_runs(config), *grid_runs(config)]
    for backbone in dict.fromkeys(run.backbone for run in every):
        runs: dict[Cell, list[Run]] = {}
        for run in every:
            if run.backbone == backbone:
                runs.setdefault(cell_of(config, run), []).append(run)
        counts = {cell: [passes(config, run) for run in alike] for cell, alike in runs.items()}
        rows = {cell: sum(count.trained for count in counted) for cell, counted in counts.items()}
        common, paces = most_widespread(rows), {}
        for kind, task in cells_to_time(rows, common):
            run = runs[kind, task][0]
            fit = tokens_of(backbone, task)["fit"]
            paces[kind, task] = pace(run, fit, folder_of(backbone), device, config.cost.steps)
            speed = 1 / paces[kind, task].training
            size = run.training["batch_size"]
            say(f"{backbone}, {task}, {run.name}, batches of {size}: {speed:.1f} rows a second in training")
        for (kind, task), counted in counts.items():
            each, total = estimated(paces, rows, common, kind, task), Passes(*map(sum, zip(*counted, strict=True)))
            hours = (total.trained * each.training + total.predicted * each.prediction) / 3600
            lines.append(
                {"backbone": backbone, "task": task, **kind._asdict(), "trainings": len(counted)}
                | {"rows_trained": total.trained, "rows_predicted": total.predicted}
                | {"training_ms": 1000 * each.training, "prediction_ms": 1000 * each.prediction}
                | {"timed": (kind, task) in paces, "hours": hours}
            )
    return pd.DataFrame(lines)


def most_widespread(rows: Mapping[Cell, int]) -> Kind:
    """The kind that is trained on most tasks; of several the first."""
    return Counter(kind for kind, _ in rows).most_common(1)[0][0]


def cells_to_time(rows: Mapping[Cell, int], common: Kind) -> list[Cell]:
    """Which kinds are timed on which tasks, by the rows that are trained on: few of all, but every kind and every task.

    The most widespread kind is timed on all of its tasks, each other one on the largest of these; where tasks lie
    outside of them, on those too.
    """
    anchored = {task for kind, task in rows if kind == common}
    return [
        (kind, task)
        for kind, task in rows
        if kind == common or task not in anchored or task == largest_task(rows, common, kind)
    ]


def largest_task(rows: Mapping[Cell, int], common: Kind, kind: Kind) -> str:
    """The task on which a kind trains on most rows, of those that the most widespread kind has too, if there is one."""
    tasks = [task for each, task in rows if each == kind]
    shared = [task for task in tasks if (common, task) in rows]
    return max(shared or tasks, key=lambda task: rows[kind, task])


def estimated(paces: Mapping[Cell, Pace], rows: Mapping[Cell, int], common: Kind, kind: Kind, task: str) -> Pace:
    """The measured pace of a kind on a task; else that on its largest, by the quotient of both for `common`."""
    if (kind, task) in paces:
        return paces[kind, task]
    largest = largest_task(rows, common, kind)
    parts = zip(paces[kind, largest], paces[common, task], paces[common, largest], strict=True)
    return Pace(*(own * there / here for own, there, here in parts))


def pace(run: Run, fit: TokenSplit, backbone: Path, device: torch.device, steps: int) -> Pace:
    """Time a training of all epochs and stages on few rows, and the prediction of these rows.

    Args:
        run: what is trained.
        fit: rows, of which as many as are needed are taken.
        backbone: encoder folder.
        device: where to compute.
        steps: optimizer steps, about.
    """
    settings = replace(TrainingSettings(**run.training), checkpoint="last", save_minutes=1e9)
    batches = -(-steps // settings.epochs)
    chosen = typical_rows(fit.lengths, settings.batch_size, batches, numpy_generator(run.seed, "cost"))
    rows, one = DeviceSplit(fit.take(chosen), device), DeviceSplit(fit.take(chosen[:1]), device)
    method = make_method(run.method, run.settings)
    training, prediction = [], []
    for _ in range(REPEATS):
        model = method.build(backbone_of_run(backbone, run.seed), TASKS[run.task].num_classes, run.seed).to(device)
        with TemporaryDirectory() as nowhere:
            _, facts, _ = train(
                model,
                stages=method.stages(),
                objective=lambda schedule: method.objective(schedule, run.seed, device),
                fit=rows,
                sel=one,
                settings=settings,
                seed=run.seed,
                select=lambda outputs: {run.rule: 0.0},
                state_file=Path(nowhere) / "state.safetensors",
                fingerprint="timed",
            )
        training.append(facts["seconds"] / (settings.epochs * len(rows)))
        began = perf_counter()
        predict(model, rows, settings.eval_batch_size)  # brings its answers to the host: nothing is left to wait for
        prediction.append((perf_counter() - began) / len(rows))
    return Pace(min(training), min(prediction))


def typical_rows(lengths: np.ndarray, batch_size: int, batches: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of so many of an epoch's batches, from the shortest to the longest, evenly spread.

    A few rows drawn at random would share batches with rows of other lengths, and be padded as they never are.
    """
    order = sorted(training_order(lengths, batch_size, rng), key=lambda batch: lengths[batch].mean())
    count = min(batches, len(order))
    middles = (np.arange(count) + 0.5) * len(order) / count
    return np.concatenate([order[int(place)] for place in middles])
