"""Checks of a configuration as a whole: whether its parts fit together."""

from collections.abc import Iterable

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.exiting.rules import RULES, check_readable, check_threshold
from cosee.exiting.signals import SIGNALS
from cosee.methods import METHODS, rule_named
from cosee.plan.configuration import Configuration
from cosee.plan.curves import curves, signals_of
from cosee.plan.disk import ALL
from cosee.plan.entries import Experiment, FigureSpec, Latency, Shown
from cosee.plan.runs import final_runs, is_read_by, timed_run
from cosee.plan.search import grid_points, search_owner, with_point
from cosee.plan.shown import shown_curves, shown_seeds, shown_tasks, shown_variants

SINGLE = ("fig1", "fig3", "fig7")
"""Figures of one variant on one task."""
CONTROLS = ("static", "random", "oracle")
"""Names of what trade-off curves are compared with, which variants cannot have."""


def check(config: Configuration) -> None:
    """Check that names are defined, that every run finds its grid point, and that thresholds and targets are possible.

    Raises:
        InputError: names the place and what would be right.
    """
    _defined(config.backbone, config.backbones, "config: backbone")
    _defined(config.reference_variant, config.variants, "config: reference_variant")
    if config.tuned_as is not None:
        _defined(config.tuned_as, config.variants, "config: tuned_as")
    for axis in config.tune if config.grid is not None else ():
        _defined(axis, config.grid, "config: tune")
    for name in config.variants:
        _check_variant(config, name)
    for number, experiment in enumerate(config.experiments, 1):
        _check_experiment(config, f"config: experiments, entry {number}", experiment)
    _check_points(config)
    _check_exits(config)
    _check_targets(config, "config: protocol", config.protocol.targets, config.backbones)
    if config.protocol.table_target not in config.protocol.targets:
        raise InputError("config: protocol.table_target is not in protocol.targets, for which thresholds are sought.")
    for name, spec in config.tables.shown.items():
        _check_shown(config, f"config: tables.{name}", spec)
    if config.tables.encoders:
        for backbone, spec in config.tables.encoders.by_backbone.items():
            _check_shown(config, "config: tables.encoders", spec)
            missing = [task for task in spec.tasks if task not in shown_tasks(config, spec)]
            if missing:
                raise InputError(
                    f"config: tables.encoders has means over its tasks, but {backbone} is not trained on {missing[0]}; "
                    "name `tasks` on which all of its encoders are."
                )
    if config.tables.differences_held:
        for task in config.tables.differences_held.tasks:
            _defined(
                task, config.protocol.held_rows, "config: tables.differences_held, of tasks in protocol.held_rows,"
            )
    if config.tables.differences:
        shown = shown_variants(config, config.tables.differences)
        _defined(config.reference_variant, shown, "config: reference_variant, with which tables.differences compares,")
    for name, figure in config.figures.shown.items():
        _check_figure(config, name, figure)
    for name in config.keep_weights:
        _defined(name, (*config.variants, ALL), "config: keep_weights")
    if config.latency:
        _check_latency(config, config.latency)


def check_settings(config: Configuration) -> None:
    """Check hyper-parameters, training settings and exit rules, which the methods know: torch is imported for it.

    Raises:
        InputError: names the method, the setting or the rule.
    """
    from cosee.methods import make_method
    from cosee.training.settings import TrainingSettings

    kinds = {(run.name, str(run.training), str(run.settings)): run for run in final_runs(config)}  # one of each
    for run in kinds.values():
        for point in grid_points(config, config.variants[run.variant].tuned_as or run.variant):
            chosen = with_point(run, point)
            try:
                TrainingSettings(**chosen.training)
                method = make_method(chosen.method, chosen.settings)
            except InputError as error:
                raise InputError(f"config: variants.{run.variant}: {error}") from error
        for name, variant in config.variants.items():
            if variant.rule and (run.variant == name or is_read_by(variant, run)):
                check_readable(rule_named(variant.rule), method.learns_scores(), f"config: variants.{name}")


def _defined(value: str, known: Iterable[str], where: str) -> None:
    if value not in list(known):
        raise InputError(f"{where} names {value!r}, which is not defined; expected one of {', '.join(known)}.")


def _check_variant(config: Configuration, name: str) -> None:
    where, variant = f"config: variants.{name}", config.variants[name]
    if name == ALL:
        raise InputError(f"{where}: the name means all variants in keep_weights; choose another name.")
    if name in CONTROLS:
        raise InputError(f"{where}: the names {', '.join(CONTROLS)} are those of controls; choose another name.")
    _defined(variant.method, METHODS, f"{where}.method")
    if variant.tuned_as:
        _defined(variant.tuned_as, config.variants, f"{where}.tuned_as")
        further = config.variants[variant.tuned_as].tuned_as
        if further is not None:
            raise InputError(
                f"{where}.tuned_as names {variant.tuned_as}, which has no search of its own but takes the grid point "
                f"of {further}; name a variant that has one."
            )
    if variant.models_from:
        _defined(variant.models_from, config.variants, f"{where}.models_from")
        _check_source(config, name)
    if variant.rule:
        try:
            rule_named(variant.rule)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    for axis in variant.tune:
        _defined(axis, config.grid or {}, f"{where}.tune")


