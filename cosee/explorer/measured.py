"""Result frames of finished runs, measured from their stored outputs as the workflow does it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from cosee.evaluation.curve_frames import static_frame, tradeoff_frame
from cosee.evaluation.exit_frames import dis_frame, layers_frame
from cosee.evaluation.families import Choice, choose_members
from cosee.evaluation.frames import RunId
from cosee.evaluation.members import has_members, representative
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.point_frames import calibration_frame, operating_points, targets_frame
from cosee.evaluation.risk_frames import by_speed, deployed_rule, risk_frame
from cosee.exiting.rules import Rule
from cosee.methods import rule_named
from cosee.runs.comparison import Entrant, Model

Frames = dict[str, list[pd.DataFrame]]

KINDS = ("tradeoff", "targets", "dis", "layers", "calibration", "risk")
"""Result frames that are measured; of runs without calibration examples there is no risk."""

RISKS: Mapping[str, Any] = {
    "levels": [0.01, 0.02, 0.05, 0.1],
    "confidence": 0.9,
    "kinds": ["same", "harm"],
    "procedures": ["naive", "crc", "ltt", "lynx"],
}
"""Risks for which thresholds are certified, those of the workflow's defaults."""

_SELECTION = "sel"
_DEPLOYED_AT = 2.0
"""Speed-up for which the member of a family of rules is chosen, as `protocol.table_target` is by default."""


def is_static(models: Sequence[Model]) -> bool:
    """Whether models have one exit each, so that there is nothing to exit early from."""
    return all(len(outputs.exit_depths) == 1 for model in models for outputs in model.values())


def measured_frames(identity: str, entrant: Entrant, backbone: str, targets: Sequence[float]) -> Frames:
    """Result frames of one entrant, as the workflow's rules `sweep` and `certify` make them.

    Args:
        identity: name of its series.
        entrant: the models with their outputs.
        backbone: name of the encoder.
        targets: speed-ups for which thresholds are sought.

    Returns:
        Kind -> frames, one of each model and split.
    """
    frames: Frames = {kind: [] for kind in KINDS}
    rule, family = rule_named(entrant.rule), identity.rpartition("|")[2]
    for (task, seed), models in entrant.models.items():
        if is_static(models):
            for place, model in enumerate(models):
                run = RunId(task, backbone, entrant.name, seed, model_name(place))
                for split in shown_splits(model):
                    frames["tradeoff"].append(static_frame(run, model[split], split, ""))
            continue
        selected = [model[selection_split(model)] for model in models]
        points_of_models = [[] for _ in models] if has_members(rule) else operating_points(selected, rule, targets)
        for place, (model, points) in enumerate(zip(models, points_of_models, strict=True)):
            run = RunId(task, backbone, entrant.name, seed, model_name(place))
            choices = _choices(selected[place], rule, task, targets, points)
            for split in shown_splits(model):
                outputs = model[split]
                for choice in choices:
                    if choice.curve is not None:
                        frames["tradeoff"].append(tradeoff_frame(run, outputs, split, choice.curve))
                    frames["targets"].append(targets_frame(run, outputs, split, choice.rule, choice.points))
                    frames["calibration"].append(calibration_frame(run, outputs, split, choice.rule, choice.points))
                scored = representative(rule, selected[place], _DEPLOYED_AT)
                frames["dis"].append(dis_frame(run, outputs, split, scored))
                frames["layers"].append(layers_frame(run, outputs, split, rule).assign(exit_rule=family))
        if rule.is_online and all({"cal", _SELECTION} <= set(model) for model in models):
            run = RunId(task, backbone, entrant.name, seed, model_name(0))
            frames["risk"].append(_risk(run, models, rule))
    return frames


def _risk(run: RunId, models: Sequence[Model], rule: Rule) -> pd.DataFrame:
    """Certified thresholds of the models of one task and seed, as the workflow's rule `certify` makes them."""
    selected = [model[_SELECTION] for model in models]
    deployed = deployed_rule(selected[0], rule, run.task, _DEPLOYED_AT)
    order = by_speed(selected, deployed)
    return risk_frame(
        [replace(run, model=model_name(place)) for place in order],
        [models[place]["cal"] for place in order],
        {split: [models[place][split] for place in order] for split in shown_splits(models[0])},
        deployed,
        **RISKS,
    )


def _choices(
    selected: ExitOutputs, rule: Rule, task: str, targets: Sequence[float], points: list[tuple[float, float]]
) -> list[Choice]:
    if has_members(rule):
        return choose_members(selected, rule, task, targets)
    return [Choice(rule, points, curve=rule)]


def model_name(place: int) -> str:
    """Name of the n-th model of an entrant."""
    return f"model {place + 1}"


def selection_split(model: Model) -> str:
    """The split that thresholds are chosen on: the first that is shown, if nothing was held out."""
    return _SELECTION if _SELECTION in model else next(iter(shown_splits(model)))


def shown_splits(model: Model) -> list[str]:
    """Splits with labels on which nothing was chosen or trained."""
    return [
        split
        for split, outputs in model.items()
        if split not in ("fit", "cal", _SELECTION) and (outputs.labels >= 0).all()
    ]
