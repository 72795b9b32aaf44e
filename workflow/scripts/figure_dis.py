"""Figure 5: difficulty inversion score of three exits, by variant."""

from typing import TYPE_CHECKING

from cosee.figures import dis_figure, save
from cosee.io import read_frames
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    spec = snakemake.params.spec
    figure = dis_figure(
        read_frames(snakemake.input.frames),
        snakemake.params.labels,
        snakemake.params.note,
        backbone=spec["backbone"],
        signal=spec["signal"],
        tasks=spec["tasks"],
    )
    for path in snakemake.output:
        save(figure, path)
