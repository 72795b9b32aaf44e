"""A user's finished runs beside published ones: operating points of equal cost on the same examples. Needs no torch.

An *entrant* is one line of the comparison: the models of a variant and the exit rule that they exit by, with all tasks
and seeds at hand. It is read from run folders, or from a published collection; both hold the same facts, so that what
is published was an entrant once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.evaluation.matched import OperatingPoint, matched_point
from cosee.evaluation.members import has_members
from cosee.evaluation.outputs import ExitOutputs, load_outputs
from cosee.methods import rule_named
from cosee.runs.points import Points, models_of
from cosee.runs.published import published_facts, published_outputs, published_runs
from cosee.runs.stored import read_run

Model = Mapping[str, ExitOutputs]
"""Split -> outputs of one model."""


@dataclass
class Entrant:
    """The models of one variant with one exit rule.

    Attributes:
        name: shown in the comparison.
        rule: name of the exit rule.
        models: (task, seed) -> its models; several where a method has one model per operating point.
    """

    name: str
    rule: str
    models: dict[tuple[str, int], list[Model]] = field(default_factory=dict)

    @property
    def tasks(self) -> list[str]:
        """Tasks with at least one run, in the order of `TASKS`."""
        there = {task for task, _ in self.models}
        return [task for task in TASKS if task in there]


def entrants_of_runs(folders: Iterable[str | Path], name: str | None = None) -> list[Entrant]:
    """One entrant per variant and exit rule among the folders of finished runs, each with its own exit rule.

    Args:
        folders: of the runs; several seeds and tasks of a variant become one entrant.
        name: what to call it; None: the variant's.

    Raises:
        InputError: a folder holds no finished run, two of them are the same run, or `name` would stand for several.
    """
    found: dict[tuple[str, str], Entrant] = {}
    seen: dict[tuple[Any, ...], str] = {}
    for folder in map(Path, folders):
        facts = read_run(folder)
        files = [file for file in sorted(folder.glob("logits-*.npz")) if "@" not in file.name]
        outputs = {file.stem.removeprefix("logits-"): load_outputs(file) for file in files if "-fit" not in file.stem}
        _add(found, facts, facts["run"]["rule"], outputs, name)
        identity = tuple(facts["run"][key] for key in ("task", "variant", "rule", "name", "seed"))
        if identity in seen:
            raise InputError(
                f"{folder} and {seen[identity]}: the same run ({identity[0]}, {identity[3]}, seed {identity[4]}); give "
                "each once."
            )
        seen[identity] = str(folder)
    if name and len(found) > 1:
        raise InputError(f"--name {name}: the runs are of {len(found)} variants or exit rules; give those of one.")
    return list(found.values())


def entrants_of_collection(collection: str | Path, backbone: str | None = None) -> list[Entrant]:
    """One entrant per variant and exit rule of a published collection; runs for several rules become several.

    Args:
        collection: folder `published/<collection>`.
        backbone: which of its encoders; may be None if there is only one.

    Raises:
        InputError: it has several encoders, or not this one.
    """
    runs = published_runs(collection)
    backbones = sorted({run.backbone for run in runs})
    if backbone is None and len(backbones) > 1:
        raise InputError(f"{collection}: holds several encoders ({', '.join(backbones)}); choose one with --backbone.")
    if backbone not in (None, *backbones):
        raise InputError(f"--backbone {backbone}: not in {collection}; expected one of {', '.join(backbones)}.")
    found: dict[tuple[str, str], Entrant] = {}
    for run in runs:
        if backbone in (None, run.backbone):
            facts, outputs = published_facts(run), published_outputs(run)
            for rule in dict.fromkeys([facts["run"]["rule"], *(split.partition("@")[2] for split in outputs)]):
                if rule:
                    _add(found, facts, rule, _for_rule(outputs, rule, facts["run"]["rule"]), None)
    return list(found.values())


def _for_rule(outputs: Model, rule: str, own: str) -> Model:
    """Outputs of the checkpoint that serves an exit rule, by split."""
    parts = [(split, *split.partition("@")[::2]) for split in outputs]
    return {name: outputs[split] for split, name, served in parts if (served or own) == rule}


def _add(
    found: dict[tuple[str, str], Entrant], facts: Mapping[str, Any], rule: str, outputs: Model, name: str | None
) -> None:
    run = facts["run"]
    label = name or f"{run['variant']} ({rule})"
    entrant = found.setdefault((run["variant"], rule), Entrant(label, rule))
    entrant.models.setdefault((run["task"], run["seed"]), []).append(outputs)


def check_same_examples(ours: Sequence[Entrant], published: Sequence[Entrant]) -> None:
    """Refuse runs that were evaluated, selected or measured on other examples than the published ones.

    Raises:
        InputError: a task is not published, a split's examples, order or labels differ, or the depth of the encoder.
    """
    known = {}
    for entrant in published:
        for (task, _), models in entrant.models.items():
            known.setdefault(task, models[0])
    for entrant in ours:
        for (task, seed), models in entrant.models.items():
            if task not in known:
                raise InputError(f"{entrant.name}: {task} is not published; expected one of {', '.join(known)}.")
            for outputs in models:
                _check_model(f"{entrant.name} on {task} (seed {seed})", outputs, known[task])


def _check_model(what: str, ours: Model, theirs: Model) -> None:
    if missing := [split for split in theirs if split not in ours]:
        raise InputError(f"{what}: no outputs on {', '.join(missing)}, which the published runs have; predict them.")
    for split, published in theirs.items():
        same = (np.array_equal(getattr(ours[split], name), getattr(published, name)) for name in ("labels", "idx"))
        if not all(same):
            raise InputError(
                f"{what}: its examples on {split} are not those of the published runs ({len(ours[split].labels)} and "
                f"{len(published.labels)} examples); cut the splits by the same preset."
            )
        if ours[split].num_layers != published.num_layers:
            raise InputError(
                f"{what}: its encoder has {ours[split].num_layers} layers, that of the published runs "
                f"{published.num_layers}; speed-ups would not mean the same."
            )


def points_at(entrants: Iterable[Entrant], target_speedup: float, split: str = "dev") -> Points:
    """Operating points of equal mean exit layer: (task, entrant) -> seed -> point, None where a curve ends before.

    Args:
        entrants: with distinct names.
        target_speedup: layers of the full model over the mean exit layer.
        split: the evaluated split; patiences and schedules are chosen on `sel`.

    Raises:
        InputError: a run has no outputs on the split, or a rule with a patience or schedules none on `sel`.
    """
    points: Points = {}
    for entrant in entrants:
        for (task, seed), models in entrant.models.items():
            point = _point(entrant, task, models, target_speedup, split)
            points.setdefault((task, entrant.name), {})[seed] = point
    return points


def _point(
    entrant: Entrant, task: str, models: Sequence[Model], target_speedup: float, split: str
) -> OperatingPoint | None:
    for outputs in models:
        needed = {split, "sel"} if has_members(rule_named(entrant.rule)) else {split}
        if missing := needed - outputs.keys():
            raise InputError(f"{entrant.name} on {task}: no outputs on {', '.join(sorted(missing))}; predict them.")
    pairs = [pair for outputs in models for pair in models_of(outputs[split], entrant.rule, outputs.get("sel"), task)]
    return matched_point(pairs, target_speedup)
