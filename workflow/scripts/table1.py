"""Table 1: data statistics."""

from typing import TYPE_CHECKING

from cosee.io import read_frame, read_frames, write_frame, write_text
from cosee.scripting import logged
from cosee.tables import data_statistics, data_statistics_wide, to_latex, to_markdown

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    counts, reported = read_frames(snakemake.input.counts), read_frame(snakemake.input.reported)
    table = data_statistics(counts, reported, snakemake.params.generated)
    wide, caption = data_statistics_wide(table), snakemake.params.caption
    write_frame(snakemake.output.csv, table)
    write_text(snakemake.output.md, to_markdown(wide, caption))
    write_text(snakemake.output.tex, to_latex(wide, caption, "tab:data"))
