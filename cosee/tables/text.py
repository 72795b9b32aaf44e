"""Wide tables of text as Markdown and LaTeX, and the format of the numbers in them."""

from collections.abc import Sequence

import pandas as pd

NONE = "–"
"""Content of a cell without a number."""

FIXED = "†"
"""Mark of an operating point of a variant without a test-time threshold."""

APART = "‡"
"""Mark of a comparison of operating points whose speed-ups differ clearly."""

ABOVE = "§"
"""Mark of a realized risk that is clearly above the level that was promised."""

_LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "×": r"$\times$",
        "–": "--",
        "τ": r"$\tau$",
        FIXED: r"$\dagger$",
        APART: r"$\ddagger$",
        ABOVE: r"\S{}",
    }
)

_MARKDOWN = str.maketrans({"|": r"\|", "<": "&lt;"})


def count(value: float | None) -> str:
    """A whole number with thousands separators."""
    return NONE if pd.isna(value) else f"{int(value):,}"


def decimal(value: float | None, digits: int = 1) -> str:
    """A number with a fixed number of digits."""
    return NONE if pd.isna(value) else f"{value:.{digits}f}"


def mean_std(mean: float, std: float) -> str:
    """Mean ± standard deviation; the mean alone if there is no deviation (one seed)."""
    return decimal(mean) if pd.isna(std) else f"{mean:.1f}±{std:.1f}"


def speedups_text(layers: Sequence[float], flops: Sequence[float]) -> str:
    """Speed-ups in layers, and in FLOPs if the two differ by more than 0.5 %; each distinct text once."""
    differs = any(abs(b / a - 1) > 0.005 for a, b in zip(layers, flops, strict=True))
    return f"{_times(layers)}; FLOPs {_times(flops)}" if differs else _times(layers)


def _times(speedups: Sequence[float]) -> str:
    return "/".join(dict.fromkeys(decimal(speedup, 2) for speedup in speedups)) + "×"


def to_markdown(table: pd.DataFrame, caption: str) -> str:
    """A wide table of text as a GitHub-flavoured Markdown table, its caption above it."""
    text = table.map(escape_markdown).rename(columns=escape_markdown)
    return f"{escape_markdown(caption)}\n\n{text.to_markdown(index=False, disable_numparse=True)}\n"


def escape_markdown(text: str) -> str:
    """Text on one line of a Markdown table or paragraph: no further cell, tag or link begins in it."""
    return " ".join(text.translate(_MARKDOWN).replace("](", r"]\(").splitlines())


def to_latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """A wide table of text as a LaTeX float over both columns, shrunk to the text width if it is wider.

    Needs the packages booktabs and graphicx.
    """
    escaped = table.map(escape).rename(columns=escape)
    tabular = escaped.style.hide(axis="index").to_latex(hrules=True, column_format="l" * len(table.columns))
    return "\n".join(
        [
            r"% \usepackage{booktabs,graphicx}",
            r"\begin{table*}[t]",
            r"\centering",
            rf"\caption{{{escape(caption)}}}",
            rf"\label{{{label}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            f"{tabular.rstrip()}%",
            "}",
            r"\end{table*}",
            "",
        ]
    )


def escape(text: str) -> str:
    """Text as LaTeX source: special characters escaped, the symbols of the tables as mathematics."""
    return text.translate(_LATEX)
