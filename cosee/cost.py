"""What a start is about to cost, said before anything starts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cosee.plan import Job, num_layers
from cosee.tasks import TASKS


def announcement(config: Mapping[str, Any], jobs: list[Job], folder: Path, parallel: int) -> str:
    """What a start is about to do: trainings, an estimate of the time, where results will lie.

    Args:
        config: the configuration.
        jobs: all jobs, of grid search and final runs.
        folder: the working directory.
        parallel: number of trainings that run at once.
    """
    runs = [run for job in jobs for run in job.runs]
    passes = 0.0
    for run in runs:
        layers = num_layers(config, run.backbone)
        depth = run.settings.get("depth", layers) / layers
        passes += fit_rows(config, run.task) * run.training["epochs"] * depth
    hours = passes / config["cost"]["samples_per_second"] / 3600 / parallel
    time = f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"
    return (
        f"preset {config['preset']}: {len(runs)} trainings in {len(jobs)} jobs for everything, about {time} of "
        f"training ({config['cost']['machine']}, {parallel} at once); finished ones are not repeated.\n"
        f"results: {folder / 'results'}   figures: {folder / 'figures'}"
    )


def fit_rows(config: Mapping[str, Any], task: str) -> int:
    """Rows that a run trains on, by the sizes of the source (an upper bound for a local copy that is a subset)."""
    data, protocol = config["data"], config["protocol"]
    generated = data["source"] == "generated" and not config["data_dir"]
    rows = data["generated"]["train"] if generated else TASKS[task].official_rows["train"]
    if protocol["name"] == "heldout":
        rows -= min(protocol["sel_max"], round(protocol["sel_fraction"] * rows))
    return min(rows, data["train_rows"].get(task, rows))
