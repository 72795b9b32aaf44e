"""Checks of a configuration that its schema cannot make: whether its parts fit together."""

from collections.abc import Mapping
from typing import Any

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.exiting.rules import RULES, check_readable, check_threshold
from cosee.methods import METHODS, rule_named
from cosee.plan.curves import curves, shown_curves, shown_tasks, shown_variants, signals_of
from cosee.plan.runs import final_runs, num_layers, timed_run
from cosee.plan.search import grid_points, tuned_name, with_point

Config = Mapping[str, Any]
SINGLE = ("fig1", "fig3", "fig7")
"""Figures of one variant on one task."""
COMPARISONS = ("table2", "table3", "table5", "differences")
"""Tables of methods that are trained with one backbone and signal."""


def check(config: Config) -> None:
    """Check that names are defined, that every run finds its grid point, and that thresholds and targets are possible.

    Raises:
        InputError: names the place and what would be right.
    """
    for name in config["variants"]:
        _check_variant(config, name)
    for number, experiment in enumerate(config["experiments"], 1):
        _check_experiment(config, f"config: experiments, entry {number}", experiment)
    _defined(config["control"], config["variants"], "config: control")
    _check_points(config)
    _check_exits(config)
    targets, layers = config["protocol"]["targets"], min(entry["layers"] for entry in config["backbones"].values())
    if max(targets) > layers:
        raise InputError(
            f"config: protocol.targets asks for {max(targets)}x, an encoder of {layers} layers gives {layers}x."
        )
    if config["protocol"]["table_target"] not in targets:
        raise InputError("config: protocol.table_target is not in protocol.targets, for which thresholds are sought.")
    for name in COMPARISONS:
        if config["tables"][name]:
            _check_shown(config, f"config: tables.{name}", config["tables"][name])
    if config["tables"]["differences"]:
        shown = dict.fromkeys(shown_variants(config, config["tables"]["differences"]))
        _defined(config["control"], shown, "config: control, with which tables.differences compares,")
    for name, spec in config["figures"].items():
        if spec:
            _check_figure(config, name, spec)
    if config["latency"]:
        _check_latency(config, config["latency"])


def check_settings(config: Config) -> None:
    """Check hyper-parameters, training settings and exit rules, which the methods know: torch is imported for it.

    Raises:
        InputError: names the method, the setting or the rule.
    """
    from cosee.methods import make_method
    from cosee.training.settings import TrainingSettings

    kinds = {(run.name, str(run.training)): run for run in final_runs(config)}  # tasks and seeds change nothing
    for run in kinds.values():
        entry = config["variants"][run.variant]
        for point in grid_points(config, entry.get("same_point_as", run.variant)):
            chosen = with_point(run, point)
            TrainingSettings(**chosen.training)
            method = make_method(chosen.method, chosen.settings)
        for name, other in config["variants"].items():
            if run.variant in (name, other.get("model_of")) and "rule" in other:
                check_readable(rule_named(other["rule"]), method.learns_scores(), f"config: variants.{name}")


def _defined(value: str, known: Mapping[str, Any], where: str) -> None:
    if value not in known:
        raise InputError(f"{where} names {value!r}, which is not defined; expected one of {', '.join(known)}.")


def _check_variant(config: Config, name: str) -> None:
    where, entry = f"config: variants.{name}", config["variants"][name]
    _defined(entry["method"], METHODS, f"{where}.method")
    _defined(entry.get("same_point_as", name), config["variants"], f"{where}.same_point_as")
    _defined(entry.get("model_of") or name, config["variants"], f"{where}.model_of")
    if "rule" in entry:
        rule_named(entry["rule"])
    elif entry.get("model_of") or "points" in entry:
        raise InputError(f"{where} needs a `rule` by which its models are left.")
    for axis in entry.get("tune", []):
        _defined(axis, config["grid"], f"{where}.tune")
        if any(axis in fixed for fixed in (entry.get("fixed", {}), *entry.get("fixed_by_task", {}).values())):
            raise InputError(f"{where} both fixes and tunes {axis!r}; choose one.")


