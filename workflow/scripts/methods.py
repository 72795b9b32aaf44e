"""Table of all methods: trade-off curves and training cost."""

from typing import TYPE_CHECKING

import pandas as pd

from cosee.evaluation.frames import CURVE, STATIC, TARGET
from cosee.io import read_frames
from cosee.plan.configuration import configuration
from cosee.plan.shown import trained_curves
from cosee.runs.records import place_inputs
from cosee.runs.stored import read_run
from cosee.scripting import logged
from cosee.tables import summary, summary_wide, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    place_inputs(snakemake.input)
    config, params = configuration(snakemake.config), snakemake.params
    trained = []
    for curve in trained_curves(config, config.tables.methods):
        is_static = config.variants[curve.variant].is_static
        identity = {"task": curve.task, "backbone": curve.backbone, "variant": STATIC if is_static else curve.variant}
        for run in curve.runs:
            facts = read_run(run.folder)
            cost = {"seconds": facts["seconds"]["training"], "stages": facts["stages"]}
            trained.append(identity | {"seed": curve.seed} | cost)
    table = summary(
        read_frames(snakemake.input.curves, CURVE),
        read_frames(snakemake.input.targets, TARGET),
        pd.DataFrame(trained),
        params.labels,
        backbone=params.spec["backbone"],
        protocol=params.protocol,
        rank_at=params.target,
    )
    wide = summary_wide(table, params.target)
    write_table(snakemake.output, table, wide, params.caption, "methods")
