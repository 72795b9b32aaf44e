"""Token ids of one task for one backbone."""

from typing import TYPE_CHECKING

from cosee.io import read_frame
from cosee.scripting import logged
from cosee.tokens import encode, save_tokens

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    rows = read_frame(snakemake.input.rows)
    save_tokens(snakemake.output[0], encode(rows, snakemake.input.tokenizer, snakemake.params.max_length))
