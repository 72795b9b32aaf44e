"""`cosee bench`: every measurement, at its smallest; the measurements are tested in tests/bench."""

import shutil

import pandas as pd
import pytest

from cosee.cli import main
from cosee.provenance import processor_name

SMALL = "--rounds 1 --rows 12"


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        (f"latency {SMALL} --batch-sizes 1 4 --targets 1.5 2 --check-every 3", 4),
        (f"visits {SMALL}", 3),
        (f"serving {SMALL} --capacity 4", 3),
        (f"serving {SMALL} --rate 1000", 3),
        (f"training {SMALL} --batch-size 6", 4),
        ("utilization --rounds 1 --batch-size 2 --length 8", 2),
        pytest.param(
            *(f"compiled {SMALL} --batch-size 6", 2),
            marks=[pytest.mark.slow, pytest.mark.skipif(not shutil.which("g++"), reason="no compiler")],
        ),
        (f"layers {SMALL} --batch-size 6", 6),
        ("sweep --rounds 1 --rows 50", 3),
    ],
)
def test_a_measurement_is_shown_with_its_machine_and_written(line, rows, tmp_path, capsys):
    assert main(["bench", *line.split(), "--out", str(tmp_path / "out.csv")]) == 0
    machine, header, *shown = capsys.readouterr().out.splitlines()
    written = pd.read_csv(tmp_path / "out.csv")
    assert processor_name() in machine
    assert [*header.split(), "machine", "torch", "commit"] == list(written.columns)
    assert set(written["machine"]) == {machine}
    assert len(shown) == len(written) == rows


def test_the_time_of_a_run_is_shown_by_rule(tmp_path, capsys):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "table2.tsv").write_text("s\tmax_rss\tcpu_time\n1.5\t90.0\t1.0\n")
    assert main(["bench", "jobs", "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["tables", "1", "1.5", "1", "100", "90"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bench", "arguments are required: what"),
        ("bench sweep --rows 0", "expected a whole number above 0, got '0'"),
        ("bench serving --rate -5", "expected a number above 0, got '-5'"),
        ("bench latency --encoder gpt", "invalid choice: 'gpt'"),
    ],
)
def test_wrong_arguments_are_refused(line, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(line.split())
    assert end.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bench training --rows 5 --batch-size 32", "5 examples fill no batch of 32"),
        ("bench utilization --length 129", "--length 129: encoders here take at most 128 tokens"),
        ("bench jobs --folder nowhere", "nowhere: no benchmark files"),
        ("bench latency --rows 1", "expected 2 examples or more, got 1"),
        ("bench latency --rows 4 --targets 20", "with 12 layers it must lie between 1 and 12"),
    ],
)
def test_what_cannot_be_measured_is_refused(line, message, capsys):
    assert main(line.split()) == 2
    assert message in capsys.readouterr().err
