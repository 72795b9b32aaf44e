"""Grid searches: their points, their runs, and which search decides the point of a run."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from cosee.errors import InputError
from cosee.plan.configuration import Configuration
from cosee.plan.memory import once
from cosee.plan.runs import RUNS_FOLDER, Run, final_runs, model_name


def point_name(point: Mapping[str, Any]) -> str:
    """Folder name of a grid point: `learning_rate-0.001_alpha-0.1`; `default` without any axis."""
    return "_".join(f"{axis}-{value}" for axis, value in point.items()) or "default"


def grid_points(config: Configuration, variant: str) -> list[dict[str, Any]]:
    """Every combination of the grid axes that the variant is tuned on."""
    axes = config.variants[variant].tune
    return [dict(zip(axes, values, strict=True)) for values in product(*((config.grid or {})[axis] for axis in axes))]


def with_point(run: Run, point: Mapping[str, Any], name: str | None = None, **changes: Any) -> Run:
    """The run at a grid point; each axis goes where it belongs. Further attributes can be changed with it."""
    training = {**run.training, **{axis: value for axis, value in point.items() if axis in run.training}}
    settings = {**run.settings, **{axis: value for axis, value in point.items() if axis not in run.training}}
    return Run(**{**vars(run), "training": training, "settings": settings, "point": name, **changes})


def at_chosen_point(config: Configuration, run: Run, chosen: Mapping[str, Any]) -> Run:
    """The final run at the grid point that was selected for it.

    Raises:
        InputError: nothing was selected for it, or a point that is not in its grid: the selection is of another
            configuration, or was changed by hand.
    """
    name = search_owner(config, run)
    file = f"{RUNS_FOLDER}/{run.backbone}/{run.task}/best.yaml"
    again = "remove the file, and Snakemake makes it again"
    if not isinstance(chosen, Mapping) or not isinstance(chosen.get(name), Mapping) or "point" not in chosen[name]:
        raise InputError(f"{file}: has no point for {name}, which the configuration trains; {again}.")
    point = chosen[name]["point"]
    if point not in grid_points(config, config.variants[run.variant].tuned_as or run.variant):
        raise InputError(f"{file}: the point {point} of {name} is not in its grid; {again}.")
    return with_point(run, point)


def checkpoint_rule(config: Configuration) -> str:
    """Selection rule of checkpoints and grid points in words: criterion, split, default signal."""
    return f"{config.protocol.criterion} on {config.protocol.selection_split}, {config.signals[0]}"


@once
def grid_runs(config: Configuration) -> list[Run]:
    """The trainings among which `select` chooses: every grid point, if there are several, with the first seed.

    They are compared by the run's own exit rule alone.
    """
    points = {name: grid_points(config, name) for name in config.variants}
    return [
        with_point(run, point, point_name(point), other_rules=())
        for run in final_runs(config)
        if run.seed == config.seeds[0] and search_owner(config, run) == run.name
        for point in points[run.variant]
        if len(points[run.variant]) > 1
    ]


def search_owner(config: Configuration, run: Run) -> str:
    """Name of the runs whose grid search decides the point of this run.

    That is the run's own, but for a variant that shares another's point (`tuned_as`), and, with
    `search_per_signal: false`, for every signal but the first of the configuration.
    """
    owner = config.variants[run.variant].tuned_as
    if owner is not None:
        return model_name(owner, config.variants[owner], config.signals[0])
    if run.signal is not None and not config.search_per_signal:
        return model_name(run.variant, config.variants[run.variant], config.signals[0])
    return run.name


def searches(config: Configuration, backbone: str, task: str) -> dict[str, tuple[Run, list[dict[str, Any]]]]:
    """Name of every grid search of a task -> a run of it, and the points among which it chooses (one may be all)."""
    return {
        run.name: (run, grid_points(config, run.variant))
        for run in final_runs(config)
        if (run.backbone, run.task, run.seed) == (backbone, task, config.seeds[0])
        and search_owner(config, run) == run.name
    }


def search_points(config: Configuration, backbone: str, task: str) -> list[str]:
    """Every grid search of a task and its points, in words: what `select` depends on besides its files."""
    found = searches(config, backbone, task)
    return [f"{name}: {point_name(point)}" for name, (_, points) in found.items() for point in points]
