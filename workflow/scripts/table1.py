"""Table 1: data statistics."""

from typing import TYPE_CHECKING

from cosee.io import read_frame, read_frames
from cosee.scripting import logged
from cosee.tables import data_statistics, data_statistics_wide, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    counts, reported = read_frames(snakemake.input.counts), read_frame(snakemake.input.reported)
    table = data_statistics(counts, reported, snakemake.params.generated)
    wide, caption = data_statistics_wide(table), snakemake.params.caption
    write_table(snakemake.output, table, wide, caption, "data")
