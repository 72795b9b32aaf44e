"""Table of all methods: variants of one backbone, compared by trade-off curve and training cost."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cosee.evaluation.frames import NO_RULE, STATIC
from cosee.evaluation.interpolation import at_speedups
from cosee.evaluation.selection import curve_area
from cosee.plan.captions import Protocol
from cosee.tables.text import FIXED, NONE, count, decimal, mean_std, speedups_text

MEASURES = (
    *("score", "speedup", "speedup_flops", "score_at", "area", "fastest", "elue"),
    *("rank_at", "rank_area", "seconds", "stages", "models"),
)
"""Measures of `summary`, in order; scores are percentages."""

COLUMNS = (
    *("task", "variant", "name", "measure", "target_speedup", "mean", "std", "num_seeds", "exit_rule", "adjustable"),
    *("split", "protocol", "backbone"),
)
"""Columns of the long table, in order."""

_STATIC_LABEL = "models of k layers"
_AVERAGE = "average"
_AREA = (1.5, 4.0)
_RUN = ["task", "variant", "seed"]
_MEASURE = ["measure", "target_speedup"]


def summary(
    curves: pd.DataFrame,
    targets: pd.DataFrame,
    training: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    backbone: str,
    protocol: Protocol,
    rank_at: float = 2.0,
) -> pd.DataFrame:
    """Every measure of every variant on dev: mean and standard deviation over seeds, per task and averaged over tasks.

    - score, speedup, speedup_flops: realized with the threshold chosen for `target_speedup`.
    - score_at: score of the trade-off curve at exactly `target_speedup`, if it reaches that; at 1 that of full depth.
    - area, fastest: mean score over speed-ups 1.5 to 4 (`curve_area`, constant beyond the end of the curve), and the
      highest speed-up of the curve.
    - elue: see `elue_score`.
    - rank_at, rank_area: rank among the variants by `score_at` and by `area`, 1 is the best; missing for a curve that
      does not reach `rank_at`, or the end of the area.
    - seconds, stages, models: time to train all models of a curve, stages of each, and number of models.

    The models of k layers are listed too, unranked, if every k was trained; the point closest to a target counts, as
    for all variants without a test-time threshold.

    Args:
        curves: the files `results/<task>/<signal>_tradeoff.csv` together, scores in 0..1.
        targets: the files `results/<task>/<signal>_targets.csv` together.
        training: task, backbone, variant, seed, seconds, stages; one row per trained model.
        labels: variant -> name in the table, in display order; other variants are omitted.
        backbone: key of the backbone.
        protocol: protocol by which the thresholds were chosen.
        rank_at: speed-up at which variants are ranked.

    Returns:
        `COLUMNS`. The task "average" is the mean over all tasks, for seeds with all of them.
    """
    curves, targets = (f[(f["backbone"] == backbone) & (f["split"] == "dev")] for f in (curves, targets))
    line, names = static_line(curves), {**labels, STATIC: _STATIC_LABEL}
    curves = pd.concat([curves[curves["variant"].isin(labels)], line])
    points = targets[targets["variant"].isin(labels)].dropna(subset="target_speedup")
    sought = sorted(points["target_speedup"].unique())
    points = pd.concat([points, _nearest(line, sought)])
    runs = pd.concat(
        [
            _long(points, "score", "speedup", "speedup_flops"),
            _long(_exact_scores(curves, [1.0, *sought]), "score_at"),
            _long(_whole_curves(curves), "area", "fastest"),
            _long(_elue_scores(points, line), "elue"),
            _long(_costs(training[training["backbone"] == backbone], curves), "seconds", "stages", "models"),
        ]
    )
    num_tasks = curves["task"].nunique()
    runs = pd.concat([runs, _average(runs, ["variant", "seed"], num_tasks)])
    table = runs.groupby(["task", "variant", *_MEASURE], as_index=False, dropna=False).agg(
        mean=("value", "mean"), std=("value", "std"), num_seeds=("seed", "nunique")
    )
    table = pd.concat([table, _ranks(table, labels, rank_at, num_tasks)])
    order = {"task": [*dict.fromkeys(curves["task"]), _AVERAGE], "variant": list(names), "measure": list(MEASURES)}
    for column, values in order.items():
        table[column] = pd.Categorical(table[column], values)
    table = table.sort_values([*order, "target_speedup"], ignore_index=True).astype(dict.fromkeys(order, str))
    table = table.join(points.groupby("variant")[["exit_rule", "adjustable"]].first(), on="variant")
    table = table.astype({"num_seeds": "Int64"}).assign(name=table["variant"].map(names))
    table = table.assign(split="dev", protocol=protocol, backbone=backbone)
    return table[list(COLUMNS)]


def summary_wide(table: pd.DataFrame, rank_at: float = 2.0) -> pd.DataFrame:
    """One row per variant from `summary`: averages over the tasks, for variants with all of them.

    For every target speed-up the score, with the realized speed-up in brackets.
    """
    lines = []
    for _, group in table[table["task"] == _AVERAGE].groupby("variant", sort=False):
        cells = {(row.measure, row.target_speedup): row for row in group[group["target_speedup"].notna()].itertuples()}
        whole = group[group["target_speedup"].isna()].set_index("measure")
        mean, std = (whole[column].reindex(MEASURES) for column in ("mean", "std"))
        line = {"Method": group["name"].iloc[0] + ("" if group["adjustable"].iloc[0] else FIXED)}
        for target in sorted(table["target_speedup"].dropna().unique()):
            if target != 1:
                line[f"{target:g}× asked for"] = _realized(cells, target)
        line[f"{rank_at:g}× exactly"] = _text(cells.get(("score_at", rank_at)))
        line["Full depth"] = _text(cells.get(("score_at", 1.0)))
        line["Area"] = mean_std(mean["area"], std["area"])
        line["Up to"] = NONE if np.isnan(mean["fastest"]) else f"{mean['fastest']:.1f}×"
        line["ELUE"] = mean_std(mean["elue"], std["elue"])
        line[f"Rank at {rank_at:g}×"], line["Rank by area"] = decimal(mean["rank_at"]), decimal(mean["rank_area"])
        line["Training (s)"], line["Stages"] = count(mean["seconds"]), decimal(mean["stages"], 0)
        line["Models"] = decimal(mean["models"], 0)
        lines.append(line)
    return pd.DataFrame(lines)


def elue_score(points: pd.DataFrame, line: pd.DataFrame) -> float:
    """ELUE score (Liu et al. 2022): mean distance of operating points above the models of k layers.

    Mean over the points of their score minus that of the line at the same cost. Cost is the fraction of the full
    model's FLOPs, exits included; the line is linear in cost between the models and constant beyond them.

    Args:
        points: columns speedup_flops and score; the operating points of one model or of several, each once.
        line: the same of the models of k layers.
    """
    line = line.assign(cost=1 / line["speedup_flops"]).groupby("cost")["score"].mean()
    return float((points["score"] - np.interp(1 / points["speedup_flops"], line.index, line)).mean())


def static_line(curves: pd.DataFrame) -> pd.DataFrame:
    """The models of k layers, for tasks and seeds with a model of every depth."""
    line = curves[curves["variant"] == STATIC]
    depths = line.groupby(["task", "seed"])["mean_exit_layer"].transform("nunique")
    return line[depths == line["mean_exit_layer"].max()]


def _nearest(line: pd.DataFrame, targets: Sequence[float]) -> pd.DataFrame:
    """The model of k layers closest to every target speed-up, as rows of targets."""
    rows = [
        models.loc[[(models["speedup"] - target).abs().idxmin()]].assign(target_speedup=target)
        for _, models in line.groupby(["task", "seed"])
        for target in targets
    ]
    return pd.concat([line.iloc[:0], *rows]).assign(exit_rule=NO_RULE, adjustable=False)


def _exact_scores(curves: pd.DataFrame, speedups: Sequence[float]) -> pd.DataFrame:
    wanted = curves[["task", "variant"]].drop_duplicates().merge(pd.DataFrame({"speedup": speedups}), how="cross")
    return at_speedups(curves, wanted).rename(columns={"speedup": "target_speedup", "score": "score_at"})


def _whole_curves(curves: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        [(*run, curve_area(curve, *_AREA), curve["speedup"].max()) for run, curve in curves.groupby(_RUN)],
        columns=[*_RUN, "area", "fastest"],
    )


def _elue_scores(points: pd.DataFrame, line: pd.DataFrame) -> pd.DataFrame:
    """ELUE score of every run on tasks with the line; a point that serves two targets counts once."""
    distinct = points.drop_duplicates([*_RUN, "speedup_flops", "score"])
    lines = dict(list(line.groupby("task")))
    return pd.DataFrame(
        [
            (*run, elue_score(group, lines[run[0]]))
            for run, group in distinct[distinct["task"].isin(lines)].groupby(_RUN)
        ],
        columns=[*_RUN, "elue"],
    )


def _costs(training: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Training cost of all models of every curve."""
    of_curves = training.merge(curves[_RUN].drop_duplicates())
    return of_curves.groupby(_RUN, as_index=False).agg(
        seconds=("seconds", "sum"), stages=("stages", "max"), models=("seconds", "size")
    )


