"""Grid searches: points, the runs among which one is chosen, and who takes whose point."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from cosee.errors import InputError
from cosee.plan.runs import RUNS_FOLDER, Run, final_runs, selection_split


def point_name(point: Mapping[str, Any]) -> str:
    """Folder name of a grid point: `learning_rate-0.001_alpha-0.1`; `default` without any axis."""
    return "_".join(f"{axis}-{value}" for axis, value in point.items()) or "default"


def grid_points(config: Mapping[str, Any], variant: str) -> list[dict[str, Any]]:
    """Every combination of the grid axes that the variant is tuned on."""
    axes = config["variants"][variant].get("tune", [])
    return [dict(zip(axes, values, strict=True)) for values in product(*(config["grid"][axis] for axis in axes))]


def with_point(run: Run, point: Mapping[str, Any], name: str | None = None) -> Run:
    """The run at a grid point; each axis goes where it belongs."""
    training = {**run.training, **{axis: value for axis, value in point.items() if axis in run.training}}
    settings = {**run.settings, **{axis: value for axis, value in point.items() if axis not in run.training}}
    return Run(**{**vars(run), "training": training, "settings": settings, "point": name})


def at_chosen_point(config: Mapping[str, Any], run: Run, chosen: Mapping[str, Any]) -> Run:
    """The final run at the grid point that was selected for it.

    Raises:
        InputError: nothing was selected for it: the selection is of a configuration without this variant.
    """
    name = tuned_name(config, run)
    if name not in chosen:
        raise InputError(
            f"{RUNS_FOLDER}/{run.backbone}/{run.task}/best.yaml: knows no point of {name}, which the configuration "
            "has; remove the file, and it is made anew."
        )
    return with_point(run, chosen[name]["point"])


def checkpoint_rule(config: Mapping[str, Any]) -> str:
    """By what, on what and with which signal (of runs without their own) checkpoints and grid points are chosen."""
    return f"{config['protocol']['criterion']} on {selection_split(config)}, {config['signals'][0]}"


def grid_runs(config: Mapping[str, Any]) -> list[Run]:
    """The trainings among which `select` chooses: every grid point, if there are several, with the first seed."""
    return [
        with_point(run, point, point_name(point))
        for run in final_runs(config)
        if run.seed == config["seeds"][0] and tuned_name(config, run) == run.name
        for point in grid_points(config, run.variant)
        if len(grid_points(config, run.variant)) > 1
    ]


def tuned_name(config: Mapping[str, Any], run: Run) -> str:
    """Name of the runs whose grid search decides the point of this run.

    That is the run's own, but for a variant that shares another's point (`tuned_as`), and, with
    `search_per_signal: false`, for every signal but the first of the configuration.
    """
    owner = config["variants"][run.variant].get("tuned_as")
    if owner is not None:
        entry = config["variants"][owner]
        takes_signal = not {"depths", "rule"} & entry.keys() and entry.get("trained_with_signal", True)
        return f"{owner}-{config['signals'][0]}" if takes_signal else owner
    if run.signal is not None and not config["search_per_signal"]:
        return f"{run.variant}-{config['signals'][0]}"
    return run.name


def tuned(config: Mapping[str, Any], backbone: str, task: str) -> dict[str, tuple[Run, list[dict[str, Any]]]]:
    """Name of every grid search of a task -> a run of it, and the points among which it chooses (one may be all)."""
    return {
        run.name: (run, grid_points(config, run.variant))
        for run in final_runs(config)
        if (run.backbone, run.task, run.seed) == (backbone, task, config["seeds"][0])
        and tuned_name(config, run) == run.name
    }


def tuned_points(config: Mapping[str, Any], backbone: str, task: str) -> list[str]:
    """Every grid search of a task and its points, in words: what `select` depends on besides its files."""
    searches = tuned(config, backbone, task)
    return [f"{name}: {point_name(point)}" for name, (_, points) in searches.items() for point in points]


def grid_files(config: Mapping[str, Any], backbone: str, task: str) -> list[str]:
    """Logits of every grid run of a task on the selection split: what `select` reads."""
    split = selection_split(config)
    runs = [run for run in grid_runs(config) if (run.backbone, run.task) == (backbone, task)]
    return [f"{run.folder}/logits-{split}.npz" for run in runs]
