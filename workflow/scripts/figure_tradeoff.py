"""Figures 4, 8 and 9: score against speed-up."""

from typing import TYPE_CHECKING

from cosee.figures import save, tradeoff_figure
from cosee.io import read_frames
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    spec, labels = snakemake.params.spec, snakemake.params.labels
    curves, control = read_frames(snakemake.input.frames), snakemake.config["control"]
    reference = read_frames(snakemake.input.reference) if snakemake.input.reference else None
    first = snakemake.config["signals"][0]
    figure = tradeoff_figure(
        curves,
        labels,
        snakemake.params.note,
        backbone=spec["backbone"],
        tasks=spec["tasks"],
        reference=reference,
        reference_labels={control: f"{labels[control]} ({first})"} if reference is not None else None,
    )
    for path in snakemake.output:
        save(figure, path)
