"""Checks of a configuration that its schema cannot make: whether its parts fit together."""

from collections.abc import Mapping
from typing import Any

from cosee.errors import InputError
from cosee.exits import check_threshold
from cosee.plan import shown_tasks
from cosee.signals import SIGNALS
from cosee.tasks import TASKS

Config = Mapping[str, Any]


def check(config: Config) -> None:
    """Check that every name is defined, every grid axis listed, every threshold and target possible.

    Raises:
        InputError: names the place and what would be right.
    """
    for name in config["variants"]:
        _check_variant(config, name)
    for number, experiment in enumerate(config["experiments"], 1):
        _check_experiment(config, f"config: experiments, entry {number}", experiment)
    _defined(config["control"], config["variants"], "config: control")
    if config["protocol"]["table_target"] not in config["protocol"]["targets"]:
        raise InputError("config: protocol.table_target is not in protocol.targets, for which thresholds are sought.")
    for name, spec in config["figures"].items():
        if spec:
            _check_figure(config, f"config: figures.{name}", spec)


def _defined(value: str, known: Mapping[str, Any], where: str) -> None:
    if value not in known:
        raise InputError(f"{where} names {value!r}, which is not defined; expected one of {', '.join(known)}.")


def _check_variant(config: Config, name: str) -> None:
    where, entry = f"config: variants.{name}", config["variants"][name]
    _defined(entry.get("same_point_as", name), config["variants"], f"{where}.same_point_as")
    for axis in entry.get("tune", []):
        _defined(axis, config["grid"], f"{where}.tune")
        if axis in entry.get("fixed", {}):
            raise InputError(f"{where} both fixes and tunes {axis!r}; choose one.")


def _check_experiment(config: Config, where: str, experiment: Config) -> None:
    _defined(experiment["backbone"], config["backbones"], f"{where}: backbone")
    for task in experiment["tasks"]:
        _defined(task, TASKS, f"{where}: tasks")
    for variant in experiment["variants"]:
        _defined(variant, config["variants"], f"{where}: variants")
        owner = config["variants"][variant].get("same_point_as", variant)
        if owner not in experiment["variants"]:
            raise InputError(
                f"{where}: {variant} shares the grid point of {owner}, which the entry does not train; add it."
            )
    first = config["signals"][0]
    if config["tune_signal"] == "first" and first not in experiment["signals"]:
        entries = [
            e for e in config["experiments"] if e["backbone"] == experiment["backbone"] and first in e["signals"]
        ]
        lacking = [task for task in experiment["tasks"] if not any(task in entry["tasks"] for entry in entries)]
        if lacking:
            raise InputError(
                f"{where}: no entry trains {lacking[0]} with signal {first}, whose grid points `tune_signal: first` "
                "would share; add it or choose `tune_signal: each`."
            )


def _check_figure(config: Config, where: str, spec: Config) -> None:
    for variant in spec["variants"]:
        _defined(variant, config["variants"], where)
    for task in shown_tasks(config, spec):
        for threshold in spec.get("thresholds", []):
            check_threshold(threshold, SIGNALS[spec["signal"]], TASKS[task].num_classes)
    for target in spec.get("targets", []):
        if target not in config["protocol"]["targets"]:
            raise InputError(f"{where} shows the target speed-up {target}, which protocol.targets does not list.")
