"""Token ids of one task for one backbone."""

from typing import TYPE_CHECKING

from cosee.data.tokens import check_tokens, encode, max_positions, save_tokens
from cosee.io import read_frame, read_json
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    tokens = encode(read_frame(snakemake.input.rows), snakemake.input.tokenizer, snakemake.params.max_length)
    encoder = read_json(snakemake.input.encoder)
    check_tokens(tokens, encoder["vocab_size"], max_positions(encoder), snakemake.input.tokenizer)
    save_tokens(snakemake.output[0], tokens, snakemake.wildcards.task, snakemake.input.tokenizer)
