"""Table 4: parameters of the encoder and of the added exits, counted without loading weights."""

from typing import TYPE_CHECKING

import pandas as pd

from cosee.io import read_frame
from cosee.models.multi_exit import parameter_counts_of
from cosee.scripting import logged
from cosee.tables import parameter_counts, parameter_counts_wide, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    reported = read_frame(snakemake.input.reported)
    names = dict(zip(reported["variant"], reported["name"], strict=True))
    measured = pd.DataFrame(
        row for num_classes in (2, 3) for row in parameter_counts_of(snakemake.params.encoder, num_classes, *names)
    )
    table = parameter_counts(reported, measured)
    wide, caption = parameter_counts_wide(table, names), snakemake.params.caption
    write_table(snakemake.output, table, wide, caption, "parameters")
