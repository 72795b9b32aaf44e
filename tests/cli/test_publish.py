"""`cosee publish`: one line per file; the contents are tested in tests/runs/test_published.py."""

import re


def test_a_run_is_published(made, call):
    code, out, _ = call("publish runs/mine --collection published/again")
    assert code == 0 and re.fullmatch(r"published/again/\w+/sst2/cosee-seed0\.npz: \d+ kB\n", out)


def test_what_is_no_run_is_refused(refused):
    assert "run.json: no such file." in refused("publish nowhere --collection published/again")
