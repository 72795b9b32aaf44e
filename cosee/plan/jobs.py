"""Jobs, each of which one process trains, and the files that runs leave behind."""

from collections.abc import Mapping
from dataclasses import dataclass

from cosee.plan.configuration import Configuration
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


def split_into_jobs(runs: list[Run], stage: str, runs_per_job: int) -> list[Job]:
    """Split runs into jobs of at most `runs_per_job`, never across backbones or tasks."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.backbone, run.task), []).append(run)
    return [
        Job(stage, backbone, task, number, tuple(group[begin : begin + runs_per_job]))
        for (backbone, task), group in groups.items()
        for number, begin in enumerate(range(0, len(group), runs_per_job))
    ]


def training_priority(job: Job, num_runs: Mapping[tuple[str, str], int]) -> int:
    """Priority of a training job, below 0, which every other rule has: the task with most to train goes first.

    Trainings wait for what is short, and no long job should be left to run alone at the end.

    Args:
        job: the job.
        num_runs: backbone and task -> number of its final runs.
    """
    return num_runs[job.backbone, job.task] - max(num_runs.values()) - 1


def trainings_at_once(cores: int | None, nodes: int | None, gpu_slots: int, uses_gpu: bool) -> int:
    """Number of trainings that run at the same time.

    Args:
        cores: cores of `--cores`; None on a cluster that names none.
        nodes: jobs that a cluster runs at once; None without one.
        gpu_slots: limit of the resource `gpu`, one per training; 0 if there is none.
        uses_gpu: whether trainings ask for a slot.
    """
    limit = cores or nodes or 1
    return min(limit, gpu_slots) if uses_gpu and gpu_slots else limit


def run_files(run: Run, config: Configuration) -> list[str]:
    """Files that a run leaves behind, its weights apart."""
    outputs = [run.outputs_name(split, rule) for split in predicted_splits(run, config) for rule in run.rules]
    return [f"{run.folder}/{name}" for name in ("history.csv", "run.json", *outputs)]


def weights_file(run: Run) -> str:
    """The trained weights of a run."""
    return f"{run.folder}/model.safetensors"