def _check_source(config: Configuration, name: str) -> None:
    """A variant that reuses models finds some, and one alone where it sweeps a threshold."""
    where, variant = f"config: variants.{name}", config.variants[name]
    source = config.variants[variant.models_from]
    if source.reuses_models:
        raise InputError(
            f"{where}.models_from names {variant.models_from}, which trains nothing but has the models of "
            f"{source.models_from}; name the variant that trains them."
        )
    if source.is_static:
        raise InputError(
            f"{where}.models_from names {variant.models_from}, whose models have one exit only; name a variant "
            "that exits early."
        )
    per_model = source.one_model_per or {}
    for key, value in variant.fixed.items():
        possible = per_model.get(key, [source.fixed.get(key)])
        if value not in possible:
            raise InputError(
                f"{where}.fixed: no model of {variant.models_from} has {key} {value!r}; choose one it has."
            )
    if rule_named(variant.rule).thresholds is None and not per_model.keys() <= variant.fixed.keys():
        raise InputError(
            f"{where} sweeps the threshold of one model, and {variant.models_from} has one per value of "
            f"{next(iter(per_model))}; choose the value with `fixed`."
        )


def _check_experiment(config: Configuration, where: str, experiment: Experiment) -> None:
    _defined(experiment.backbone, config.backbones, f"{where}: backbone")
    for variant in experiment.variants:
        _defined(variant, config.variants, f"{where}: variants")
    for signal in experiment.signals:
        _defined(signal, config.signals, f"{where}: signals")
    for registry, names in ((TASKS, experiment.tasks), (SIGNALS, experiment.signals)):
        for name in names:
            registry[name]  # an installed package that cannot be loaded is refused here
    for variant in experiment.variants:
        source = config.variants[variant].models_from
        here = [e for e in config.experiments if e.backbone == experiment.backbone]
        trained = {task for e in here if source in e.variants for task in e.tasks}
        missing = [task for task in experiment.tasks if source is not None and task not in trained]
        if missing:
            raise InputError(
                f"{where}: {variant} reads the models of {source}, which no entry trains on {missing[0]} "
                f"({experiment.backbone}); add it."
            )


def _check_points(config: Configuration) -> None:
    runs, first = final_runs(config), config.seeds[0]
    searches = {(run.backbone, run.task, run.name) for run in runs if run.seed == first}
    for run in runs:
        name = search_owner(config, run)
        if (run.backbone, run.task, name) not in searches:
            raise InputError(
                f"config: {run.name} on {run.task} ({run.backbone}) takes the grid point of {name}, which no entry of "
                f"`experiments` trains there with seed {first}; add it, or see `tuned_as` and `search_per_signal`."
            )


def _check_exits(config: Configuration) -> None:
    for task in dict.fromkeys(run.task for run in final_runs(config)):
        for signal in signals_of(config, task):
            if all(config.variants[curve.variant].is_static for curve in curves(config, task, signal)):
                raise InputError(
                    f"config: `experiments` train only static models on {task} with the signal {signal}; add a "
                    "variant that exits early, or leave them out."
                )


def _check_targets(config: Configuration, where: str, targets: list[float], backbones: Iterable[str]) -> None:
    layers = min(config.backbones[name].layers for name in backbones)
    if max(targets) > layers:
        raise InputError(f"{where}.targets asks for {max(targets)}x; an encoder of {layers} layers gives {layers}x.")


def _check_shown(config: Configuration, where: str, spec: Shown) -> None:
    _defined(spec.backbone, config.backbones, f"{where}: backbone")
    _defined(spec.signal, config.signals, f"{where}: signal")
    if not shown_tasks(config, spec):
        raise InputError(
            f"{where} shows {', '.join(spec.tasks)}, of which `experiments` trains none; use null to leave it out."
        )


def _check_latency(config: Configuration, spec: Latency) -> None:
    _defined(spec.backbone, config.backbones, "config: latency.backbone")
    _defined(spec.variant, config.variants, "config: latency.variant")
    if not config.variants[spec.variant].has_threshold:
        raise InputError("config: latency.variant has no threshold to choose; name one that has.")
    run = timed_run(config)
    if run is None:
        raise InputError(
            f"config: latency times {spec.variant} on {spec.task} ({spec.backbone}), which `experiments` does not "
            "train; use null to leave it out."
        )
    if not rule_named(run.rule).is_online:
        raise InputError(
            f"config: latency.variant uses the exit rule {run.rule}, which needs a whole split; choose a variant with "
            "an online rule."
        )
    _check_targets(config, "config: latency", spec.targets, [spec.backbone])


def _check_figure(config: Configuration, name: str, spec: FigureSpec) -> None:
    where = f"config: figures.{name}"
    for variant in spec.variants or []:
        _defined(variant, config.variants, where)
    _check_shown(config, where, spec)
    variants = shown_variants(config, spec)
    trained = dict.fromkeys(curve.variant for curve in shown_curves(config, spec))
    if not trained:
        raise InputError(f"{where}: `experiments` trains nothing of what it shows; use null to leave it out.")
    for variant in variants:
        _defined(variant, trained, f"{where}: among what `experiments` trains for it, variants")
    if not shown_seeds(config, spec):
        raise InputError(f"{where} shows variants that were trained with no seed in common; name others, or null.")
    if name in SINGLE and (len(spec.tasks), len(variants)) != (1, 1):
        raise InputError(f"{where} shows one variant on one task; name one of each.")
    if name == "risk" and len(variants) != 1:
        raise InputError(f"{where} shows one variant, a line for each procedure; name one.")
    if name == "fig1" and not spec.thresholds:
        raise InputError(f"{where} needs `thresholds`.")
    for task in shown_tasks(config, spec):
        for threshold in spec.thresholds:
            layers = config.backbones[spec.backbone].layers
            try:
                check_threshold(threshold, RULES[spec.signal], TASKS[task].num_classes, layers)
            except InputError as error:
                raise InputError(f"{where}.thresholds: {error}") from error
    for target in spec.targets:
        if target not in config.protocol.targets:
            raise InputError(f"{where} shows the target speed-up {target}, which protocol.targets does not list.")
