"""Examples of the tasks: from the hub, from a local copy in its layout, or generated; cut into fit, sel and dev.

Whatever the source, the result is one frame per task with the columns `split, text_a, text_b, label, idx, difficulty,
steps` (`text_b` is empty for single sentences; `difficulty`, and `steps`, the facts that an answer takes, are 0
where the source does not say).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from cosee.data.groups import connected_groups, hold_out_groups, hold_out_sentences, parent_sentences
from cosee.data.tasks import Task
from cosee.errors import InputError
from cosee.io import read_frame

COLUMNS = ("split", "text_a", "text_b", "label", "idx", "difficulty", "steps")
SELECTION_SPLIT = {"heldout": "sel", "field": "dev"}
"""Protocol -> the split on which hyper-parameters, checkpoint and thresholds are chosen."""
LARGEST_GROUP = (10, 0.01)
"""A group of more examples than this number and this share of the training examples is trained on, never held out."""


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


def _stratified(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of `count` examples with the classes in proportion (largest remainders), sorted."""
    if not count:
        return np.array([], dtype=np.int64)
    order = rng.permutation(len(labels))
    classes, sizes = np.unique(labels, return_counts=True)
    exact = sizes * count / len(labels)
    quota = np.floor(exact).astype(int)
    quota[np.argsort(-(exact - quota), kind="stable")[: count - quota.sum()]] += 1
    return np.sort(np.concatenate([order[labels[order] == c][:k] for c, k in zip(classes, quota, strict=True)]))


def cut_splits(
    rows: Mapping[str, pd.DataFrame],
    task: Task,
    protocol: Literal["heldout", "field"],
    sel_fraction: float = 0.1,
    sel_max: int = 2000,
    train_rows: int | None = None,
    seed: int = 1,
    held_rows: int = 0,
    grouped: bool = True,
    cal_max: int = 0,
) -> pd.DataFrame:
    """One frame with the splits fit, sel, held, cal, dev (dev_mm) and, where the source has it, test (test_mm).

    `heldout` cuts `sel` from the training examples; `field` trains on all of them and has no `sel`. `held` are further
    training examples on which nothing is trained or chosen. `cal`, on which thresholds are certified, is the split
    `calibration` of the source if it has one, and else cut from the training examples after the others, which stay as
    they are. No text of `sel`, `held` or `cal` occurs in `fit`: none is a phrase of a `fit` sentence or has a `fit`
    text as its phrase (SST-2), none shares its question, context sentence or premise (QNLI, MNLI), and none has a
    duplicate. Examples that would belong to two splits are dropped from all.

    Args:
        rows: the splits of the source.
        task: the task, which defines the texts that count as shared.
        protocol: "heldout" or "field".
        sel_fraction: share of the training examples (SST-2: of the whole sentences) that becomes `sel`.
        sel_max: largest number of `sel` examples; a group that reaches it is still held out whole.
        train_rows: largest number of `fit` examples, a stratified sample; None: all.
        seed: decides the cuts.
        held_rows: number of `held` examples; whole groups, so there may be a few more.
        grouped: whether texts are shared as in GLUE; generated examples are independent of each other.
        cal_max: largest number of `cal` examples cut from the training examples, of which they are `sel_fraction` at
            most; 0: none.

    Raises:
        InputError: there are too few training examples for what is held out, or none is left to train on.
    """
    rng = np.random.default_rng(seed)
    train = _unified(rows["train"], task, "fit")
    fraction = sel_fraction if protocol == "heldout" else 0.0
    wanted = _Wanted(fraction, sel_max, held_rows, cal_max)
    if grouped and task.has_phrases:
        _hold_out_phrases(train, wanted, rng)
    elif grouped and task.shared_columns:
        _hold_out_shared(train, task, wanted, rng)
    else:
        _hold_out_single(train, wanted, rng)
    train = train[train["split"] != ""].reset_index(drop=True)
    found = train["split"].value_counts()
    missing = [split for split in ("fit", "sel", "cal") if split not in found and wanted.asks_for(split)]
    if found.get("held", 0) < held_rows or missing:
        raise InputError(
            f"data: of {len(rows['train'])} training examples of {task.name}, {found.get('sel', 0)} became sel, "
            f"{found.get('held', 0)} held (of {held_rows} wanted), {found.get('cal', 0)} cal and "
            f"{found.get('fit', 0)} are left to train on; "
            "expected as many as wanted, and some of each: hold out fewer, or take more training examples."
        )
    if train_rows is not None and (train["split"] == "fit").sum() > train_rows:
        fit = np.flatnonzero(train["split"] == "fit")
        kept = fit[_stratified(train["label"].to_numpy()[fit], train_rows, rng)]
        train = pd.concat([train.iloc[kept], train[train["split"] != "fit"]])
    evaluated = {**task.eval_splits, **task.test_splits}
    others = [_unified(rows["calibration"], task, "cal")] if "calibration" in rows else []
    others += [_unified(rows[hub], task, ours) for ours, hub in evaluated.items() if hub in rows]
    return pd.concat([train, *others], ignore_index=True)


