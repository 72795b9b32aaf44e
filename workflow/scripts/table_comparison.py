"""Tables 2 and 3: reported scores beside those measured here."""

from typing import TYPE_CHECKING

from cosee.evaluation.frames import CURVE, TARGET
from cosee.io import read_frame, read_frames
from cosee.scripting import logged
from cosee.tables import comparison, comparison_wide, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    params = snakemake.params
    table = comparison(
        read_frame(snakemake.input.reported),
        read_frames(snakemake.input.targets, TARGET),
        read_frames(snakemake.input.curves, CURVE),
        params.labels,
        backbone=params.backbone,
        signal=params.signal,
        protocol=params.protocol,
        target_speedup=params.target,
    )
    wide = comparison_wide(table, params.labels)
    write_table(snakemake.output, table, wide, params.caption, params.name)