def _check_experiment(config: Config, where: str, experiment: Config) -> None:
    _defined(experiment["backbone"], config["backbones"], f"{where}: backbone")
    for task in experiment["tasks"]:
        _defined(task, TASKS, f"{where}: tasks")
    for variant in experiment["variants"]:
        _defined(variant, config["variants"], f"{where}: variants")
    for signal in experiment["signals"]:
        _defined(signal, dict.fromkeys(config["signals"]), f"{where}: signals")


def _check_points(config: Config) -> None:
    runs, first = final_runs(config), config["seeds"][0]
    searches = {(run.backbone, run.task, run.name) for run in runs if run.seed == first}
    for run in runs:
        name = tuned_name(config, run)
        if (run.backbone, run.task, name) not in searches:
            raise InputError(
                f"config: {run.name} on {run.task} ({run.backbone}) takes the grid point of {name}, which no entry of "
                f"`experiments` trains there with seed {first}; add it, or see `same_point_as` and `tune_signal`."
            )


def _check_exits(config: Config) -> None:
    for task in dict.fromkeys(run.task for run in final_runs(config)):
        for signal in signals_of(config, task):
            if all("depths" in config["variants"][curve.variant] for curve in curves(config, task, signal)):
                raise InputError(
                    f"config: `experiments` train static models alone on {task} with the signal {signal}; add a "
                    "variant that exits early, or leave them out."
                )


def _check_shown(config: Config, where: str, spec: Config) -> None:
    _defined(spec["backbone"], config["backbones"], f"{where}: backbone")
    _defined(spec["signal"], dict.fromkeys(config["signals"]), f"{where}: signal")
    if not shown_tasks(config, spec):
        raise InputError(
            f"{where} shows {', '.join(spec['tasks'])}, of which `experiments` trains none; use null to leave it out."
        )


def _check_latency(config: Config, spec: Config) -> None:
    _defined(spec["backbone"], config["backbones"], "config: latency.backbone")
    _defined(spec["variant"], config["variants"], "config: latency.variant")
    entry, run = config["variants"][spec["variant"]], timed_run(config)
    if "depths" in entry or "points" in entry:
        raise InputError("config: latency.variant has no threshold to choose; name one that has.")
    if run is None:
        raise InputError(
            f"config: latency times {spec['variant']} on {spec['task']} ({spec['backbone']}), which `experiments` does "
            "not train; use null to leave it out."
        )
    if not rule_named(run.rule).is_online:
        raise InputError(f"config: latency.variant leaves by the rule {run.rule}, which serves whole splits alone.")
    layers = num_layers(config, spec["backbone"])
    if max(spec["targets"]) > layers:
        raise InputError(f"config: latency.targets asks for {max(spec['targets'])}x, {layers} layers give {layers}x.")


def _check_figure(config: Config, name: str, spec: Config) -> None:
    where = f"config: figures.{name}"
    for variant in spec.get("variants", []):
        _defined(variant, config["variants"], where)
    _check_shown(config, where, spec)
    variants, trained = shown_variants(config, spec), {curve.variant: curve for curve in shown_curves(config, spec)}
    for variant in variants:
        _defined(variant, trained, f"{where}: among what `experiments` trains for it, variants")
    if name in SINGLE and (len(spec["tasks"]), len(variants)) != (1, 1):
        raise InputError(f"{where} shows one variant on one task; name one of each.")
    if name == "fig1" and not spec.get("thresholds"):
        raise InputError(f"{where} needs `thresholds`.")
    for task in shown_tasks(config, spec):
        for threshold in spec.get("thresholds", []):
            layers = num_layers(config, spec["backbone"])
            check_threshold(threshold, RULES[spec["signal"]], TASKS[task].num_classes, layers)
    for target in spec.get("targets", []):
        if target not in config["protocol"]["targets"]:
            raise InputError(f"{where} shows the target speed-up {target}, which protocol.targets does not list.")
