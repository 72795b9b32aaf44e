"""The trainings that a configuration asks for.

Functions of the configuration, from which the workflow's rules are made; for a local copy of the data also of which
test splits it holds (`cosee.plan.sources.has_split`). Nothing here imports torch: every process that Snakemake starts
makes the plan again.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from cosee.data.tasks import TASKS
from cosee.plan.memory import once
from cosee.plan.sources import has_split

if TYPE_CHECKING:  # a run can be trained where only torch and its companions are installed
    from cosee.plan.configuration import Configuration
    from cosee.plan.entries import Experiment, Variant

RUNS_FOLDER = "results/runs"


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        backbone: key in `backbones`.
        task: key in `TASKS`.
        variant: key in `variants`.
        name: the variant with its signal or depth: runs of one name differ in grid point and seed only.
        signal: exit signal that the run is trained with; None where training does not depend on one.
        rule: exit rule that the run is selected by.
        method: key in `METHODS`.
        settings: hyper-parameters of the method.
        training: settings of the training loop.
        seed: the seed from which all others are derived.
        point: name of the grid point; None for a final run, whose point `select` writes to `best.yaml`.
        other_rules: exit rules that also read its outputs, each those of a checkpoint that it has chosen.
    """

    backbone: str
    task: str
    variant: str
    name: str
    signal: str | None
    rule: str
    method: str
    settings: Mapping[str, Any] = field(hash=False)
    training: Mapping[str, Any] = field(hash=False)
    seed: int
    point: str | None = None
    other_rules: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """Folder of the run's files."""
        return f"{RUNS_FOLDER}/{self.backbone}/{self.task}/{self.name}/{self.point or 'final'}/seed{self.seed}"

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What tells final runs of one configuration apart, and names a published run."""
        return self.backbone, self.task, self.name, self.seed

    @property
    def rules(self) -> tuple[str, ...]:
        """Exit rules by which checkpoints are chosen, its own first."""
        return (self.rule, *self.other_rules)

    def outputs_name(self, split: str, rule: str | None = None) -> str:
        """Name of the file of outputs on a split, for its own exit rule or for another one that it serves."""
        return f"logits-{split}@{rule}.npz" if rule in self.other_rules else f"logits-{split}.npz"

    def outputs_file(self, split: str, rule: str | None = None) -> str:
        """The file of outputs on a split, for its own exit rule or for another one that it serves."""
        return f"{self.folder}/{self.outputs_name(split, rule)}"

    def fingerprint(self) -> str:
        """A hash of the settings that decide what the run computes; data, backbone and protocol are not among them."""
        settings = asdict(self) | {"training": {k: v for k, v in self.training.items() if k != "save_minutes"}}
        return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]


def task_training(config: "Configuration", task: str) -> dict[str, Any]:
    """Training settings of a task, unless the variant or grid point of a run says otherwise."""
    by_task = config.training_by_task.get(task)
    return {**config.training.given, **(by_task.given if by_task else {})}


@once
def final_runs(config: "Configuration") -> list[Run]:
    """Every final run of the configuration, without its grid point; each once, in the order of the experiments."""
    runs: dict[tuple[str, str, str, int], Run] = {}
    for experiment in config.experiments:
        for task, variant in product(experiment.tasks, experiment.variants):
            for run in _variant_runs(config, experiment, task, variant):
                runs.setdefault(run.key, run)
    return list(runs.values())


def model_name(name: str, variant: "Variant", signal: str) -> str:
    """Name of the models of a variant that exit by a signal: the variant's, with the signal if each has its own."""
    return f"{name}-{signal}" if variant.has_model_per_signal else name


def _variant_runs(config: "Configuration", experiment: "Experiment", task: str, name: str) -> Iterator[Run]:
    variant = config.variants[name]
    if variant.reuses_models:
        return
    training = {**task_training(config, task), **variant.training_on(task)}
    seeds = variant.seeds or experiment.seeds or config.seeds
    models = _models(config, experiment, name, variant)
    for (model, signal, settings), seed in product(models, seeds):
        rule = variant.rule_for(signal or config.signals[0])
        settings = {**variant.fixed_on(task), **settings}
        run = Run(
            experiment.backbone,
            task,
            name,
            model,
            signal,
            rule,
            variant.method,
            settings,
            training,
            seed,
        )
        yield replace(run, other_rules=_other_rules(config, run))


