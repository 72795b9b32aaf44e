"""Table of the calibration of answers: exit bias, expected calibration error, likelihood."""

from typing import TYPE_CHECKING

from cosee.io import read_frames
from cosee.scripting import logged
from cosee.tables import calibration, calibration_wide, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    params = snakemake.params
    table = calibration(read_frames(snakemake.input), params.labels, backbone=params.backbone)
    wide = calibration_wide(table, params.target)
    write_table(snakemake.output, table, wide, params.caption, "calibration")
