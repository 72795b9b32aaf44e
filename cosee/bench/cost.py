"""What a preset costs on this machine, from short trainings of its own methods on its own rows.

To train every method on every task for some steps would take hours where that is slow. So one kind of model is timed on
every task, every other kind on its largest, and where a kind was not timed the tasks are taken to be apart by as much
as they are for the first.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

import pandas as pd
import torch

from cosee.batches import DeviceSplit
from cosee.cost import Passes, passes
from cosee.methods import make_method
from cosee.plan import Run, final_runs, grid_runs
from cosee.prediction import predict
from cosee.seeds import numpy_generator
from cosee.tasks import TASKS
from cosee.tokens import TokenSplit
from cosee.training import TrainingSettings, train


class Kind(NamedTuple):
    """Runs that cost the same per row: grid point, signal and seed make no difference to it, or little."""

    variant: str
    depth: int | None


class Pace(NamedTuple):
    """Seconds per row: forward, backward and the optimizer's share; forward alone."""

    training: float
    prediction: float


def kind_of(run: Run) -> Kind:
    """The kind that a run is of."""
    return Kind(run.variant, run.settings.get("depth"))


def measure_cost(
    config: Mapping[str, Any],
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
        A row per backbone, task and kind: backbone, task, variant, depth (NaN: all layers), trainings, rows_trained and
        rows_predicted (each as often as it is visited, all runs together), training_ms and prediction_ms (per row),
        timed (False: estimated, see above), hours.
    """
    lines = []
    for backbone in config["backbones"]:
        finals = [run for run in final_runs(config) if run.backbone == backbone]
        every = [*finals, *(run for run in grid_runs(config) if run.backbone == backbone)]
        work: dict[tuple[Kind, str], list[Passes]] = {}
        for run in every:
            work.setdefault((kind_of(run), run.task), []).append(passes(config, run))
        rows = {cell: sum(each.trained for each in done) for cell, done in work.items()}
        chosen, paces = cells_to_time(rows), {}
        for run in finals:
            cell = kind_of(run), run.task
            if cell in chosen and cell not in paces:
                tokens = tokens_of(backbone, run.task)["fit"]
                paces[cell] = pace(run, tokens, folder_of(backbone), device, config["cost"]["steps"])
                say(f"{backbone}, {run.task}, {run.name}: {1 / paces[cell].training:.1f} rows a second in training")
        for (kind, task), done in work.items():
            each = estimated(paces, rows, kind, task)
            trained, predicted = (sum(column) for column in zip(*done, strict=True))
            lines.append(
                {"backbone": backbone, "task": task, "variant": kind.variant, "depth": kind.depth}
                | {"trainings": len(done), "rows_trained": trained, "rows_predicted": predicted}
                | {"training_ms": 1000 * each.training, "prediction_ms": 1000 * each.prediction}
                | {"timed": (kind, task) in paces}
                | {"hours": (trained * each.training + predicted * each.prediction) / 3600}
            )
    return pd.DataFrame(lines)


def cells_to_time(rows: Mapping[tuple[Kind, str], int]) -> set[tuple[Kind, str]]:
    """Which kinds are timed on which tasks, by the rows that are trained on: few of all, but every kind and every task.

    The most widespread kind is timed on all of its tasks, each other one on the largest of these; where tasks lie
    outside of them, on those too.
    """
    common = probe(rows)
    anchored = {task for kind, task in rows if kind == common}
    outside = {(kind, task) for kind, task in rows if task not in anchored}
    return {(common, task) for task in anchored} | {(kind, home(rows, kind)) for kind, _ in rows} | outside


def probe(rows: Iterable[tuple[Kind, str]]) -> Kind:
    """The kind that is trained on most tasks; of several the first."""
    return Counter(kind for kind, _ in rows).most_common(1)[0][0]


def home(rows: Mapping[tuple[Kind, str], int], kind: Kind) -> str:
    """The task on which a kind trains on most rows, of those that the most widespread kind has too, if there is one."""
    common = probe(rows)
    tasks = [task for each, task in rows if each == kind]
    shared = [task for task in tasks if (common, task) in rows]
    return max(shared or tasks, key=lambda task: rows[kind, task])


def estimated(
    paces: Mapping[tuple[Kind, str], Pace], rows: Mapping[tuple[Kind, str], int], kind: Kind, task: str
) -> Pace:
    """The measured pace of a kind on a task; else that on its home, by the quotient of both tasks for the probe."""
    if (kind, task) in paces:
        return paces[kind, task]
    common, at_home = probe(rows), home(rows, kind)
    parts = zip(paces[kind, at_home], paces[common, task], paces[common, at_home], strict=True)
    return Pace(*(own * there / here for own, there, here in parts))


def pace(run: Run, fit: TokenSplit, backbone: Path, device: torch.device, steps: int) -> Pace:
    """Time a training of some steps with all stages of its method, and the prediction of the rows that it saw.

    Both are done twice, and the second time counts: in the first a GPU loads what it computes with.

    Args:
        run: what is trained.
        fit: rows, of which as many as are needed are drawn.
        backbone: encoder folder.
        device: where to compute.
        steps: optimizer steps, at least; the last epoch is whole.
    """
    batch_size = run.training["batch_size"]
    drawn = numpy_generator(run.seed, "cost").permutation(len(fit))[: steps * batch_size]
    epochs = -(-steps * batch_size // len(drawn))
    rows, first = DeviceSplit(fit.take(drawn), device), DeviceSplit(fit.take(drawn[:1]), device)
    changes = {"epochs": epochs, "checkpoint": "last", "save_minutes": 1e9}
    settings = replace(TrainingSettings(**run.training), **changes)
    method = make_method(run.method, run.settings)
    with TemporaryDirectory() as nowhere:
        for _ in range(2):
            model = method.build(str(backbone), TASKS[run.task].num_classes, run.seed).to(device)
            _, facts = train(
                model,
                method.stages(),
                lambda schedule: method.objective(schedule, run.seed, device),
                rows,
                first,
                settings,
                run.seed,
                lambda outputs: 0.0,
                Path(nowhere) / "state.safetensors",
                "timed",
            )
    for _ in range(2):
        began = perf_counter()
        predict(model, rows, settings.eval_batch_size)  # brings its answers to the host: nothing is left to wait for
        seconds = perf_counter() - began
    return Pace(facts["seconds"] / (epochs * len(rows)), seconds / len(rows))
