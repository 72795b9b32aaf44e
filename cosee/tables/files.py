"""A finished table as files: the long frame as CSV, the wide one as Markdown and LaTeX."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cosee.io import write_frame, write_text
from cosee.tables.text import to_latex, to_markdown


def write_table(
    outputs: Mapping[str, str | Path], table: pd.DataFrame, wide: pd.DataFrame, caption: str, label: str
) -> None:
    """Write the three forms of a table.

    Args:
        outputs: paths by the kinds csv, md and tex; further kinds are ignored.
        table: the long frame, one row per number.
        wide: the same as text, one row per line of the printed table.
        caption: printed above the table.
        label: the LaTeX label without its prefix `tab:`.
    """
    write_frame(outputs["csv"], table)
    write_text(outputs["md"], to_markdown(wide, caption))
    write_text(outputs["tex"], to_latex(wide, caption, f"tab:{label}"))
