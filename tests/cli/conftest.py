"""A folder in which every example of the help texts works, and the results of running them all there, in order."""

import io
import shlex
import sys
from contextlib import redirect_stdout

import pytest
from helpers.commands import Result, arguments_of, examples
from helpers.place import write_place

from cosee.cli import main


@pytest.fixture(scope="session")
def place(tiny_bert, tmp_path_factory):
    """Tiny files under the names that the examples use."""
    return write_place(tmp_path_factory.mktemp("place"), tiny_bert)


def write_manifest(place):
    """The manifest of a workflow that has made the run of the first example."""
    from helpers.tiny import LAYERS

    from cosee.io import read_json, write_json

    labels = {"data": "generated rows", "backbones": {"bert": f"tiny-BERT ({LAYERS} layers)"}}
    facts = read_json(place / "runs/mine/run.json")
    runs = [facts["run"] | {"fingerprint": facts["fingerprint"]}]
    write_json(place / "results/manifest.json", labels | {"runs": runs})


@pytest.fixture(scope="session")
def made(place):
    """The folder after all examples have run in it, in this process; where one failed, its error is shown.

    Those of `bench` take minutes; test_cli_bench.py has smaller ones.
    """
    with pytest.MonkeyPatch.context() as patch, open(place / "reviews.txt") as reviews:
        patch.chdir(place)
        patch.setattr(sys, "stdin", reviews)
        for number, example in enumerate(examples(but=["bench"])):
            if "--manifest" in example:
                write_manifest(place)
            with redirect_stdout(io.StringIO()) as printed:
                code = main(arguments_of(example))
            assert code == 0, example
            (place / f"printed-{number}.txt").write_text(printed.getvalue())
    return place


@pytest.fixture
def call(monkeypatch, capsys, place):
    """A function that runs a command line in the place and gives exit code, stdout and stderr."""
    monkeypatch.chdir(place)

    def run(line):
        try:
            code = main(shlex.split(line))
        except SystemExit as end:  # argparse
            code = end.code
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def refused(call):
    """A function that runs a command line which must be refused, and gives its one sentence."""

    def run(line):
        code, out, err = call(line)
        assert code == 2 and not out and "Traceback" not in err
        last = err.splitlines()[-1]
        assert last.startswith(f"cosee {line.split()[0]}: error: ")
        return last

    return run
