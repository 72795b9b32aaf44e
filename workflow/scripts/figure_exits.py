"""Figures 1 and 7: where samples exit, by class."""

from typing import TYPE_CHECKING

from cosee.figures import exit_histogram_figure, save
from cosee.io import read_frames
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    spec = snakemake.params.spec
    exits = read_frames(snakemake.input.frames)
    wanted = exits["target_speedup"].isin(spec.get("targets", [])) | (
        exits["target_speedup"].isna() & exits["threshold"].isin(spec.get("thresholds", []))
    )
    if "targets" not in spec:  # Figure 1 shows the development set alone
        wanted &= exits["split"] == "dev"
    figure = exit_histogram_figure(
        exits[wanted],
        snakemake.params.note,
        task=spec["tasks"][0],
        method=spec["variants"][0],
        backbone=spec["backbone"],
        signal=spec["signal"],
    )
    for path in snakemake.output:
        save(figure, path)
