"""A small explored folder, its source, its document and its page, made once."""

import pytest
from helpers import explored


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A workflow's folder with results."""
    return explored.write_folder(tmp_path_factory.mktemp("explored"))


@pytest.fixture(scope="session")
def source(folder):
    """The source of its page, with two claims."""
    from cosee.explorer.from_workflow import workflow_source

    return workflow_source(explored.config(), folder, explored.write_claims(folder))


@pytest.fixture(scope="session")
def document(source):
    """What the page reads, with arrays in it."""
    from cosee.explorer.document import document
    from cosee.explorer.pack import Pack, unpack_text

    pack = Pack()
    return unpack_text(pack.text(document(source, pack)))
