"""Labels of a configuration stay text in figures, tables, model cards and reports."""

from pathlib import Path
from types import SimpleNamespace

import jinja2
import pandas as pd
import pytest
from docutils import nodes
from docutils.core import publish_doctree
from helpers import frames
from matplotlib.text import Text

from cosee import figures
from cosee.tables.text import to_latex, to_markdown

REPORT = Path(__file__).parents[1] / "workflow/report"
HOSTILE = (
    "a | b",
    "price in $x^$ and $y",
    "<script>alert(1)</script>",
    "[here](javascript:alert(1))",
    "`here <javascript:alert(1)>`_ and *bold* |it|",
    "one\n\n.. raw:: html\n\n   <script>alert(1)</script>",
    "# heading\n## another",
    r"\input{/etc/passwd} 100 % & more_",
)
EACH = pytest.mark.parametrize("label", HOSTILE)


@EACH
def test_in_markdown_a_label_is_one_cell_and_starts_nothing(label):
    text = to_markdown(pd.DataFrame({label: ["1"], "b": [label]}), f"Data: {label}.")
    _, blank, *table, end = text.split("\n")
    assert blank == end == "" and len(table) == 3
    assert {line.replace(r"\|", "").count("|") for line in table} == {3}
    assert "<" not in text and "](" not in text


@EACH
def test_in_a_report_a_label_is_a_sentence(label):
    for template in ("caption.rst", "workflow.rst"):
        source = jinja2.Template((REPORT / template).read_text())
        config = {"preset": "mini", "data": {"label": label, "source": "hub"}, "data_dir": None, "seeds": [0]}
        config["protocol"] = {"name": "heldout"}
        text = source.render(
            snakemake=SimpleNamespace(params=SimpleNamespace(caption=f"Data: {label}."), config=config)
        )
        tree = publish_doctree(text, settings_overrides={"report_level": 5})
        kinds = (nodes.raw, nodes.reference, nodes.emphasis, nodes.section, nodes.title, nodes.substitution_reference)
        assert not [node for kind in kinds for node in tree.findall(kind)]
        assert " ".join(label.split()) in " ".join(tree.astext().split())


@EACH
def test_in_latex_a_label_has_no_commands(label):
    (row,) = to_latex(pd.DataFrame({"a": [label.splitlines()[-1]]}), "caption", "x").split(r"\midrule")[1:]
    assert r"\input" not in row and "$x^$" not in row


@EACH
def test_in_a_figure_a_label_is_drawn_as_it_is(label, tmp_path):
    curves = frames.tradeoff(("sst2",), ("cosee",), seeds=(1, 2))
    figure = figures.tradeoff_figure(curves, {"cosee": label}, f"Data: {label}.", tasks=["sst2"])
    figures.save(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 0
    drawn = [text for text in figure.findobj(Text) if "$x^$" in text.get_text()]
    assert bool(drawn) == ("$" in label)
