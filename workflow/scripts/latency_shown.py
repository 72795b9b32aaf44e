"""The table and the figure of the timings."""

from typing import TYPE_CHECKING

from cosee import figures
from cosee.evaluation.latency import conditions, latency
from cosee.io import read_frame, write_frame, write_text
from cosee.scripting import logged
from cosee.tables import latency_wide, to_latex, to_markdown

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    timings = read_frame(snakemake.input[0])
    measured = conditions(timings)
    table, caption = latency(timings), f"{snakemake.params.caption} {measured}"
    wide = latency_wide(table)
    write_frame(snakemake.output.csv, table)
    write_text(snakemake.output.md, to_markdown(wide, caption))
    write_text(snakemake.output.tex, to_latex(wide, caption, "tab:latency"))
    figure = figures.latency_figure(timings, f"{snakemake.params.note} {measured}")
    for path in (snakemake.output.svg, snakemake.output.png):
        figures.save(figure, path)
