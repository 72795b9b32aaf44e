"""The list of claims, as far as the page reads it."""

import pytest
from helpers import explored
from helpers.pipeline import PROJECT

from cosee.errors import InputError
from cosee.explorer.claims import SHOWN, claim_rows, read_claims


def rows(folder, **places):
    read = claim_rows(read_claims(explored.write_claims(folder)), **places)
    return [dict(zip(SHOWN, row, strict=True)) for row in read]


def test_a_test_says_what_was_compared_and_leads_to_its_view(tmp_path):
    tested, open_ = rows(tmp_path, here="there")
    assert tested["tested_in"] == "cosee (energy) minus vanilla (energy); there, bert, sst2 dev"
    assert (tested["effect"], tested["low"], tested["high"], tested["unit"]) == (1.5, 0.5, 2.5, "points of DIS")
    assert tested["view"].startswith("#view=operating&task=sst2&backbone=bert&split=dev&highlight=cosee%7Cenergy")
    assert {open_[name] for name in ("effect", "tested_in", "unit", "view")} == {None}


def test_the_view_of_runs_in_another_page_is_there_and_of_absent_runs_nowhere(tmp_path):
    beside, _ = rows(tmp_path, beside=["there"])
    assert beside["view"].startswith("published/there/results/explorer.html#view=operating")
    assert [row["view"] for row in rows(tmp_path)] == [None, None]


def test_a_missing_column_is_named(tmp_path):
    file = tmp_path / "claims.csv"
    file.write_text("id,claim,verdict\na,A,supported\n")
    with pytest.raises(InputError, match="lacks the column source"):
        read_claims(file)


def test_the_project_s_own_list_is_read():
    claims = claim_rows(read_claims(PROJECT / "docs/claims.csv"))
    assert len(claims) > 10 and all(row[SHOWN.index("claim")] and row[SHOWN.index("verdict")] for row in claims)
