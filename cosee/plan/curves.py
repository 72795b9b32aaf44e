"""Trade-off curves of a configuration: their models, exit rules and files."""

from dataclasses import dataclass

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.plan.configuration import Configuration
from cosee.plan.runs import Run, final_runs, is_read_by, predicted_splits

RULE = "rule"
"""In place of a signal, in names of files: the variants with an exit rule of their own."""


@dataclass(frozen=True)
class Curve:
    """One trade-off curve: the models of a variant and seed, and the rule by which they exit.

    One model whose threshold is swept, or, for a method without a threshold at test time, one model per operating
    point.
    """

    backbone: str
    task: str
    variant: str
    seed: int
    rule: str
    runs: tuple[Run, ...]


def curves(config: Configuration, task: str, signal: str) -> list[Curve]:
    """Every trade-off curve of a task for an exit signal, or (`RULE`) of the variants with an exit rule of their own.

    Static models are curves of one point.

    Raises:
        InputError: the configuration trains nothing for this task and signal.
    """
    asked = {(e.backbone, t) for e in config.experiments for t in e.tasks if signal in (RULE, *e.signals)}
    runs = [run for run in final_runs(config) if run.task == task and (run.backbone, run.task) in asked]
    found = []
    for name, variant in config.variants.items():
        if variant.exits_by_own_rule != (signal == RULE):
            continue
        groups: dict[tuple[str, int, str], list[Run]] = {}
        for run in runs:
            is_of_curve = run.variant == name or is_read_by(variant, run)
            if is_of_curve and (signal == RULE or run.signal in (None, signal)):
                model = "" if config.variants[run.variant].one_model_per else run.name
                groups.setdefault((run.backbone, run.seed, model), []).append(run)
        if variant.reuses_models:
            groups = {key: group for key, group in groups.items() if _is_listed(config, name, group[0])}
        rule = variant.rule_for(signal)
        found += [Curve(b, task, name, seed, rule, tuple(group)) for (b, seed, _), group in groups.items()]
    if not found:
        raise InputError(f"config: no entry of `experiments` has task {task} with signal {signal}; add one.")
    return found


def _is_listed(config: Configuration, variant: str, run: Run) -> bool:
    """Whether an experiment lists a variant that reuses models, on the task and backbone of such a model."""
    return any(variant in e.variants and run.task in e.tasks and run.backbone == e.backbone for e in config.experiments)


def signals_of(config: Configuration, task: str) -> list[str]:
    """Exit signals with results for a task, and `RULE` if there are variants with an exit rule of their own."""
    asked = {signal for e in config.experiments if task in e.tasks for signal in e.signals}
    return [signal for signal in config.signals if signal in asked] + [RULE] * has_rule(config, task)


def has_rule(config: Configuration, task: str, backbone: str | None = None) -> bool:
    """Whether a task (with a backbone) has variants with an exit rule of their own."""
    return any(
        config.variants[variant].exits_by_own_rule
        for e in config.experiments
        if task in e.tasks and backbone in (None, e.backbone)
        for variant in e.variants
    )


def evaluated_splits(run: Run, config: Configuration) -> list[str]:
    """Splits with labels among those that a run predicts, but for `cal`, which only thresholds are certified on."""
    return [split for split in predicted_splits(run, config) if split not in ("cal", *TASKS[run.task].test_splits)]


def given_thresholds(config: Configuration, signal: str) -> list[float]:
    """Thresholds that figures of a signal name."""
    return sorted({t for spec in config.figures.shown.values() if spec.signal == signal for t in spec.thresholds})
