"""Tables: data frames -> one long, machine-readable frame per table -> a wide one of text -> Markdown, LaTeX.

Reported numbers (`config/reported/*.csv`) and those measured here have separate columns, because they differ in split
and may differ in data and backbone. Scores are percentages in every table.
"""

from cosee.tables.calibration import calibration, calibration_wide
from cosee.tables.comparison import comparison, comparison_wide
from cosee.tables.cost import cost_wide
from cosee.tables.differences import at_target, differences, differences_wide
from cosee.tables.encoders import encoders, encoders_wide
from cosee.tables.files import write_table
from cosee.tables.latency import latency_wide
from cosee.tables.risk import risks, risks_wide
from cosee.tables.sizes import data_statistics, data_statistics_wide, parameter_counts, parameter_counts_wide
from cosee.tables.steps import steps_table, steps_wide
from cosee.tables.summary import summary, summary_wide
from cosee.tables.text import to_latex, to_markdown
from cosee.tables.verdicts import verdict_sentences

__all__ = [
    "at_target",
    "calibration",
    "calibration_wide",
    "comparison",
    "comparison_wide",
    "cost_wide",
    "data_statistics",
    "data_statistics_wide",
    "differences",
    "differences_wide",
    "encoders",
    "encoders_wide",
    "latency_wide",
    "parameter_counts",
    "parameter_counts_wide",
    "risks",
    "risks_wide",
    "steps_table",
    "steps_wide",
    "summary",
    "summary_wide",
    "to_latex",
    "to_markdown",
    "verdict_sentences",
    "write_table",
]
