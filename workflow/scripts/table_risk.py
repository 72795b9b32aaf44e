"""Table of risks: thresholds certified on `cal`, and what they realize on dev."""

from typing import TYPE_CHECKING

from cosee.io import read_frames
from cosee.scripting import logged
from cosee.tables import risks, risks_wide, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    params = snakemake.params
    table = risks(read_frames(snakemake.input), params.labels, backbone=params.backbone)
    write_table(snakemake.output, table, risks_wide(table, **params.shown), params.caption, "risk")
