"""Finished runs read from their folders: the description of the training, and the stored outputs. Needs no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.evaluation.frames import RunId
from cosee.evaluation.outputs import ExitOutputs, load_outputs
from cosee.io import read_json

IDENTITY = ("task", "backbone", "variant", "seed", "name")
"""What tells runs apart, in the section `run` of run.json."""


def read_run(folder: str | Path) -> dict[str, Any]:
    """Contents of `run.json` of a run.

    Raises:
        InputError: the file is missing, damaged or of another kind.
    """
    file = Path(folder) / "run.json"
    facts = read_json(file)
    kinds = {"run": Mapping, "method": Mapping, "selection_split": str}
    if not all(isinstance(facts.get(key), kind) for key, kind in kinds.items()) or not set(IDENTITY) <= set(
        facts["run"]
    ):
        raise InputError(f"{file}: describes no run; expected the folder of a finished training.")
    if facts["run"]["task"] not in TASKS:
        raise InputError(f"{file}: the task {facts['run']['task']!r} is unknown; expected one of {', '.join(TASKS)}.")
    return facts


def run_id(facts: Mapping[str, Any]) -> RunId:
    """Identity of a run, from the result of `read_run`."""
    run = facts["run"]
    return RunId(run["task"], run["backbone"], run["variant"], run["seed"], run["name"])


def stored_predictions(folder: str | Path, split: str, rule: str | None = None) -> ExitOutputs:
    """Stored outputs of all exits for a split.

    They are those of the checkpoint of the run's own exit rule, unless the run has kept one for `rule`.

    Raises:
        InputError: the run has not predicted this split (names those that it has), or the file is damaged.
    """
    file = Path(folder) / f"logits-{split}@{rule}.npz"
    if not file.is_file():
        file = Path(folder) / f"logits-{split}.npz"
    if not file.is_file():
        names = [path.stem.removeprefix("logits-") for path in Path(folder).glob("logits-*.npz")]
        available = sorted({name.partition("@")[0] for name in names})
        raise InputError(
            f"{folder}: no predictions of the split {split!r}; the run has {', '.join(available) or 'none'}."
        )
    return load_outputs(file)
