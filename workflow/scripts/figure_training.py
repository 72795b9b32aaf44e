"""Figure 6: training curves."""

from typing import TYPE_CHECKING

import pandas as pd

from cosee import plan
from cosee.figures import save, training_figure
from cosee.io import read_frame
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    spec = snakemake.params.spec
    histories = [
        read_frame(f"{run.folder}/history.csv").assign(
            task=run.task, backbone=run.backbone, method=run.variant, seed=run.seed
        )
        for run in plan.shown_runs(snakemake.config, spec)
    ]
    figure = training_figure(
        pd.concat(histories, ignore_index=True),
        snakemake.params.labels,
        snakemake.params.note,
        backbone=spec["backbone"],
        tasks=spec["tasks"],
    )
    for path in snakemake.output:
        save(figure, path)
