"""Published runs of one task and encoder, as the folders that their trainings left behind."""

from pathlib import Path
from typing import TYPE_CHECKING

from cosee.plan.configuration import configuration
from cosee.plan.runs import final_runs
from cosee.runs.published import published_runs, unpack
from cosee.runs.records import write_archive, write_record
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    here = (snakemake.wildcards.backbone, snakemake.wildcards.task)
    runs = {run.key: run for run in final_runs(configuration(snakemake.config)) if run.key[:2] == here}
    found = [(run, runs[run[:-1]]) for run in published_runs(snakemake.params.collection) if run[:-1] in runs]
    for published, run in found:
        unpack(published, run.folder, run.other_rules)
    write_record(snakemake.output.record, [run for _, run in found])
    if "archive" in snakemake.output.keys():  # noqa: SIM118 (not a mapping)
        files = [str(file) for _, run in found for file in sorted(Path(run.folder).iterdir())]
        write_archive(snakemake.output.archive, files)
