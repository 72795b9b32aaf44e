"""`cosee explore`: one file; its contents are tested in tests/explorer and tests/browser."""

import pytest


def test_a_page_is_made_of_one_run_and_beside_published_ones(made, call):
    code, out, err = call("explore runs/mine --published published/mine --out again.html")
    assert code == 0 and not err and out.startswith("again.html: ") and out.endswith("open it in a browser.\n")
    for name in ("explorer.html", "beside.html", "again.html"):  # two of them by the examples of the help text
        assert (made / name).read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nowhere", "run.json: no such file."),
        ("runs/mine --published nowhere", "nowhere: holds no published runs"),
        ("runs/mine --speedups 0.5", "argument --speedups: expected a number from 1 on, got '0.5'"),
        ("runs/mine --speedups 2 inf", "argument --speedups: expected a number from 1 on, got 'inf'"),
        ("runs/mine --data-dir nowhere", "--data-dir: no file nowhere/sst2/"),
        ("runs/mine --claims nowhere.csv", "nowhere.csv: no such file."),
        ("runs/mine runs/mine", "the same run"),
    ],
)
def test_wrong_input(line, message, refused, made):
    assert message in refused(f"explore {line}")
