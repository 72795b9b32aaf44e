"""The mini encoders that come with the package, made anew."""

from pathlib import Path
from typing import TYPE_CHECKING

from cosee.scripting import logged
from cosee.synthetic.steps.shipped import make_encoders

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    folder = Path(snakemake.output[0]).parents[1]
    make_encoders(folder, seed=snakemake.params.seed, threads=snakemake.threads, share=snakemake.params.share)