def _other_rules(config: "Configuration", run: Run) -> tuple[str, ...]:
    """Exit rules besides its own that are applied to a run.

    Those are the signals, if one model serves all of them, and the rules of variants that reuse it with a checkpoint of
    their own.
    """
    variant = config.variants[run.variant]
    if variant.is_static:
        return ()
    here = [e for e in config.experiments if e.backbone == run.backbone and run.task in e.tasks]
    serves_signals = not variant.exits_by_own_rule and not variant.has_model_per_signal
    rules = [signal for e in here for signal in e.signals if serves_signals]
    listed = (config.variants[other] for e in here for other in e.variants)
    rules += [other.rule for other in listed if other.own_checkpoint and other.rule and is_read_by(other, run)]
    return tuple(dict.fromkeys(other for other in rules if other != run.rule))


def is_read_by(variant: "Variant", run: Run) -> bool:
    """Whether a variant that reuses models applies its exit rule to a run: to all of its source that fit its `fixed`.

    So of a source with one model per value of a hyper-parameter one can be chosen.
    """
    fixed = variant.fixed_on(run.task).items()
    return run.variant == variant.models_from and all(run.settings.get(name) == value for name, value in fixed)


def _models(
    config: "Configuration", experiment: "Experiment", name: str, variant: "Variant"
) -> list[tuple[str, str | None, dict[str, Any]]]:
    """Models of a variant in an experiment: name, signal that it is trained with, settings besides the fixed ones."""
    layers = config.backbones[experiment.backbone].layers
    match variant.depths:
        case "full":
            return [(name, None, {"depth": layers})]
        case "half":
            return [(name, None, {"depth": layers // 2})]
        case "others":
            return [(f"{name}-{k:02d}", None, {"depth": k}) for k in range(1, layers) if k != layers // 2]
    if variant.one_model_per:
        ((axis, values),) = variant.one_model_per.items()
        return [(f"{name}-{axis}-{value}", None, {axis: value}) for value in values]
    if variant.has_model_per_signal:
        return [(model_name(name, variant, signal), signal, {"signal": signal}) for signal in experiment.signals]
    return [(name, None, {})]


def timed_run(config: "Configuration") -> Run | None:
    """The run whose early exit is timed: of the first seed, by the variant's own rule or the first signal."""
    wanted = config.latency
    if wanted is None:
        return None
    return next(
        (
            run
            for run in final_runs(config)
            if (run.backbone, run.task, run.variant) == (wanted.backbone, wanted.task, wanted.variant)
            and run.signal in (None, config.signals[0])
        ),
        None,
    )


def predicted_splits(run: Run, config: "Configuration") -> list[str]:
    """Splits whose logits a run keeps: for a grid run the one it is selected on, else all that something may read.

    The examples that it was trained on, by far the most, are predicted only where a figure compares them with dev.
    """
    selection = config.protocol.selection_split
    if run.point is not None:
        return [selection]
    task = TASKS[run.task]
    fit = ["fit"] if _is_fit_shown(config, run) else []
    held = ["held"] if run.task in config.protocol.held_rows else []
    cal = ["cal"] if config.protocol.has_cal else []
    tests = [name for name, hub in task.test_splits.items() if has_split(config, run.task, hub)]
    return [*dict.fromkeys([*fit, selection, *cal, *task.eval_splits, *held, *tests])]


def _is_fit_shown(config: "Configuration", run: Run) -> bool:
    """Whether a figure shows the training examples of a run."""
    return any(
        spec.shows_fit
        and run.backbone == spec.backbone
        and run.task in spec.tasks
        and run.variant in (spec.variants or [])
        for spec in config.figures.shown.values()
    )


def display_names(config: "Configuration", variants: Iterable[str]) -> dict[str, str]:
    """Variant -> name in tables and figures, in the order given."""
    return {variant: config.variants[variant].label for variant in variants}
