"""Table 5: all methods by their trade-off curves and by what those cost to train."""

from typing import TYPE_CHECKING

import pandas as pd

from cosee.evaluation.frames import STATIC
from cosee.io import read_frames, read_json, write_frame, write_text
from cosee.plan.curves import trained_curves
from cosee.scripting import logged
from cosee.tables import summary, summary_wide, to_latex, to_markdown

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    config, params = snakemake.config, snakemake.params
    trained = []
    for curve in trained_curves(config, params.spec):
        is_static = "depths" in config["variants"][curve.variant]
        who = {"task": curve.task, "backbone": curve.backbone, "variant": STATIC if is_static else curve.variant}
        for run in curve.runs:
            facts = read_json(f"{run.folder}/run.json")
            cost = {"seconds": facts["seconds"]["training"], "stages": facts["stages"]}
            trained.append(who | {"seed": curve.seed} | cost)
    table = summary(
        read_frames(snakemake.input.curves),
        read_frames(snakemake.input.targets),
        pd.DataFrame(trained),
        params.labels,
        backbone=params.spec["backbone"],
        protocol=params.protocol,
        rank_at=params.target,
    )
    wide = summary_wide(table, params.target)
    write_frame(snakemake.output.csv, table)
    write_text(snakemake.output.md, to_markdown(wide, params.caption))
    write_text(snakemake.output.tex, to_latex(wide, params.caption, "tab:methods"))
