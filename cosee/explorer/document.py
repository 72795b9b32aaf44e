"""The document that a page reads, made of a `Source`: every number of every view."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from cosee.data.tasks import TASKS
from cosee.evaluation.members import fitted_member, is_fitted
from cosee.evaluation.outputs import ExitOutputs
from cosee.explorer.claims import SHOWN
from cosee.explorer.curves import bands, curve_columns, thinned
from cosee.explorer.differences import difference_rows, equal_cost_scores
from cosee.explorer.examples import model_columns, sampled_examples, split_columns
from cosee.explorer.pack import Pack
from cosee.explorer.reliability import calibration_columns, risk_columns
from cosee.explorer.source import Line, Source, with_series
from cosee.explorer.training import training_curves
from cosee.methods import rule_named

CURVE = ["task", "backbone", "split", "series", "seed"]
"""Columns that identify the curve of one seed."""

TARGETS = ("target_speedup", "threshold", "speedup", "speedup_flops", "score", "accuracy", "f1")
DIS = ("layer", "dis", "dis_strict")
LAYERS = ("layer", "score", "accuracy", "loss")
"""Columns of the result files that the page shows as they are."""


def document(source: Source, pack: Pack) -> dict[str, Any]:
    """Everything that the page shows, as JSON values and arrays in a pack.

    Raises:
        InputError: results and stored outputs do not belong together.
    """
    frames = {kind: with_series(frame) for kind, frame in source.frames.items()}
    tradeoff = frames["tradeoff"]
    there = set(tradeoff["series"])
    curves, splits = _curves_and_splits(source, tradeoff, pack)
    return {
        "title": source.title,
        "data": source.data,
        "backbones": dict(source.backbones),
        "tasks": {name: _task(name) for name in TASKS if name in set(tradeoff["task"])},
        "series": [series._asdict() for series in source.series if series.id in there],
        "reference": source.reference,
        "targets": list(source.targets),
        "splits": splits,
        "curves": curves,
        "bands": list(bands(tradeoff, pack)),
        "atTargets": _rows(frames["targets"], TARGETS),
        "dis": _per_exit(frames["dis"], DIS, pack),
        "layers": _per_exit(frames["layers"], LAYERS, pack),
        "risk": risk_columns(frames.get("risk"), pack),
        "calibration": calibration_columns(frames.get("calibration"), pack),
        "differences": list(difference_rows(source.points)),
        "equalCost": list(equal_cost_scores(source.points)),
        "latency": None if source.latency is None else _records(source.latency),
        "training": list(training_curves(source.histories, pack)) if len(source.histories) else [],
        "claims": None if source.claims is None else {"columns": list(SHOWN), "rows": list(source.claims)},
        "provenance": dict(source.provenance),
        "noText": source.no_text,
        "links": dict(source.links),
    }


def _task(name: str) -> dict[str, Any]:
    task = TASKS[name]
    score = "accuracy" if task.metrics == ("accuracy",) else "mean of accuracy and F1"
    return {"label": task.label, "classes": list(task.classes), "score": score}


def _outputs(source: Source) -> Iterator[tuple[Line, str, list[tuple[str, ExitOutputs]]]]:
    """Every line with each split that its results show, and the outputs there."""
    tradeoff = source.frames["tradeoff"]
    splits = tradeoff.groupby("task")["split"].unique()
    for line in source.lines:
        for split in splits.get(line.task, ()):
            models = line.outputs(split)
            if models:
                yield line, split, models


def _curves_and_splits(
    source: Source, tradeoff: pd.DataFrame, pack: Pack
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The curve of every seed, and the examples of every task and split of which some curve has outputs.

    A curve has its operating points, and the models behind them where outputs are stored. Several models, patiences or
    schedules take turns along one curve: `state` tells which one a point belongs to, and `point` which of that one's
    points it is. The outputs of one curve are in memory at a time.
    """
    rows_of = {identity: thinned(rows) for identity, rows in tradeoff.groupby(CURVE, sort=False)}
    states: dict[tuple[Any, ...], dict[str, Any]] = {}
    splits: dict[tuple[str, str], dict[str, Any]] = {}
    for line, split, models in _outputs(source):
        identity = (line.task, line.backbone, split, line.series, line.seed)
        if identity in rows_of:
            states[identity] = _states(line, dict(models), rows_of[identity], pack)
        if (line.task, split) not in splits:
            known = source.examples.get(line.task)
            examples = split_columns(models[0][1], None if known is None else known[known["split"] == split], pack)
            splits[line.task, split] = {"task": line.task, "split": split, **examples}
    curves = [
        {
            **dict(zip(CURVE, identity, strict=True)),
            "seed": int(identity[-1]),
            "depth": round(float((rows["speedup"] * rows["mean_exit_layer"]).iloc[0])),
            **curve_columns(rows, pack),
            **states.get(identity, {}),
        }
        for identity, rows in rows_of.items()
    ]
    return curves, list(splits.values())


def _states(line: Line, models: dict[str, ExitOutputs], rows: pd.DataFrame, pack: Pack) -> dict[str, Any]:
    selected = dict(line.outputs(line.selection)) if rows["rule"].map(is_fitted).any() else {}
    states, state, point = [], pd.Series(0, rows.index), pd.Series(0, rows.index)
    for place, ((model, name), points) in enumerate(rows.groupby(["model", "rule"], sort=False)):
        outputs = models[model]
        rule = fitted_member(name, selected[model]) if is_fitted(name) else rule_named(name)
        kept = sampled_examples(len(outputs.labels))
        states.append(model_columns(model, outputs, rule, points, kept, pack))
        state[points.index], point[points.index] = place, range(len(points))
    return {"states": states, "state": pack.add(state, "u1"), "point": pack.add(point, "u1")}


def _rows(frame: pd.DataFrame, columns: tuple[str, ...]) -> dict[str, Any]:
    """Rows of a result file with their identity, for operating points that were sought for a target."""
    sought = frame[frame["target_speedup"].notna()]
    kept = sought[[*CURVE, "model", "rule", *columns]]
    return {"columns": list(kept.columns), "rows": _records(kept, as_lists=True)}


def _per_exit(frame: pd.DataFrame, columns: tuple[str, ...], pack: Pack) -> list[dict[str, Any]]:
    """One entry for every model: its values at every exit."""
    found = []
    for identity, rows in frame.groupby([*CURVE, "model"], sort=False):
        if len(rows) > 1:
            entry = dict(zip([*CURVE, "model"], identity, strict=True)) | {"seed": int(identity[4])}
            found.append(entry | {name: pack.add(rows[name], "f4") for name in columns})
    return found


def _records(frame: pd.DataFrame, as_lists: bool = False) -> list[Any]:
    """Rows as JSON values, NaN as None, numbers to seven digits."""
    values = [
        [None if pd.isna(cell) else float(f"{cell:.7g}") if isinstance(cell, float) else cell for cell in row]
        for row in frame.astype(object).to_numpy().tolist()
    ]
    return values if as_lists else [dict(zip(frame.columns, row, strict=True)) for row in values]
