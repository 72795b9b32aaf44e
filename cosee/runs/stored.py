"""A finished run as its folder tells it: what was trained, and the outputs that it left behind. Needs no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cosee.errors import InputError
from cosee.evaluation.frames import RunId
from cosee.evaluation.outputs import ExitOutputs, load_outputs
from cosee.io import read_json


def read_run(folder: str | Path) -> dict[str, Any]:
    """What `run.json` says of a run.

    Raises:
        InputError: the file is missing, damaged or of another kind.
    """
    file = Path(folder) / "run.json"
    facts = read_json(file)
    if not {"run", "method", "selection_split"} <= set(facts):
        raise InputError(f"{file}: describes no run; expected the folder of a finished training.")
    return facts


def run_id(facts: Mapping[str, Any]) -> RunId:
    """Who was trained, from what `read_run` gave."""
    run = facts["run"]
    return RunId(run["task"], run["backbone"], run["variant"], run["seed"], run["name"])


def stored_predictions(folder: str | Path, split: str, rule: str | None = None) -> ExitOutputs:
    """Outputs of all exits for a split, as the run left them: of the checkpoint that an exit rule has chosen.

    That is the checkpoint of the run's own rule, unless the run has kept one for `rule`.

    Raises:
        InputError: the run has not predicted this split (names those that it has), or the file is damaged.
    """
    file = Path(folder) / f"logits-{split}@{rule}.npz"
    if not file.is_file():
        file = Path(folder) / f"logits-{split}.npz"
    if not file.is_file():
        names = [path.stem.removeprefix("logits-") for path in Path(folder).glob("logits-*.npz")]
        there = sorted({name.partition("@")[0] for name in names})
        raise InputError(f"{folder}: no predictions of the split {split!r}; the run has {', '.join(there) or 'none'}.")
    return load_outputs(file)
