"""A folder in which every example of the help texts works, and the results of running them all there, in order."""

import io
import shlex
import sys
from contextlib import redirect_stdout

import numpy as np
import pandas as pd
import pytest
from helpers.commands import Result, arguments_of, examples
from helpers.presets import CONFIGS
from helpers.results import write_workflow_folder

from cosee.cli import main


@pytest.fixture(scope="session")
def place(tiny_bert, tmp_path_factory):
    """Tiny files under the names that the examples use."""
    from helpers.tiny import BAD, GOOD, OTHER, token_split

    from cosee.data.tokens import save_tokens
    from cosee.io import write_frame

    folder, rng = tmp_path_factory.mktemp("place"), np.random.default_rng(0)
    sentences = [" ".join(rng.choice((*GOOD, *BAD, *OTHER), rng.integers(2, 8))) for _ in range(120)]
    (folder / "resources/backbones").mkdir(parents=True)
    (folder / "resources/backbones/bert").symlink_to(tiny_bert)
    rows = {"fit": 40, "sel": 24, "dev": 20, "cal": 60}
    tokens = {name: token_split(count, seed) for seed, (name, count) in enumerate(rows.items())}
    save_tokens(folder / "resources/tokens/bert/sst2.npz", tokens)
    for split, count in {"train": 60, "validation": 20}.items():
        columns = {"sentence1": sentences[:count], "sentence2": sentences[-count:], "label": [0, 1] * (count // 2)}
        write_frame(folder / f"GLUE/rte/{split}-00000-of-00001.parquet", pd.DataFrame(columns | {"idx": range(count)}))
    columns = {"sentence1": sentences[20:50], "sentence2": sentences[50:80], "label": -1, "idx": range(30)}
    write_frame(folder / "GLUE/rte/test-00000-of-00001.parquet", pd.DataFrame(columns))
    (folder / "config").symlink_to(CONFIGS)
    (folder / "reviews.txt").write_text("\n".join(sentences[:50]) + "\n")
    pairs = pd.DataFrame({"n": range(30), "sentence1": sentences[:30], "sentence2": sentences[-30:]})
    pairs.to_csv(folder / "pairs.csv", index=False)
    write_workflow_folder(folder / "laptop", accuracies={"cosee": 0.8, "vanilla": 0.7})
    write_workflow_folder(folder / "server", accuracies={"cosee": 0.8, "vanilla": 0.7}, draw=1)
    (folder / "results/runs/bert/sst2/cosee-energy/final").mkdir(parents=True)
    (folder / "results/runs/bert/sst2/cosee-energy/final/seed0").symlink_to(folder / "runs/mine")
    return folder


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
