"""The six GLUE tasks of the paper (Table 1): columns, label ids, metrics, splits and submission names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from cosee.plugins import Registry, instance_of

if TYPE_CHECKING:
    import pandas as pd

Generate = Callable[[int, Mapping[str, int], float], Mapping[str, "pd.DataFrame"]]
"""Seed, examples per split by its name on the hub (or `calibration`), share of wrong labels -> one frame per split.

A frame has the text columns of the task, `label` (ids), `idx` (0, 1, ...) and, if it says so, `difficulty`.
"""


@dataclass(frozen=True)
class Task:
    """One classification task, as the hub names its columns, splits and label ids: of GLUE, or of an installed package.

    Attributes:
        name: configuration name of the data set, also the folder of a local copy.
        label: name as printed in tables and figures.
        kind: kind of task, as in the paper's Table 1.
        columns: the one or two text columns, in the order in which they are fed to the encoder.
        classes: class names; the position is the label id.
        metrics: `accuracy`, and `f1` (of class 1) if GLUE reports it; the task's score is their mean.
        eval_splits: name of each evaluation split in this project -> name on the hub.
        test_splits: the same for the splits without public labels.
        submission: file name that the GLUE server expects for each test split.
        official_rows: number of examples of the official release by split name on the hub; what is missing there is
            left out of the estimate of a preset's cost.
        submits_names: whether the server expects names of classes instead of ids.
        has_phrases: whether most training examples are parts of others (SST-2), so that whole sentences are held out.
        shared_columns: text columns whose text stands in several training examples, but in none of dev: what is held
            out shares none with what is trained on. In the other tasks dev shares texts with train as well.
        repository: data set on the hub that has this task alone; None: the task is the configuration of this name in
            the repository that the preset names.
        revision: commit of `repository`.
        generate: makes examples for presets with generated data; None: mini-GLUE's grammar does.
    """

    name: str
    label: str
    kind: str
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    official_rows: Mapping[str, int]
    metrics: tuple[str, ...] = ("accuracy",)
    eval_splits: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({"dev": "validation"}))
    test_splits: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({"test": "test"}))
    submission: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    submits_names: bool = False
    has_phrases: bool = False
    shared_columns: tuple[str, ...] = ()
    repository: str | None = None
    revision: str | None = None
    generate: Generate | None = None

    @property
    def num_classes(self) -> int:
        """C, the number of classes."""
        return len(self.classes)

    @property
    def submission_labels(self) -> tuple[str, ...]:
        """Names of the classes on the GLUE server, by label id."""
        return self.classes if self.submits_names else tuple(map(str, range(self.num_classes)))


_ALL = (
    Task(
        name="rte",
        label="RTE",
        kind="NLI",
        columns=("sentence1", "sentence2"),
        classes=("entailment", "not_entailment"),
        official_rows={"train": 2490, "validation": 277, "test": 3000},
        submission={"test": "RTE.tsv"},
        submits_names=True,
    ),
    Task(
        name="mrpc",
        label="MRPC",
        kind="Paraphrase",
        columns=("sentence1", "sentence2"),
        classes=("not_equivalent", "equivalent"),
        metrics=("accuracy", "f1"),
        official_rows={"train": 3668, "validation": 408, "test": 1725},
        submission={"test": "MRPC.tsv"},
    ),
    Task(
        name="qqp",
        label="QQP",
        kind="Paraphrase",
        columns=("question1", "question2"),
        classes=("not_duplicate", "duplicate"),
        metrics=("accuracy", "f1"),
        official_rows={"train": 363846, "validation": 40430, "test": 390965},
        submission={"test": "QQP.tsv"},
    ),
    Task(
        name="sst2",
        label="SST-2",
        kind="Sentiment",
        columns=("sentence",),
        classes=("negative", "positive"),
        has_phrases=True,
        official_rows={"train": 67349, "validation": 872, "test": 1821},
        submission={"test": "SST-2.tsv"},
    ),
    Task(
        name="qnli",
        label="QNLI",
        kind="QA/NLI",
        columns=("question", "sentence"),
        shared_columns=("question", "sentence"),
        classes=("entailment", "not_entailment"),
        official_rows={"train": 104743, "validation": 5463, "test": 5463},
        submission={"test": "QNLI.tsv"},
        submits_names=True,
    ),
    Task(
        name="mnli",
        label="MNLI",
        kind="NLI",
        columns=("premise", "hypothesis"),
        shared_columns=("premise",),
        classes=("entailment", "neutral", "contradiction"),
        official_rows={
            "train": 392702,
            "validation_matched": 9815,
            "validation_mismatched": 9832,
            "test_matched": 9796,
            "test_mismatched": 9847,
        },
        eval_splits={"dev": "validation_matched", "dev_mm": "validation_mismatched"},
        test_splits={"test": "test_matched", "test_mm": "test_mismatched"},
        submission={"test": "MNLI-m.tsv", "test_mm": "MNLI-mm.tsv"},
        submits_names=True,
    ),
)

TASKS: Registry[Task] = Registry("task", {task.name: task for task in _ALL}, {"cosee.tasks": instance_of(Task)})
"""The tasks by name: `TASKS.own`, in the order of the paper's Table 2, and those of installed packages."""
