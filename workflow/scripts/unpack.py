"""Published runs of one task and encoder, as the folders that their trainings left behind."""

from typing import TYPE_CHECKING

from cosee.runs.published import published_runs, unpack
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    wanted = set(snakemake.input)
    for run in published_runs(snakemake.params.collection):
        if str(run.file) in wanted:
            unpack(run, snakemake.params.folders[str(run.file)], snakemake.params.other_rules[str(run.file)])
