"""The source of a page from the folder of a workflow: its result files, stored outputs and configuration."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cosee.data.tasks import TASKS
from cosee.evaluation.frames import CONTROLS
from cosee.evaluation.outputs import ExitOutputs, load_outputs
from cosee.exiting.rules import RULES
from cosee.exiting.signals import SIGNALS
from cosee.explorer.claims import claim_rows, read_claims
from cosee.explorer.facts import facts_of_runs
from cosee.explorer.inputs import KINDS, risk_files, shows_text
from cosee.explorer.source import EXAMPLES, HISTORY, Line, Series, Source, series_id
from cosee.io import read_frame, read_json
from cosee.plan.configuration import Configuration
from cosee.plan.curves import RULE, Curve, curves, signals_of
from cosee.plan.runs import Run, final_runs
from cosee.plan.sources import backbone_label, data_label
from cosee.runs.points import Points, matched_points

CONTROL_LABELS = {"random": "random exits", "oracle": "first correct exit (oracle)", "static": "models of k layers"}

_NO_TEXT = "Texts of GLUE are shown only from a copy of one's own: --config data_dir=FOLDER."


def workflow_source(config: Configuration, root: str | Path = ".", claims: str | Path | None = None) -> Source:
    """Everything that a workflow has measured.

    Args:
        config: its configuration.
        root: its folder.
        claims: a list of claims; None: there is none.

    Raises:
        InputError: a file is missing or damaged.
    """
    root, runs = Path(root), final_runs(config)
    tasks = [task for task in TASKS if task in {run.task for run in runs}]
    by_signal = {(task, signal): curves(config, task, signal) for task in tasks for signal in signals_of(config, task)}
    return Source(
        title=f"Results of the preset {config.preset}",
        data=data_label(config),
        backbones={name: backbone_label(config, name) for name in dict.fromkeys([config.backbone, *config.backbones])},
        series=_series(config, by_signal),
        reference=series_id(config.reference_variant, config.signals[0]),
        targets=list(config.protocol.targets),
        frames={kind: _frame(config, root, by_signal, kind) for kind in KINDS} | _risks(config, root),
        lines=[
            _line(config, root, curve)
            for found in by_signal.values()
            for curve in found
            if not _is_static(config, curve)
        ],
        points=_points(config, by_signal, root),
        histories=_histories(runs, root),
        examples={task: _examples(root, task) for task in tasks} if shows_text(config) else {},
        no_text="" if shows_text(config) else _NO_TEXT,
        latency=_latency(config, root),
        provenance=facts_of_runs([read_json(root / run.folder / "run.json") for run in runs])
        | {"Preset": config.preset, "Data": data_label(config), "Protocol": config.protocol.name},
        claims=None if claims is None else claim_rows(read_claims(claims), _collection(config), config.published),
        links={f"published {name}": f"published/{name}/results/explorer.html" for name in config.published},
    )


def _frame(
    config: Configuration, root: Path, by_signal: Mapping[tuple[str, str], list[Curve]], kind: str
) -> pd.DataFrame:
    """Result files of one kind as one frame; each row has its exit rule, which some files have in their name alone."""
    frames = []
    for task, signal in by_signal:
        frame = read_frame(root / f"results/{task}/{signal}_{kind}.csv")
        if "exit_rule" not in frame:
            frame["exit_rule"] = [config.variants[variant].rule_for(signal) for variant in frame["variant"]]
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _risks(config: Configuration, root: Path) -> dict[str, pd.DataFrame]:
    """Certified risks, under the key "risk"; empty where none are."""
    frames = [read_frame(root / file) for file in risk_files(config)]
    return {"risk": pd.concat(frames, ignore_index=True)} if frames else {}


def _collection(config: Configuration) -> str | None:
    """Name of the published collection that the page shows."""
    return Path(config.predictions).name if config.predictions else None


def _is_static(config: Configuration, curve: Curve) -> bool:
    return config.variants[curve.variant].is_static


def _series(config: Configuration, by_signal: dict[tuple[str, str], list[Curve]]) -> list[Series]:
    """The lines of the trade-off view in display order: variants by signal, those with own rules, controls."""
    signals = [signal for signal in config.signals if any(there == signal for _, there in by_signal)]
    found: dict[str, Series] = {}
    for name, variant in config.variants.items():
        for (_, signal), there in by_signal.items():
            for curve in there:
                if curve.variant == name and not variant.is_static:
                    kind = "own" if signal == RULE else "signal"
                    label = f"{variant.label} ({_rule_label(curve.rule)})" if kind == "own" else variant.label
                    identity = series_id(name, curve.rule)
                    found.setdefault(identity, Series(identity, name, curve.rule, label, kind))
    for signal in signals:
        for control in CONTROLS:
            identity = series_id(control, signal)
            found[identity] = Series(identity, control, signal, CONTROL_LABELS[control], "control")
    for name, variant in config.variants.items():
        if variant.is_static and variant.depths != "others":
            found[name] = Series(name, name, "none", variant.label, "static")
    return list(found.values())


def _rule_label(rule: str) -> str:
    """Name of a rule in labels; of a family, without the patience, which is chosen."""
    return RULES[rule].label.replace(", 2 in a row", " in a row") if rule in RULES and rule not in SIGNALS else rule


def _line(config: Configuration, root: Path, curve: Curve) -> Line:
    def outputs(split: str) -> list[tuple[str, ExitOutputs]]:
        files = {run.name: root / run.outputs_file(split, curve.rule) for run in curve.runs}
        return [(name, load_outputs(file)) for name, file in files.items() if file.is_file()]

    identity, selection = series_id(curve.variant, curve.rule), config.protocol.selection_split
    return Line(curve.task, curve.backbone, identity, curve.seed, outputs, selection)


def _points(
    config: Configuration, by_signal: dict[tuple[str, str], list[Curve]], root: Path
) -> dict[tuple[str, float], Points]:
    """Operating points at equal cost on dev; static models, which have no exit rule, under their own name."""
    found: dict[tuple[str, float], Points] = {}
    for (_, signal), there in by_signal.items():
        compared = [curve for curve in there if config.variants[curve.variant].depths != "others"]
        if signal not in (config.signals[0], RULE):
            compared = [curve for curve in compared if not _is_static(config, curve)]
        for backbone in dict.fromkeys(curve.backbone for curve in compared):
            here = [curve for curve in compared if curve.backbone == backbone]
            rules = {curve.variant: curve.rule for curve in here}
            for target in config.protocol.targets:
                points = matched_points(here, target, root, selection=config.protocol.selection_split)
                named = {
                    (task, variant if config.variants[variant].is_static else series_id(variant, rules[variant])): side
                    for (task, variant), side in points.items()
                }
                found.setdefault((backbone, target), {}).update(named)
    return found


def _histories(runs: Iterable[Run], root: Path) -> pd.DataFrame:
    frames = []
    for run in runs:
        history = read_frame(root / run.folder / "history.csv")
        identity = {name: getattr(run, name) for name in ("task", "backbone", "variant", "name", "seed")}
        frames.append(history[[name for name in HISTORY if name in history]].assign(**identity))
    return pd.concat(frames, ignore_index=True)


def _examples(root: Path, task: str) -> pd.DataFrame:
    rows = read_frame(root / f"resources/rows/{task}.parquet")
    return rows[[name for name in EXAMPLES if name in rows]]


def _latency(config: Configuration, root: Path) -> pd.DataFrame | None:
    """Measured speed-ups with the run that was timed."""
    file, timed = root / "results/tables/latency.csv", config.latency
    if timed is None or not file.is_file():
        return None
    rule = config.variants[timed.variant].rule_for(config.signals[0])
    return read_frame(file).assign(
        task=timed.task, backbone=timed.backbone, series=series_id(timed.variant, rule), seed=_first_seed(config)
    )


def _first_seed(config: Configuration) -> Any:
    return config.seeds[0]
