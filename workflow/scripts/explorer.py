"""The explorer: every result of the workflow in one page."""

from typing import TYPE_CHECKING

from cosee.explorer.from_workflow import workflow_source
from cosee.explorer.page import page
from cosee.io import write_text
from cosee.plan.configuration import configuration
from cosee.provenance import git_commit
from cosee.runs.records import place_inputs
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    place_inputs(snakemake.input)
    claims = snakemake.input.claims[0] if snakemake.input.claims else None
    source = workflow_source(configuration(snakemake.config), claims=claims)
    source.provenance = {**source.provenance, "Page made at commit": git_commit(snakemake.params.project)}
    write_text(snakemake.output[0], page(source))
