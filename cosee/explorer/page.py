"""The page: one HTML file with its data, style, program and plotting library in it, which opens without a network.

The plotting library is plotly.js, as the package `plotly` on PyPI ships it: maintained, of a pinned version that pip
installs (no second registry, nothing fetched when the page opens), SVG throughout, with export to SVG, error bars,
bands, logarithmic axes and hovering built in. PyPI has no smaller bundle of it; compressed, as the page holds it, it
takes 2 MB of its 4.8. A content security policy in the page forbids it to load or send anything.
"""

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template

from plotly.offline import get_plotlyjs

from cosee.explorer.document import document
from cosee.explorer.pack import Pack, packed_text
from cosee.explorer.source import Source

SCRIPTS = (
    *("pack", "dom", "format", "state", "results", "palette", "chart", "controls", "tradeoff", "comparison", "counts"),
    *("risk", "selection", "changes", "steps", "operating", "single", "examples", "calibration", "reliability"),
    *("training", "claims", "provenance", "main"),
)
"""Modules of the page's program in `static/`, in the order in which they are loaded: each uses those before it."""


def page(source: Source) -> str:
    """The page of a source as HTML.

    Raises:
        InputError: results and stored outputs do not belong together.
    """
    pack = Pack()
    program = "\n".join(_static(f"{name}.js") for name in SCRIPTS)
    parts: Mapping[str, str] = {
        "title": escape(source.title),
        "style": _static("style.css"),
        "plotly": packed_text(get_plotlyjs().encode()),
        "data": pack.text(document(source, pack)),
        "program": _in_script(program),
    }
    return Template(_static("page.html")).substitute(parts)


def _static(name: str) -> str:
    return (files("cosee.explorer") / "static" / name).read_text(encoding="utf-8")


def _in_script(code: str) -> str:
    """Code that no text in it can end early: `</script` occurs in strings and comments alone."""
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")
