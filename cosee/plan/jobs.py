"""Jobs, each of which one process trains, and the files that runs leave behind."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from cosee.plan.configuration import Configuration
from cosee.plan.cost import training_minutes
from cosee.plan.disk import runs_with_weights
from cosee.plan.runs import Run, final_runs, predicted_splits
from cosee.plan.search import grid_runs

RECORDS_FOLDER = "results/trained"
"""Folder of the records of jobs."""


@dataclass(frozen=True)
class Job:
    """Runs of one stage, backbone and task that one process trains, one after the other.

    Attributes:
        stage: "grid" or "final".
        backbone: key in `backbones`.
        task: key in `TASKS`.
        runs: the runs, one or more.
        minutes: how long they take by the estimate.
    """

    stage: str
    backbone: str
    task: str
    runs: tuple[Run, ...]
    minutes: float

    @property
    def name(self) -> str:
        """Name in files: that of the first run, and how many others there are, so that new runs rename few jobs."""
        first, others = self.runs[0], len(self.runs) - 1
        parts = (first.name, *([first.point] if first.point else []), f"seed{first.seed}")
        return "_".join(parts) + (f"_and_{others}" if others else "")

    @property
    def record(self) -> str:
        """The file that says that all runs of the job are finished (`cosee.runs.records`)."""
        return f"{RECORDS_FOLDER}/{self.stage}/{self.backbone}/{self.task}/{self.name}.json"


def archive_of(record: str) -> str:
    """The archive beside a record, where jobs share no file system."""
    return record.removesuffix(".json") + ".zip"


def published_record(backbone: str, task: str) -> str:
    """The record of the published runs of a task, which are unpacked instead of trained."""
    return f"{RECORDS_FOLDER}/published/{backbone}/{task}.json"


def training_jobs(config: Configuration, published: Container[tuple[str, str, str, int]] = ()) -> list[Job]:
    """Every job of a configuration: those of the grid searches, then those of the final runs.

    Args:
        config: the configuration.
        published: keys of the final runs that are not trained; a task without any other needs no search.
    """
    final = [run for run in final_runs(config) if run.key not in published]
    searched = {run.key[:2] for run in final}
    grid = [run for run in grid_runs(config) if run.key[:2] in searched]
    return [*split_into_jobs(config, grid, "grid"), *split_into_jobs(config, final, "final")]


def split_into_jobs(config: Configuration, runs: Iterable[Run], stage: str) -> list[Job]:
    """Split runs into jobs of about `jobs.minutes` by the estimate, at least one run each, never across tasks."""
    packs: dict[tuple[str, str], list[tuple[list[Run], float]]] = {}
    for run in runs:
        minutes, group = training_minutes(config, run), packs.setdefault((run.backbone, run.task), [])
        if group and group[-1][1] + minutes <= config.jobs.minutes:
            together, before = group[-1]
            group[-1] = ([*together, run], before + minutes)
        else:
            group.append(([run], minutes))
    return [
        Job(stage, backbone, task, tuple(together), minutes)
        for (backbone, task), group in packs.items()
        for together, minutes in group
    ]


def training_priority(backbone: str, task: str, num_runs: Mapping[tuple[str, str], int]) -> int:
    """Priority of a training job, below 0, which every other rule has: the task with most to train goes first.

    Trainings wait for what is short, and no long job should be left to run alone at the end.

    Args:
        backbone: of the job.
        task: of the job.
        num_runs: backbone and task -> number of its final runs.
    """
    return num_runs[backbone, task] - max(num_runs.values()) - 1


def trainings_at_once(cores: int | None, nodes: int | None, gpu_slots: int, uses_gpu: bool) -> int:
    """Number of trainings that run at the same time.

    Args:
        cores: cores of `--cores`; None on a cluster that names none.
        nodes: jobs that a cluster runs at once; None without one.
        gpu_slots: limit of the resource `gpu`, one per training; 0 if there is none.
        uses_gpu: whether trainings ask for a slot.
    """
    limit = nodes or cores or 1
    return min(limit, gpu_slots) if uses_gpu and gpu_slots else limit


def run_files(
    run: Run, config: Configuration, weighted: Container[tuple[str, str, str, int]] | None = None
) -> list[str]:
    """Files that a run leaves behind.

    Args:
        run: the run.
        config: the configuration.
        weighted: keys of the final runs that keep their weights; None: those of the configuration.
    """
    outputs = [run.outputs_name(split, rule) for split in predicted_splits(run, config) for rule in run.rules]
    keeps = run.point is None and run.key in (runs_with_weights(config) if weighted is None else weighted)
    weights = ["model.safetensors"] if keeps else []
    return [f"{run.folder}/{name}" for name in ("history.csv", *outputs, *weights, "run.json")]