class _Wanted(NamedTuple):
    """What is held out."""

    sel_fraction: float
    sel_max: int
    held_rows: int
    cal_max: int

    def asks_for(self, split: str) -> bool:
        """Whether a split must not be empty."""
        return {"fit": True, "sel": self.sel_fraction > 0, "cal": self.sel_fraction > 0 and self.cal_max > 0}[split]

    def counts(self, available: int) -> dict[str, int]:
        """Examples of each split, in the order in which they are drawn, of some that are available."""
        share = round(self.sel_fraction * available)
        return {"sel": min(self.sel_max, share), "held": self.held_rows, "cal": min(self.cal_max, share)}


def _hold_out_single(train: pd.DataFrame, wanted: _Wanted, rng: np.random.Generator) -> None:
    """Name what is held out in the column `split`: single examples, stratified, none of which has a duplicate."""
    counts = wanted.counts(len(train))
    free = np.flatnonzero(~train.duplicated(["text_a", "text_b"], keep=False))
    if sum(counts.values()) >= len(free):  # none is left to train on, or fewer are held out than asked for
        counts = dict.fromkeys(counts, 0)
    for split, count in counts.items():
        if count:
            taken = free[_stratified(train["label"].to_numpy()[free], count, rng)]
            train.loc[taken, "split"], free = split, np.setdiff1d(free, taken)


def _hold_out_shared(train: pd.DataFrame, task: Task, wanted: _Wanted, rng: np.random.Generator) -> None:
    """Name what is held out: whole groups of examples that share a question, context sentence or premise."""
    names = dict(zip(task.columns, ("text_a", "text_b"), strict=True))
    shared = [train[names[column]].tolist() for column in task.shared_columns]
    groups = connected_groups([*shared, (train["text_a"] + "\t" + train["text_b"]).tolist()])
    number, share = LARGEST_GROUP
    small = np.bincount(groups)[groups] <= max(number, share * len(train))
    for split, count in wanted.counts(len(train)).items():
        if split == "cal" and not count:
            continue  # not even a permutation: what is drawn later stays as it is
        free = (train["split"] == "fit").to_numpy() & small
        train.loc[hold_out_groups(groups, count, rng, free), "split"] = split


def _hold_out_phrases(train: pd.DataFrame, wanted: _Wanted, rng: np.random.Generator) -> None:
    """Name `sel` and `cal`, whole sentences as in dev, and `held`, sentences with phrases; "" drops an example.

    The phrases of a sentence in `sel` or `cal` are dropped.
    """
    parents = parent_sentences(train["text_a"].tolist())
    duplicated = train.duplicated(["text_a"], keep=False).to_numpy()
    sentences = np.flatnonzero([p == (i,) and not duplicated[i] for i, p in enumerate(parents)])
    labels, counts = train["label"].to_numpy(), wanted.counts(len(sentences))

    def hold_out_whole(split: str, free: np.ndarray) -> None:
        chosen = free[_stratified(labels[free], counts[split], rng)] if counts[split] else free[:0]
        names = set(chosen.tolist())
        train.loc[[not names.isdisjoint(p) for p in parents], "split"] = ""
        train.loc[chosen, "split"] = split

    hold_out_whole("sel", sentences)
    free = sentences[train["split"].to_numpy()[sentences] == "fit"]
    held, parts = hold_out_sentences(parents, free, counts["held"], rng)
    train.loc[parts, "split"] = ""
    train.loc[held, "split"] = "held"
    hold_out_whole("cal", sentences[train["split"].to_numpy()[sentences] == "fit"])


def split_counts(cut: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Number of examples of each class in each split: columns task, split, label, rows."""
    counts = cut.groupby(["split", "label"], sort=False).size().rename("rows").reset_index()
    return counts.assign(task=task.name)[["task", "split", "label", "rows"]]


def _unified(frame: pd.DataFrame, task: Task, split: str) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "split": split,
        "text_a": frame[task.columns[0]].astype(str),
        "text_b": frame[task.columns[1]].astype(str) if len(task.columns) == 2 else "",
        "label": -1 if split in task.test_splits else frame["label"].astype("int64"),  # MRPC's are not public
        "idx": frame["idx"].astype("int64"),
        "difficulty": frame["difficulty"].astype("int64") if "difficulty" in frame.columns else 0,
        "steps": frame["steps"].astype("int64") if "steps" in frame.columns else 0,
    }
    return pd.DataFrame(columns).reset_index(drop=True)
