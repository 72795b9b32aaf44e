"""The list of claims, as far as the page reads it."""

import pytest

from cosee.errors import InputError
from cosee.explorer.claims import COLUMNS, claim_rows, read_claims


def test_rows_come_in_the_order_of_the_columns_and_empty_cells_are_none(tmp_path):
    file = tmp_path / "claims.csv"
    values = {"claim": "A", "verdict": "supported", "effect": "1.5", "view": "view=tradeoff"}
    header = list(reversed(COLUMNS))
    file.write_text(",".join(header) + "\n" + ",".join(values.get(name, "") for name in header) + "\n")
    (row,) = claim_rows(read_claims(file))
    found = dict(zip(COLUMNS, row, strict=True))
    assert found == dict.fromkeys(COLUMNS) | values | {"effect": 1.5}


def test_a_missing_column_is_named(tmp_path):
    file = tmp_path / "claims.csv"
    file.write_text("claim,verdict\nA,supported\n")
    with pytest.raises(InputError, match="lacks the column source"):
        read_claims(file)


def test_without_a_list_the_document_says_so(source, document):
    assert len(document["claims"]["rows"]) == 2
    assert source.claims is not None
