"""Table of encoders: what exits keep of each, beside encoders without exits."""

from typing import TYPE_CHECKING

from cosee.io import read_frames
from cosee.scripting import logged
from cosee.tables import encoders, encoders_wide, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    params = snakemake.params
    curves = read_frames(snakemake.input.curves)
    table = encoders(curves, params.layers, params.labels, params.targets, params.protocol)
    write_table(snakemake.output, table, encoders_wide(table, params.names), params.caption, "encoders")
