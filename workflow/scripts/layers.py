"""Every exit alone, and the distribution of the energy at every exit, for one task."""

from typing import TYPE_CHECKING

import pandas as pd

from cosee import evaluation as ev
from cosee import plan
from cosee.io import write_frame
from cosee.predictions import load_predictions
from cosee.scripting import logged
from cosee.tasks import TASKS

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    config, name = snakemake.config, snakemake.wildcards.task
    layers, density = [], []
    for run in plan.evaluated_runs(config, name, config["signals"][0]):
        who = ev.RunId(name, run.backbone, run.variant, run.seed)
        for split in TASKS[name].eval_splits:
            predictions = load_predictions(f"{run.folder}/logits-{split}.npz")
            layers.append(ev.layers_frame(who, predictions, split))
            if len(predictions.exit_depths) > 1:
                density.append(ev.density_frame(who, predictions, split))
    write_frame(snakemake.output.layers, pd.concat(layers, ignore_index=True))
    write_frame(snakemake.output.density, pd.concat(density, ignore_index=True))
