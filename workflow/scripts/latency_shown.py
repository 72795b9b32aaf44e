"""Table and figure of latencies."""

from typing import TYPE_CHECKING

from cosee import figures
from cosee.evaluation.latency import conditions, latency
from cosee.io import read_frame
from cosee.scripting import logged
from cosee.tables import latency_wide, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    timings = read_frame(snakemake.input[0])
    measured = conditions(timings)
    table, caption = latency(timings), f"{snakemake.params.caption} {measured}"
    wide = latency_wide(table)
    write_table(snakemake.output, table, wide, caption, "latency")
    figure = figures.latency_figure(timings, f"{snakemake.params.note} {measured}")
    for path in (snakemake.output.svg, snakemake.output.png):
        figures.save(figure, path)
