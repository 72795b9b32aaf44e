"""What a configuration asks for: variants, grid points, runs, the jobs that they are cut into, and their files.

Pure functions of the configuration, from which the workflow's rules are made. Nothing here imports
torch: the plan is made anew in every process that Snakemake starts.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from cosee.data.glue import SELECTION_SPLIT
from cosee.data.tasks import TASKS

RUNS_FOLDER = "results/runs"


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        backbone: key in `backbones`.
        task: key in `TASKS`.
        variant: key in `variants`.
        name: the variant with its signal or depth: runs of one name differ in grid point and seed only.
        signal: exit signal that the run is trained with; None where training knows none.
        rule: exit rule that the run is selected by.
        method: key in `METHODS`.
        settings: hyper-parameters of the method.
        training: settings of the training loop.
        seed: the seed from which all others are derived.
        point: name of the grid point; None for a final run, whose point `select` writes to `best.yaml`.
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

    @property
    def folder(self) -> str:
        """Where the run's files lie."""
        return f"{RUNS_FOLDER}/{self.backbone}/{self.task}/{self.name}/{self.point or 'final'}/seed{self.seed}"

    def fingerprint(self) -> str:
        """A hash of the settings that decide what the run computes; data, backbone and protocol are not among them."""
        settings = asdict(self) | {"training": {k: v for k, v in self.training.items() if k != "save_minutes"}}
        return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]


def num_layers(config: Mapping[str, Any], backbone: str) -> int:
    """Full depth of a backbone."""
    return config["backbones"][backbone]["layers"]


def task_training(config: Mapping[str, Any], task: str) -> dict[str, Any]:
    """How runs on a task are trained, unless their variant or grid point says otherwise."""
    return {**config["training"], **config["training_by_task"].get(task, {})}


def final_runs(config: Mapping[str, Any]) -> list[Run]:
    """Every final run of the configuration, without its grid point; each once, in the order of the experiments."""
    runs: dict[tuple[str, str, str, int], Run] = {}
    for experiment in config["experiments"]:
        for task, variant in product(experiment["tasks"], experiment["variants"]):
            for run in _variant_runs(config, experiment, task, variant):
                runs.setdefault((run.backbone, run.task, run.name, run.seed), run)
    return list(runs.values())


def _variant_runs(config: Mapping[str, Any], experiment: Mapping[str, Any], task: str, variant: str) -> Iterator[Run]:
    backbone = experiment["backbone"]
    entry = config["variants"][variant]
    if entry.get("model_of"):  # another exit rule on the models of another variant
        return
    layers = num_layers(config, backbone)
    fixed = {**entry.get("fixed", {}), **entry.get("fixed_by_task", {}).get(task, {})}
    own = {**entry.get("training", {}), **entry.get("training_by_task", {}).get(task, {})}
    training = {**task_training(config, task), **own}
    seeds = entry.get("seeds", experiment.get("seeds", config["seeds"]))
    if "depths" in entry:  # the first layers fine-tuned alone: one static model per depth
        depths = {"full": [layers], "half": [layers // 2], "between": [k for k in range(1, layers) if k != layers // 2]}
        several = entry["depths"] == "between"
        kinds = [(f"{variant}-{k:02d}" if several else variant, None, {"depth": k}) for k in depths[entry["depths"]]]
    elif "points" in entry:  # one model per operating point
        kinds = [
            (f"{variant}-{axis}-{value}", None, {axis: value})
            for axis, values in entry["points"].items()
            for value in values
        ]
    elif "rule" not in entry and entry.get("uses_signal", True):
        kinds = [(f"{variant}-{signal}", signal, {"signal": signal}) for signal in experiment["signals"]]
    else:
        kinds = [(variant, None, {})]
    for (name, signal, settings), seed in product(kinds, seeds):
        rule = entry.get("rule", signal or config["signals"][0])
        settings = {**fixed, **settings}
        yield Run(backbone, task, variant, name, signal, rule, entry["method"], settings, training, seed)


def timed_run(config: Mapping[str, Any]) -> Run | None:
    """The run whose early exit is timed: of the first seed, left by the variant's own rule or the first signal."""
    wanted = config["latency"]
    if wanted is None:
        return None
    return next(
        (
            run
            for run in final_runs(config)
            if (run.backbone, run.task, run.variant) == (wanted["backbone"], wanted["task"], wanted["variant"])
            and run.signal in (None, config["signals"][0])
        ),
        None,
    )


def selection_split(config: Mapping[str, Any]) -> str:
    """The split on which everything is chosen: `sel`, or `dev` under the protocol `field`."""
    return SELECTION_SPLIT[config["protocol"]["name"]]


def predicted_splits(run: Run, config: Mapping[str, Any]) -> list[str]:
    """Splits whose logits a run keeps: for a grid run the one it is selected on, else all that something may read.

    The rows that it was trained on, by far the most, are predicted only where a figure compares them with dev.
    """
    if run.point is not None:
        return [selection_split(config)]
    task = TASKS[run.task]
    fit = ["fit"] if any(_is_shown_in(run, spec) for spec in config["figures"].values() if _shows_fit(spec)) else []
    tests = [name for name, hub in task.test_splits.items() if _has_split(config, run.task, hub)]
    return [*dict.fromkeys([*fit, selection_split(config), *task.eval_splits, *tests])]


def _shows_fit(spec: Mapping[str, Any] | None) -> bool:
    """Whether a figure is Figure 7's kind: exit layers at target speed-ups, of training and other rows."""
    return spec is not None and "targets" in spec


def _is_shown_in(run: Run, spec: Mapping[str, Any]) -> bool:
    return run.backbone == spec["backbone"] and run.task in spec["tasks"] and run.variant in spec["variants"]


def _has_split(config: Mapping[str, Any], task: str, split: str) -> bool:
    if config.get("data_dir"):
        return any((Path(config["data_dir"]) / task).glob(f"{split}-*.parquet"))
    return config["data"]["source"] == "hub"


def labels(config: Mapping[str, Any], variants: list[str]) -> dict[str, str]:
    """Variant -> name in tables and figures, in the order given."""
    return {variant: config["variants"][variant]["label"] for variant in variants}
