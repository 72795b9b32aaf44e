"""The page as a file: whole, alone, safe, and without texts that may not be shown."""

import re
from dataclasses import replace
from importlib.resources import files

import pytest
from helpers import explored
from helpers.presets import read

from cosee.explorer.document import document
from cosee.explorer.inputs import page_digest, shows_text, workflow_inputs
from cosee.explorer.pack import Pack
from cosee.explorer.page import SCRIPTS, page
from cosee.plan.configuration import configuration
from cosee.plan.merging import merge


@pytest.fixture(scope="module")
def html(source):
    return page(replace(source, title="Results of <mini> & more"))


def test_the_title_is_escaped_and_every_part_is_filled_in(html):
    assert "<title>Results of &lt;mini&gt; &amp; more</title>" in html
    assert "$style" not in html and "$program" not in html and html.rstrip().endswith("</html>")


def test_nothing_is_loaded_from_elsewhere(html):
    assert "default-src 'none'" in html and "connect-src 'none'" in html
    assert re.findall(r"<(?:link|iframe|img|object|embed)\b|<script[^>]*\bsrc=", html) == []


def test_no_text_can_end_a_script(html):
    assert html.count("</script>") == html.count("<script") == 3
    assert not any(text in html for text in explored.HOSTILE)


def test_the_same_source_gives_the_same_page(source):
    assert page(source) == page(source)


def test_every_module_of_the_program_is_loaded():
    there = {file.name for file in (files("cosee.explorer") / "static").iterdir()}
    assert there == {f"{name}.js" for name in SCRIPTS} | {"page.html", "style.css"}
    assert re.fullmatch("[0-9a-f]{16}", page_digest())


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, True),
        ({"data": {"source": "hub", "label": "GLUE"}}, False),
        ({"data": {"source": "hub", "label": "GLUE"}, "data_dir": "glue"}, True),
        ({"predictions": "published/x"}, False),
    ],
)
def test_texts_are_shown_if_generated_or_from_the_user_s_own_copy(changes, shown):
    config = configuration(merge(explored.settings(), changes))
    assert shows_text(config) == shown
    assert any("resources/rows" in file for file in workflow_inputs(config)) == shown


def test_without_texts_the_document_has_row_numbers_and_says_why(source):
    silent = document(replace(source, examples={}, no_text="not here"), Pack())
    assert all(split["texts"] is None and split["steps"] is not None for split in silent["splits"])
    assert silent["noText"] == "not here"


def test_inputs_are_files_that_the_workflow_makes_each_once(folder):
    files_ = workflow_inputs(explored.config())
    assert len(files_) == len(set(files_))
    assert [file for file in files_ if not (folder / file).is_file()] == []


def test_of_published_runs_neither_data_nor_timings_are_read():
    config = configuration(merge(read("config"), {"predictions": "published/x"}))
    assert not [file for file in workflow_inputs(config) if "latency" in file or "resources" in file]
