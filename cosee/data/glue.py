"""Examples of the tasks by the source's own splits: from the hub, or from a local copy in its layout; and their check.

Generated examples (`cosee.synthetic`) have the same form.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cosee.data.tasks import Task
from cosee.errors import InputError
from cosee.io import read_frame


def hub_rows(task: Task, repository: str, revision: str) -> dict[str, pd.DataFrame]:
    """Examples of a task from the Hugging Face hub at a pinned revision, by the hub's split names.

    Args:
        task: the task; one with a repository of its own is read from there.
        repository: data set on the hub, with a configuration for each task.
        revision: commit of the repository.

    Raises:
        InputError: the hub cannot be reached or does not have the data set.
    """
    import datasets  # slow to import, and only this source needs it

    place, subset = (repository, revision), (task.name,)
    if task.repository is not None:
        place, subset = (task.repository, task.revision or "main"), ()
    try:
        loaded = datasets.load_dataset(place[0], *subset, revision=place[1])
    except Exception as error:  # the hub client raises a dozen kinds; all mean the same to the reader
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"data: cannot load {task.name} from {place[0]} at {place[1][:12]} ({reason}); "
            "check the network, or name a local copy with --config data_dir=FOLDER."
        ) from error
    return {split: rows.to_pandas() for split, rows in loaded.items()}


def local_rows(task: Task, folder: str | Path, where: str = "data_dir") -> dict[str, pd.DataFrame]:
    """Examples of a task from `<folder>/<task>/<split>-*.parquet`, the hub's layout.

    Splits without public labels may be missing. `where` names the origin of the folder's path in errors.

    Raises:
        InputError: the folder or a split that is needed is missing, or a file is corrupt.
    """
    folder = Path(folder) / task.name
    rows = {}
    for split in ("train", *task.eval_splits.values(), *task.test_splits.values()):
        shards = sorted(folder.glob(f"{split}-*.parquet"))
        if shards:
            rows[split] = pd.concat([read_frame(shard) for shard in shards], ignore_index=True)
        elif split not in task.test_splits.values():
            raise InputError(
                f"{where}: no file {folder / split}-*.parquet; "
                "expected the layout <folder>/<task>/<split>-00000-of-00001.parquet of nyu-mll/glue."
            )
    return rows


def check_rows(rows: Mapping[str, pd.DataFrame], task: Task, where: str) -> None:
    """Check splits, columns, texts, numbers and labels; labels of test splits are not used, whatever they are.

    Raises:
        InputError: a split or column is missing, a split is empty, a text is missing or none, an example number is no
            whole number, or a label is not one of the task's ids.
    """
    absent = [split for split in ("train", *task.eval_splits.values()) if split not in rows]
    if absent:
        raise InputError(f"{where}: {task.name} has no split {absent[0]}; it has {', '.join(rows) or 'none'}.")
    for split, frame in rows.items():
        missing = [column for column in (*task.columns, "label", "idx") if column not in frame.columns]
        if missing:
            raise InputError(
                f"{where}: split {split} of {task.name} lacks the column {missing[0]!r}; "
                f"expected {', '.join((*task.columns, 'label', 'idx'))}."
            )
        if frame.empty:
            raise InputError(f"{where}: split {split} of {task.name} has no rows.")
        for column in task.columns:
            if frame[column].isna().any():
                row = int(frame[column].isna().to_numpy().argmax())
                raise InputError(f"{where}: row {row} of split {split} of {task.name} has no text in {column!r}.")
            other = next((value for value in frame[column] if not isinstance(value, str)), None)
            if other is not None:
                raise InputError(
                    f"{where}: split {split} of {task.name} has {type(other).__name__} in {column!r}; expected text."
                )
            if not frame[column].str.strip().any():
                raise InputError(f"{where}: split {split} of {task.name} has only empty texts in {column!r}.")
        for column in ("idx", "difficulty", "steps"):
            _check_whole(frame.get(column), column, f"{where}: split {split} of {task.name}")
        allowed = list(range(task.num_classes))
        foreign = sorted({repr(label) for label in frame["label"].tolist() if not _is_one_of(label, allowed)})
        if foreign and split not in task.test_splits.values():
            raise InputError(
                f"{where}: split {split} of {task.name} holds the label {foreign[0]}; expected one of {allowed}."
            )


def _is_one_of(label: Any, allowed: list[int]) -> bool:
    return isinstance(label, int | float) and not isinstance(label, bool) and label in allowed


def _check_whole(values: pd.Series | None, column: str, where: str) -> None:
    """Check that a column, if there is one, holds whole numbers of 64 bits."""
    if values is None:
        return
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    good = np.isfinite(numbers) & (np.abs(numbers) < 2**53)
    if not (good & (numbers == np.floor(numbers))).all():
        row = int((~good | (numbers != np.floor(numbers))).argmax())
        raise InputError(f"{where}: row {row} has {values.iloc[row]!r} in {column!r}; expected a whole number.")
