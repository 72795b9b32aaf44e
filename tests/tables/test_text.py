"""Markdown and LaTeX of wide tables."""

import re

import pandas as pd
import pytest
from helpers import frames
from helpers.comparisons import COUNTS, REPORTED, ROWS, compare

from cosee.tables import (
    comparison_wide,
    data_statistics,
    data_statistics_wide,
    parameter_counts,
    parameter_counts_wide,
    to_latex,
    to_markdown,
)


@pytest.fixture(params=["comparison", "average", "sizes", "parameters"])
def wide(request):
    return {
        "comparison": lambda: comparison_wide(compare(), frames.LABELS),
        "average": lambda: comparison_wide(compare(3), frames.LABELS),
        "sizes": lambda: data_statistics_wide(data_statistics(ROWS, REPORTED[1])),
        "parameters": lambda: parameter_counts_wide(parameter_counts(REPORTED[4], COUNTS), frames.LABELS),
    }[request.param]()


def test_markdown_has_a_row_per_line_and_all_columns(wide):
    caption, blank, *lines = to_markdown(wide, "What it shows.").splitlines()
    assert (caption, blank) == ("What it shows.", "")
    assert len(lines) == len(wide) + 2
    cells = [[part.strip() for part in line.strip("|").split("|")] for line in lines]
    assert cells[0] == list(wide.columns)
    assert cells[2:] == wide.to_numpy().tolist()


def test_latex_is_balanced_and_escaped(wide):
    text = to_latex(wide, "100 % of R&D_1 ± 2×", "tab:x")
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    assert re.findall(r"\\begin{(.+?)}", text) == re.findall(r"\\end{(.+?)}", text)[::-1]
    assert [text.count(rf"\{rule}") for rule in ("toprule", "midrule", "bottomrule")] == [1, 1, 1]
    assert r"\caption{100 \% of R\&D\_1 $\pm$ 2$\times$}" in text
    assert r"\label{tab:x}" in text
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == len(wide) + 1
    for row in rows:
        assert len(re.findall(r"(?<!\\)&", row)) == len(wide.columns) - 1
        assert not re.search(r"(?<!\\)[%#_]", row)
    assert text.isascii()


def test_special_characters_are_escaped_in_both():
    odd = pd.DataFrame({"a|b_c": [r"x|y \ ~ ^ {z} $ #"]})
    assert r"a|b_c" not in to_latex(odd, "c", "l")
    assert r"\textbackslash{} \textasciitilde{} \textasciicircum{} \{z\} \$ \#" in to_latex(odd, "c", "l")
    assert r"x\|y" in to_markdown(odd, "c")
