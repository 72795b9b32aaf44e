"""Table of encoders: variants of several backbones, each by its speed-up in layers of its own."""

from collections.abc import Mapping, Sequence

import pandas as pd

from cosee.evaluation.frames import STATIC
from cosee.evaluation.interpolation import at_speedups
from cosee.plan.captions import Protocol
from cosee.tables.text import NONE, mean_std

COLUMNS = (
    *("task", "backbone", "layers", "variant", "name", "target_speedup", "mean", "std", "num_seeds"),
    *("split", "protocol"),
)
"""Columns of the long table, in order."""

_STATIC_LABEL = "fine-tuned, without exits"
_AVERAGE = "average"


def encoders(
    curves: pd.DataFrame,
    layers: Mapping[str, int],
    labels: Mapping[str, str],
    targets: Sequence[float],
    protocol: Protocol,
) -> pd.DataFrame:
    """Score on dev of every encoder at full depth and at exactly the target speed-ups, per task and on average.

    Scores are interpolated on the trade-off curves; where a curve ends before a target there is no row. The fine-tuned
    encoder without exits has full depth alone.

    Args:
        curves: the files `results/<task>/<signal>_tradeoff.csv` together, scores in 0..1.
        layers: backbone -> its depth, in display order; other backbones are omitted.
        labels: variant -> name in the table, in display order; other variants are omitted.
        targets: speed-ups in layers.
        protocol: protocol by which everything was chosen.

    Returns:
        `COLUMNS`, scores in percent: mean and standard deviation over seeds. The task "average" is the mean over the
        tasks, for seeds with all of them.
    """
    curves = curves[(curves["split"] == "dev") & curves["backbone"].isin(layers)]
    names = {STATIC: _STATIC_LABEL, **labels}
    whole = (curves["variant"] != STATIC) | (curves["mean_exit_layer"] == curves["backbone"].map(layers))
    curves = curves[whole & curves["variant"].isin(names)]
    tasks = list(dict.fromkeys(curves["task"]))
    found = []
    for backbone, of_backbone in curves.groupby("backbone"):
        wanted = of_backbone[["task", "variant"]].drop_duplicates()
        wanted = wanted.merge(pd.DataFrame({"speedup": [1.0, *targets]}), how="cross")
        found.append(at_speedups(of_backbone, wanted).assign(backbone=backbone))
    values = pd.concat(found).assign(score=lambda frame: 100 * frame["score"])
    means = values.groupby(["backbone", "variant", "seed", "speedup"])["score"].agg(["mean", "size"]).reset_index()
    means = means[means["size"] == len(tasks)].rename(columns={"mean": "score"}).assign(task=_AVERAGE)
    table = pd.concat([values, means]).groupby(["task", "backbone", "variant", "speedup"], as_index=False)
    table = table.agg(mean=("score", "mean"), std=("score", "std"), num_seeds=("seed", "nunique"))
    order = {"task": [*tasks, _AVERAGE], "backbone": list(layers), "variant": list(names)}
    for column, entries in order.items():
        table[column] = pd.Categorical(table[column], entries)
    table = table.sort_values([*order, "speedup"], ignore_index=True).astype(dict.fromkeys(order, str))
    table = table.rename(columns={"speedup": "target_speedup"}).assign(split="dev", protocol=protocol)
    return table.assign(layers=table["backbone"].map(layers), name=table["variant"].map(names))[list(COLUMNS)]


def encoders_wide(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """One row per encoder and variant from `encoders`: averages over the tasks.

    Args:
        table: the long table.
        names: backbone -> its name.
    """
    average = table[table["task"] == _AVERAGE]
    targets = sorted(average["target_speedup"].unique())
    lines = []
    for (backbone, _), rows in average.groupby(["backbone", "variant"], sort=False):
        cells = {row.target_speedup: mean_std(row.mean, row.std) for row in rows.itertuples()}
        line = {"Encoder": names[backbone], "Layers": str(rows["layers"].iloc[0]), "Method": rows["name"].iloc[0]}
        line |= {"Full depth" if target == 1 else f"{target:g}×": cells.get(target, NONE) for target in targets}
        lines.append(line)
    return pd.DataFrame(lines)
