"""Published runs: the outputs of every exit without weights or text, small enough to be kept beside the code.

A folder `published/<collection>` holds `<backbone>/<task>/labels.npz`, the labels and example numbers of every split,
and one `<name>-seed<n>.npz` per run. Publishing a run adds a file and changes none, so that the history of the
repository grows only by the new run. Logits are float16: every published number is computed from these stored values,
by the same functions as from a run that has just been trained, and is therefore exactly reproducible. Needs no torch.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosee.errors import InputError
from cosee.evaluation.outputs import ExitOutputs, load_outputs, save_outputs
from cosee.io import load_arrays, read_frame, save_arrays, write_frame, write_json
from cosee.runs.stored import read_run

LABELS = "labels.npz"
"""File of the labels and example numbers that all runs of a task share."""

HISTORY = ("step", "epoch", "mean_ce")
"""Published columns of a run's history: those that training curves show."""

Arrays = Mapping[str, NDArray[Any]]


class PublishedRun(NamedTuple):
    """Identity and file of a published run."""

    backbone: str
    task: str
    name: str
    seed: int
    file: Path


def published_runs(collection: str | Path) -> list[PublishedRun]:
    """Every run of a collection, by backbone, task, name and seed.

    Raises:
        InputError: the folder holds no published run.
    """
    runs = sorted(_runs(Path(collection)))
    if not runs:
        raise InputError(f"{collection}: holds no published runs; expected <backbone>/<task>/<name>-seed<n>.npz.")
    return runs


def published_files(collection: str | Path) -> dict[tuple[str, str, str, int], str]:
    """Backbone, task, name and seed of every run of a collection -> its file."""
    return {run[:4]: str(run.file) for run in published_runs(collection)}


def _runs(collection: Path) -> Iterator[PublishedRun]:
    for file in collection.glob("*/*/*-seed*.npz"):
        name, _, seed = file.stem.rpartition("-seed")
        yield PublishedRun(file.parts[-3], file.parts[-2], name, int(seed), file)


def publish(run: str | Path, collection: str | Path) -> Path:
    """Add a finished run to a collection, replacing an earlier one of the same name and seed.

    Args:
        run: folder of the run; its splits with labels are published.
        collection: folder `published/<collection>`.

    Returns:
        The file that was written.

    Raises:
        InputError: the folder holds no finished run, its training diverged, or its examples are not those of the runs
            that are published for the task.
    """
    run, facts = Path(run), read_run(run)
    identity = facts["run"]
    folder = Path(collection) / identity["backbone"] / identity["task"]
    arrays: dict[str, NDArray[Any]] = {}
    labels: dict[str, NDArray[Any]] = {}
    for file in sorted(run.glob("logits-*.npz")):
        split, outputs = file.stem.removeprefix("logits-"), load_outputs(file)
        examples = split.partition("@")[0]  # of logits-<split>@<rule>.npz, outputs for another exit rule
        if examples == "fit" or (outputs.labels < 0).any():  # too many examples; no labels to compare with
            continue
        if not np.isfinite(outputs.logits).all():
            raise InputError(f"{file}: the training diverged; a run without finite logits is not published.")
        labels |= {
            f"labels-{examples}": outputs.labels.astype(np.int8),
            f"idx-{examples}": outputs.idx.astype(np.int32),
        }
        if outputs.steps is not None:
            labels[f"steps-{examples}"] = outputs.steps.astype(np.int8)
        arrays[f"logits-{split}"] = outputs.logits.astype(np.float16)
        arrays[f"exit_costs-{split}"] = np.asarray(outputs.exit_costs)
        arrays |= {"exit_depths": np.asarray(outputs.exit_depths), "num_layers": np.asarray(outputs.num_layers)}
        if outputs.learned_scores is not None:
            arrays[f"learned_scores-{split}"] = outputs.learned_scores.astype(np.float16)
    if not arrays:
        raise InputError(f"{run}: no split with labels among its logits; expected logits-dev.npz.")
    _share_labels(folder / LABELS, labels)
    history = read_frame(run / "history.csv", HISTORY)
    arrays |= {f"history-{column}": history[column].to_numpy(np.float32) for column in HISTORY}
    file = folder / f"{identity['name']}-seed{identity['seed']}.npz"
    save_arrays(file, arrays | {"run": np.asarray(json.dumps(facts))})
    return file


def _share_labels(file: Path, labels: Arrays) -> None:
    """Write the labels of a task's splits, or check that they equal those of the published runs.

    Raises:
        InputError: the examples or their order differ from those published for the task.
    """
    known = load_arrays(file) if file.is_file() else {}
    for name, values in labels.items():
        if name in known and not np.array_equal(known[name], values):
            raise InputError(
                f"{file}: the run's {name} differ from those published; it was evaluated on other examples and "
                "belongs in another collection."
            )
    if labels.keys() - known.keys():
        save_arrays(file, {**known, **labels})


def published_outputs(run: PublishedRun) -> dict[str, ExitOutputs]:
    """Split -> the outputs of a published run, logits as float32; `split@rule` for another exit rule's checkpoint.

    Raises:
        InputError: the file or the labels of its task are missing or damaged.
    """
    arrays, labels = load_arrays(run.file), load_arrays(run.file.parent / LABELS)
    splits = [name.removeprefix("logits-") for name in arrays if name.startswith("logits-")]
    try:
        return {split: _outputs(arrays, labels, split) for split in splits}
    except KeyError as error:
        raise InputError(f"{run.file}: lacks {error}; fetch the published runs again.") from error


def _outputs(arrays: Arrays, labels: Arrays, split: str) -> ExitOutputs:
    learned, examples = arrays.get(f"learned_scores-{split}"), split.partition("@")[0]
    steps = labels.get(f"steps-{examples}")
    return ExitOutputs(
        logits=arrays[f"logits-{split}"].astype(np.float32),
        labels=labels[f"labels-{examples}"].astype(np.int64),
        idx=labels[f"idx-{examples}"].astype(np.int64),
        num_layers=int(arrays["num_layers"]),
        exit_depths=tuple(arrays["exit_depths"].tolist()),
        exit_costs=tuple(arrays[f"exit_costs-{split}"].tolist()),
        learned_scores=None if learned is None else learned.astype(np.float32),
        steps=None if steps is None else steps.astype(np.int64),
    )


def published_facts(run: PublishedRun) -> dict[str, Any]:
    """Contents of `run.json` of a published run: settings, training, hardware, versions, commit."""
    return json.loads(str(load_arrays(run.file)["run"]))


def unpack(run: PublishedRun, folder: str | Path, rules: Iterable[str] = ()) -> None:
    """Write a published run as the folder of a finished training, but without weights.

    Curves, tables and figures can then be made from it like from any run.

    Args:
        run: the published run.
        folder: the folder to write.
        rules: other exit rules that read its outputs; one for which the run has published none gets those of the run's
            own checkpoint.

    Raises:
        InputError: the file or the labels of its task are missing or damaged.
    """
    folder, arrays = Path(folder), load_arrays(run.file)
    published = published_outputs(run)
    for split in [split for split in published if "@" not in split]:
        published |= {f"{split}@{rule}": published.get(f"{split}@{rule}", published[split]) for rule in rules}
    for split, outputs in published.items():
        save_outputs(folder / f"logits-{split}.npz", outputs)
    history = {column: arrays[f"history-{column}"] for column in HISTORY}
    write_frame(folder / "history.csv", pd.DataFrame(history).astype({"step": int, "epoch": int}))
    write_json(folder / "run.json", published_facts(run))  # last: it says that the run is finished
