"""A small explored folder, its source, its document and its page, made once."""

from dataclasses import replace

import pytest
from helpers import explored


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A workflow's folder with results."""
    return explored.write_folder(tmp_path_factory.mktemp("explored"))


@pytest.fixture(scope="session")
def source(folder):
    """The source of its page, with two claims."""
    from cosee.explorer.claims import claim_rows, read_claims
    from cosee.explorer.from_workflow import workflow_source

    claims = claim_rows(read_claims(explored.write_claims(folder)), here="there")
    return replace(workflow_source(explored.config(), folder), claims=claims)


@pytest.fixture(scope="session")
def document(source):
    """What the page reads, with arrays in it."""
    from cosee.explorer.document import document
    from cosee.explorer.pack import Pack, unpack_text

    pack = Pack()
    return unpack_text(pack.text(document(source, pack)))
