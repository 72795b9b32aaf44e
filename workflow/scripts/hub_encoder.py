"""Files of one encoder from the hub."""

from typing import TYPE_CHECKING

from cosee.models.hub import fetch_files
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    fetch_files(snakemake.params.source["repository"], snakemake.params.source["revision"], snakemake.output[0])
