"""A part of the hostile test in every run of the tests; all of it with `-m faults` or `python -m tests.faults`."""

from itertools import groupby

import pytest
from faults import commands, table
from faults.outcomes import ACCEPTED, KILLED, REFUSED, TRACEBACK, Case, outcome

from cosee.errors import InputError


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return commands.build(tmp_path_factory.mktemp("faults"))


def wrong(cases, place):
    return [
        f"{each.case.kind}, {each.case.name}: {each.what}: {each.message}"
        for each in table.run_cases(cases, place)
        if not each.is_right
    ]


def test_every_fifteenth_case_is_right(place):
    chosen = [case for _, kind in groupby(table.all_cases(), lambda case: case.kind) for case in list(kind)[7::15]]
    assert len(chosen) > 25 and wrong(chosen, place) == []


@pytest.mark.faults
def test_every_case_is_right(place):
    cases = table.all_cases()
    assert len(cases) >= 400 and len({(case.kind, case.name) for case in cases}) == len(cases)
    assert wrong(cases, place) == []


def refuse(_):
    raise InputError("no.")


def fail(_):
    raise KeyError("x")


def fill(_):
    return len(bytearray(64 << 30)) and 0


@pytest.mark.parametrize(
    ("act", "what", "message"),
    [
        (refuse, REFUSED, "error: no."),
        (fail, TRACEBACK, "KeyError: 'x'"),
        (fill, TRACEBACK, "MemoryError"),
        (lambda _: 2, REFUSED, ""),
        (lambda _: None, ACCEPTED, ""),
    ],
)
def test_outcomes_are_told_apart(act, what, message, tmp_path):
    found = outcome(Case("kind", "name", act, good=True), tmp_path)
    assert (found.what, found.message) == (what, message)
    assert found.is_right == (what == ACCEPTED)
    assert outcome(Case("kind", "name", act), tmp_path).is_right == (what == REFUSED)


def test_a_case_that_takes_too_long_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr("faults.outcomes.SECONDS", 1)

    def wait(_):
        while True:
            pass

    assert outcome(Case("kind", "name", wait), tmp_path).what == KILLED


def test_the_table_counts(tmp_path):
    cases = [Case("a", "1", refuse), Case("a", "2", fail), Case("b", "3", lambda _: 0)]
    text = table.table([outcome(case, tmp_path) for case in cases])
    assert "| all | 3 | 1 | 1 | 1 | 0 | 2 |" in text and "- a, 2: traceback: KeyError: 'x'" in text
