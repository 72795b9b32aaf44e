"""What is evaluated: the trade-off curves of a configuration, their files, and what tables and figures show.

Pure functions of the configuration, as `cosee.plan.runs`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.plan.runs import Run, final_runs, predicted_splits

OWN = "own"
"""In place of a signal, in names of files: the variants that leave by an exit rule of their own."""


@dataclass(frozen=True)
class Curve:
    """What one trade-off curve is made of: the models of a variant and seed, and the exit rule that they leave by.

    One model whose threshold is swept, or, for a method without a knob at test time, one model per operating point.
    """

    backbone: str
    task: str
    variant: str
    seed: int
    rule: str
    runs: tuple[Run, ...]


def curves(config: Mapping[str, Any], task: str, signal: str) -> list[Curve]:
    """Every trade-off curve of a task for an exit signal, or (`OWN`) of the variants that leave by a rule of their own.

    Static models are curves of one point.

    Raises:
        InputError: the configuration trains nothing for this task and signal.
    """
    asked = {(e["backbone"], t) for e in config["experiments"] for t in e["tasks"] if signal in (OWN, *e["signals"])}
    runs = [run for run in final_runs(config) if run.task == task and (run.backbone, run.task) in asked]
    found = []
    for variant, entry in config["variants"].items():
        if ("rule" in entry) != (signal == OWN):
            continue
        trained = [run for run in runs if run.variant == (entry.get("model_of") or variant)]
        groups: dict[tuple[str, int, str], list[Run]] = {}
        for run in trained:
            if signal == OWN or run.signal in (None, signal):
                point = "" if "points" in config["variants"][run.variant] else run.name
                groups.setdefault((run.backbone, run.seed, point), []).append(run)
        rule = entry.get("rule", signal)
        if entry.get("model_of"):
            groups = {key: group for key, group in groups.items() if _shown_with(config, variant, group[0])}
        found += [Curve(b, task, variant, seed, rule, tuple(group)) for (b, seed, _), group in groups.items()]
    if not found:
        raise InputError(f"config: no entry of `experiments` has task {task} with signal {signal}; add one.")
    return found


def _shown_with(config: Mapping[str, Any], variant: str, run: Run) -> bool:
    """Whether an experiment lists a variant that is evaluated on the models of another one, where that was trained."""
    return any(
        variant in e["variants"] and run.task in e["tasks"] and run.backbone == e["backbone"]
        for e in config["experiments"]
    )


def signals_of(config: Mapping[str, Any], task: str) -> list[str]:
    """Whose results there are for a task: those of its exit signals, and `OWN`."""
    asked = {signal for e in config["experiments"] if task in e["tasks"] for signal in e["signals"]}
    return [signal for signal in config["signals"] if signal in asked] + [OWN] * has_own(config, task)


def has_own(config: Mapping[str, Any], task: str, backbone: str | None = None) -> bool:
    """Whether a task (with a backbone) has variants that leave by a rule of their own."""
    return any(
        "rule" in config["variants"][variant]
        for e in config["experiments"]
        if task in e["tasks"] and backbone in (None, e["backbone"])
        for variant in e["variants"]
    )


def evaluated_splits(run: Run, config: Mapping[str, Any]) -> list[str]:
    """Splits with labels among those that a run predicts."""
    return [split for split in predicted_splits(run, config) if split not in TASKS[run.task].test_splits]


def evaluated_files(config: Mapping[str, Any], task: str, signal: str) -> list[str]:
    """Stored outputs that the results of a task and signal are made from; each once."""
    runs = [run for curve in curves(config, task, signal) for run in curve.runs]
    files = [f"{run.folder}/logits-{split}.npz" for run in runs for split in evaluated_splits(run, config)]
    return list(dict.fromkeys(files))


def shown_tasks(config: Mapping[str, Any], spec: Mapping[str, Any]) -> list[str]:
    """Tasks of a table or figure that are trained with its backbone and signal; the others leave their place out."""
    trained = {(e["backbone"], s, t) for e in config["experiments"] for s in e["signals"] for t in e["tasks"]}
    return [task for task in spec["tasks"] if (spec["backbone"], spec["signal"], task) in trained]


def shown_signals(config: Mapping[str, Any], spec: Mapping[str, Any], task: str) -> list[str]:
    """Whose results a table or figure reads: its signal, and `OWN` where it shows variants with rules of their own.

    A specification without `variants` shows all.
    """
    own = any("rule" in config["variants"][variant] for variant in spec.get("variants", config["variants"]))
    return [spec["signal"], *([OWN] if own and has_own(config, task, spec["backbone"]) else [])]


def trained_curves(config: Mapping[str, Any], spec: Mapping[str, Any]) -> list[Curve]:
    """Every trade-off curve that there is for the backbone, tasks and signal of a table or figure."""
    return [
        curve
        for task in shown_tasks(config, spec)
        for signal in shown_signals(config, spec, task)
        for curve in curves(config, task, signal)
        if curve.backbone == spec["backbone"]
    ]


def shown_variants(config: Mapping[str, Any], spec: Mapping[str, Any]) -> list[str]:
    """Variants of a table or figure in display order: those it names, or all multi-exit ones that were trained."""
    if "variants" in spec:
        return spec["variants"]
    trained = {curve.variant for curve in trained_curves(config, spec)}
    return [name for name, entry in config["variants"].items() if name in trained and "depths" not in entry]


def shown_curves(config: Mapping[str, Any], spec: Mapping[str, Any]) -> list[Curve]:
    """Trade-off curves of the variants that a table or figure shows."""
    variants = shown_variants(config, spec)
    return [curve for curve in trained_curves(config, spec) if curve.variant in variants]


def given_thresholds(config: Mapping[str, Any], signal: str) -> list[float]:
    """Thresholds that figures of a signal name."""
    specs = [spec for spec in config["figures"].values() if spec and spec["signal"] == signal]
    return sorted({threshold for spec in specs for threshold in spec.get("thresholds", [])})


def shown_seeds(config: Mapping[str, Any], spec: Mapping[str, Any]) -> tuple[int, ...]:
    """Seeds that all variants of a figure were trained with: a band compares like with like."""
    seeds: dict[str, set[int]] = {}
    for curve in shown_curves(config, spec):
        seeds.setdefault(curve.variant, set()).add(curve.seed)
    return tuple(sorted(set.intersection(*seeds.values())))


def shared_seeds(shown: Iterable[Curve]) -> tuple[int, ...]:
    """Seeds that every variant among some curves has on every task."""
    seeds: dict[tuple[str, str], set[int]] = {}
    for curve in shown:
        seeds.setdefault((curve.task, curve.variant), set()).add(curve.seed)
    return tuple(sorted(set.intersection(*seeds.values())))