def _long(frame: pd.DataFrame, *measures: str) -> pd.DataFrame:
    """One row per run and measure, scores in percent."""
    frame = frame.assign(target_speedup=frame.get("target_speedup", np.nan))
    long = frame.melt([*_RUN, "target_speedup"], measures, var_name="measure").astype({"value": float})
    is_score = long["measure"].isin(("score", "score_at", "area", "elue"))
    return long.assign(value=long["value"].where(~is_score, 100 * long["value"]))


def _average(values: pd.DataFrame, by: list[str], num_tasks: int) -> pd.DataFrame:
    """Means over the tasks, if all of them have a value."""
    groups = values.dropna(subset="value").groupby([*by, *_MEASURE], dropna=False)["value"]
    return groups.mean()[groups.size() == num_tasks].reset_index().assign(task=_AVERAGE)


def _ranks(table: pd.DataFrame, labels: Mapping[str, str], at: float, num_tasks: int) -> pd.DataFrame:
    """Ranks of the variants on every task, and their means."""
    of_variants = table[table["variant"].isin(labels) & (table["task"] != _AVERAGE)]
    fastest = of_variants[of_variants["measure"] == "fastest"].set_index(["task", "variant"])["mean"]
    by_score = of_variants[(of_variants["measure"] == "score_at") & (of_variants["target_speedup"] == at)]
    by_area = of_variants[of_variants["measure"] == "area"].join(fastest.rename("end"), on=["task", "variant"])
    ranked = [
        rows.assign(measure=measure, value=rows.groupby("task")["mean"].rank(ascending=False))
        for measure, rows in (("rank_at", by_score), ("rank_area", by_area[by_area["end"] >= _AREA[1]]))
    ]
    ranks = pd.concat(ranked).assign(target_speedup=np.nan)
    ranks = pd.concat([ranks, _average(ranks, ["variant"], num_tasks)])
    return ranks.assign(mean=ranks["value"], std=np.nan)[["task", "variant", *_MEASURE, "mean", "std", "num_seeds"]]


def _realized(cells: Mapping, target: float) -> str:
    score, speedup, flops = (cells.get((name, target)) for name in ("score", "speedup", "speedup_flops"))
    return NONE if score is None else f"{_text(score)} ({speedups_text([speedup.mean], [flops.mean])})"


def _text(row: object | None) -> str:
    return NONE if row is None else mean_std(row.mean, row.std)
