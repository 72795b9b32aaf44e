"""Tasks, variants, curves, seeds and files that tables and figures show."""

from collections.abc import Iterable

from cosee.plan.configuration import Configuration
from cosee.plan.curves import RULE, Curve, curves, has_rule
from cosee.plan.entries import EncodersSpec, Shown
from cosee.plan.runs import Run


def shown_tasks(config: Configuration, spec: Shown) -> list[str]:
    """Tasks of a table or figure that are trained with its backbone and signal; the others leave their place out."""
    trained = {(e.backbone, s, t) for e in config.experiments for s in e.signals for t in e.tasks}
    return [task for task in spec.tasks if (spec.backbone, spec.signal, task) in trained]


def shown_signals(config: Configuration, spec: Shown, task: str) -> list[str]:
    """Signals whose results a table or figure reads: its own, and `RULE` if variants with own exit rules are shown."""
    variants = spec.names_variants or config.variants
    by_rule = any(config.variants[variant].exits_by_own_rule for variant in variants)
    return [spec.signal, *([RULE] if by_rule and has_rule(config, task, spec.backbone) else [])]


def trained_curves(config: Configuration, spec: Shown) -> list[Curve]:
    """Every trade-off curve that there is for the backbone, tasks and signal of a table or figure."""
    return [
        curve
        for task in shown_tasks(config, spec)
        for signal in shown_signals(config, spec, task)
        for curve in curves(config, task, signal)
        if curve.backbone == spec.backbone
    ]


def shown_variants(config: Configuration, spec: Shown) -> list[str]:
    """Variants of a table or figure in display order: those it names, or all with early exit that were trained."""
    if spec.names_variants:
        return list(spec.names_variants)
    trained = {curve.variant for curve in trained_curves(config, spec)}
    return [name for name, variant in config.variants.items() if name in trained and not variant.is_static]


def compared_variants(config: Configuration) -> list[str]:
    """Variants that tables may show: all but the models of k layers, which are a control."""
    return [name for name, variant in config.variants.items() if variant.depths != "others"]


def shown_curves(config: Configuration, spec: Shown, variants: Iterable[str] | None = None) -> list[Curve]:
    """Trade-off curves of the variants that a table or figure shows, or of the given ones."""
    variants = list(shown_variants(config, spec) if variants is None else variants)
    return [curve for curve in trained_curves(config, spec) if curve.variant in variants]


def encoder_curves(config: Configuration, spec: EncodersSpec) -> list[Curve]:
    """Trade-off curves behind the table of encoders, without models of k layers below the full depth."""
    wanted = compared_variants(config)
    return [curve for part in spec.by_backbone.values() for curve in shown_curves(config, part, wanted)]


def shown_seeds(config: Configuration, spec: Shown) -> tuple[int, ...]:
    """Seeds that all variants of a figure were trained with, so that all bands are over the same seeds."""
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


def result_files(config: Configuration, spec: Shown, kind: str) -> list[str]:
    """Results that a table or figure is made from.

    Args:
        config: the configuration.
        spec: the table or figure.
        kind: end of the files' names, such as "tradeoff.csv".
    """
    return [
        f"results/{task}/{signal}_{kind}"
        for task in shown_tasks(config, spec)
        for signal in shown_signals(config, spec, task)
    ]


def runs_of(shown: Iterable[Curve]) -> list[Run]:
    """Runs behind some curves, each once; a run may serve several curves."""
    return list({run.folder: run for curve in shown for run in curve.runs}.values())
