"""Trade-off curves, scores at target speed-ups, DIS and exit-layer histograms of one task and signal."""

from typing import TYPE_CHECKING

import pandas as pd

from cosee import evaluation as ev
from cosee import plan
from cosee.io import write_frame
from cosee.predictions import load_predictions
from cosee.scripting import logged
from cosee.seeds import numpy_generator
from cosee.signals import SIGNALS
from cosee.tasks import TASKS

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    config, name, signal = snakemake.config, snakemake.wildcards.task, SIGNALS[snakemake.wildcards.signal]
    tradeoff, targets, dis, exits = [], [], [], []
    for run in plan.evaluated_runs(config, name, signal.name):
        who = ev.RunId(name, run.backbone, run.variant, run.seed)
        splits = {s: load_predictions(f"{run.folder}/logits-{s}.npz") for s in plan.evaluated_splits(run, config)}
        evaluated = {s: splits[s] for s in TASKS[name].eval_splits}
        if len(splits["dev"].exit_depths) == 1:
            tradeoff += [ev.static_frame(who, predictions, s, signal.name) for s, predictions in evaluated.items()]
            targets += [ev.static_targets_frame(who, predictions, s) for s, predictions in evaluated.items()]
            continue
        found = ev.target_thresholds(splits[plan.selection_split(config)], signal, snakemake.params.targets)
        shown = [*found, *((float("nan"), threshold) for threshold in snakemake.params.thresholds)]
        for s, predictions in evaluated.items():
            tradeoff.append(ev.tradeoff_frame(who, predictions, s, signal))
            targets.append(ev.targets_frame(who, predictions, s, signal, found))
            dis.append(ev.dis_frame(who, predictions, s, signal))
            if run.variant == config["control"]:
                tradeoff.append(
                    ev.random_frame(who, predictions, s, numpy_generator(run.seed, "random", s), signal.name)
                )
                tradeoff.append(ev.oracle_frame(who, predictions, s, signal.name))
        exits += [ev.histogram_frame(who, splits[s], s, signal, shown) for s in ("fit", "dev")]
    for kind, frames in (("tradeoff", tradeoff), ("targets", targets), ("dis", dis), ("exits", exits)):
        write_frame(snakemake.output[kind], pd.concat(frames, ignore_index=True))
