"""Cost of a preset: examples that its runs go through, and the estimate that is printed before a start."""

from pathlib import Path
from typing import NamedTuple

from cosee.data.tasks import TASKS
from cosee.plan.configuration import Configuration
from cosee.plan.runs import Run, predicted_splits


class ExampleCounts(NamedTuple):
    """Examples that a run sends through its model, each as often as it is sent: forward and backward; forward alone."""

    trained: int
    predicted: int


def announcement(
    config: Configuration, trainings: int, jobs: int, minutes: float, folder: Path, parallel: int, disk: str
) -> str:
    """Announcement of a start: trainings, estimates of time and disk space, folders of the results.

    Args:
        config: the configuration.
        trainings: number of all runs, of grid search and final ones.
        jobs: number of the jobs that train them.
        minutes: what they take by the estimate, one after the other.
        folder: the working directory.
        parallel: number of trainings that run at once.
        disk: sentence on the space that results take (`cosee.plan.disk`).
    """
    return (
        f"preset {config.preset}: {trainings} trainings in {jobs} jobs for everything, about "
        f"{duration(minutes / 60 / parallel)} of training ({config.cost.machine}, {parallel} at once); finished ones "
        f"are not repeated.\n"
        f"{disk}\n"
        f"results: {folder / 'results'}   figures: {folder / 'figures'}"
    )


def training_minutes(config: Configuration, run: Run) -> float:
    """What a run takes by the estimate: its examples, by the share of the encoder's layers, at the stated speed."""
    layers = config.backbones[run.backbone].layers
    rows = example_counts(config, run).trained * run.settings.get("depth", layers) / layers
    return rows / config.cost.samples_per_second / 60


def duration(hours: float) -> str:
    """Hours in words, no more exactly than they are known."""
    if hours < 1:
        minutes = round(60 * hours)
        return "1 minute" if minutes == 1 else f"{minutes} minutes"
    return f"{hours:.1f} hours" if hours < 100 else f"{hours:,.0f} hours"


def example_counts(config: Configuration, run: Run) -> ExampleCounts:
    """Examples that a run goes through in its epochs, with a prediction of the selection split each, and at its end."""
    rows, epochs = split_rows(config, run.task), run.training["epochs"]
    predicted = epochs * rows[config.protocol.selection_split] + sum(
        rows[split] for split in predicted_splits(run, config)
    )
    return ExampleCounts(epochs * rows["fit"], predicted)


def split_rows(config: Configuration, task: str) -> dict[str, int]:
    """Examples of every split of a task by the sizes of the source (upper bounds for a local copy that is a subset)."""
    data, protocol, described = config.data, config.protocol, TASKS[task]
    is_generated = data.generated and data.source == "generated" and not config.data_dir
    if is_generated:
        train = data.generated.train
        evaluated = dict.fromkeys(described.eval_splits, data.generated.validation)
    else:
        train = described.official_rows.get("train", 0)
        names = described.eval_splits | described.test_splits
        evaluated = {name: described.official_rows.get(split, 0) for name, split in names.items()}
    held_out = 0
    if protocol.name == "heldout":
        held_out = min(protocol.sel_max, round(protocol.sel_fraction * train))
    if task in protocol.held_rows:
        evaluated["held"] = protocol.held_rows[task]
    left = train - held_out - evaluated.get("held", 0)
    if protocol.has_cal and is_generated:
        evaluated["cal"] = protocol.cal_max
    elif protocol.has_cal:
        evaluated["cal"] = min(protocol.cal_max, round(protocol.sel_fraction * train))
        left -= evaluated["cal"]
    left = max(0, left)  # nothing is known of the size of a package's task
    return {"fit": min(left, data.train_rows.get(task, train)), "sel": held_out, **evaluated}
