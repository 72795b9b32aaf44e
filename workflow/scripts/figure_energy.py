"""Figure 3: distribution of the energy at three exits, raw and normalised."""

from typing import TYPE_CHECKING

from cosee.figures import energy_figure, save
from cosee.io import read_frames
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    spec = snakemake.params.spec
    figure = energy_figure(
        read_frames(snakemake.input.frames),
        snakemake.params.note,
        task=spec["tasks"][0],
        method=spec["variants"][0],
        backbone=spec["backbone"],
        seed=snakemake.config["seeds"][0],
    )
    for path in snakemake.output:
        save(figure, path)
