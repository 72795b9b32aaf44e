"""Table of early exit against the known depth of examples."""

from typing import TYPE_CHECKING

from cosee.io import read_frames
from cosee.scripting import logged
from cosee.tables import steps_table, steps_wide, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    params = snakemake.params
    table = steps_table(read_frames(snakemake.input), params.labels, backbone=params.backbone)
    wide = steps_wide(table, params.target)
    write_table(snakemake.output, table, wide, params.caption, "steps")
