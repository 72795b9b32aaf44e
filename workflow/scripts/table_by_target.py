"""A table of the measures of every variant at the target speed-ups: calibration of the answers, or steps needed."""

from typing import TYPE_CHECKING

from cosee.io import read_frames
from cosee.scripting import logged
from cosee.tables import calibration, calibration_wide, steps_table, steps_wide, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

TABLES = {"calibration": (calibration, calibration_wide), "steps": (steps_table, steps_wide)}

with logged(snakemake.log[0]):
    params = snakemake.params
    long, wide = TABLES[params.name]
    table = long(read_frames(snakemake.input), params.labels, backbone=params.backbone)
    write_table(snakemake.output, table, wide(table, params.target), params.caption, params.name)
