"""Jobs, which one process trains, and the files that runs leave behind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cosee.plan.runs import Run, predicted_splits


@dataclass(frozen=True)
class Job:
    """Runs of one stage, backbone and task that one process trains, one after the other."""

    stage: str
    backbone: str
    task: str
    number: int
    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        """Name for rules, logs and benchmarks."""
        return f"{self.stage}_{self.backbone}_{self.task}_{self.number}"


def cut(runs: list[Run], stage: str, runs_per_job: int) -> list[Job]:
    """Cut runs into jobs of at most `runs_per_job`, never across backbones or tasks."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.backbone, run.task), []).append(run)
    return [
        Job(stage, backbone, task, number, tuple(group[begin : begin + runs_per_job]))
        for (backbone, task), group in groups.items()
        for number, begin in enumerate(range(0, len(group), runs_per_job))
    ]


def run_files(run: Run, config: Mapping[str, Any]) -> list[str]:
    """Files that a run leaves behind, its weights apart."""
    logits = [f"logits-{split}.npz" for split in predicted_splits(run, config)]
    return [f"{run.folder}/{name}" for name in ("history.csv", "run.json", *logits)]


def weights_file(run: Run) -> str:
    """The trained weights of a run."""
    return f"{run.folder}/model.safetensors"
