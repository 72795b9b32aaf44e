"""The program as a whole: help, exit codes, what is imported when, and every example, run."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from helpers.commands import arguments_of, examples

from cosee import __version__
from cosee.cli import COMMANDS, main, make_parser

ROOT = Path(__file__).parents[2]


def python(code, *arguments, **settings):
    """Run Python code in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, **settings
    )


def help_of(*command, capsys):
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_cosee_is_installed_as_a_command():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["cosee"].partition(":")
    assert getattr(import_module(module), function) is main


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_ends_with_its_examples(name, capsys):
    shown, module = help_of(name, capsys=capsys), import_module(f"cosee.cli.{name}")
    assert module.HELP in shown and shown.startswith(f"usage: cosee {name} ")
    assert shown.rstrip().endswith("examples:\n" + "\n".join(f"  {example}" for example in module.EXAMPLES))
    assert module.EXAMPLES and all(arguments_of(example)[0] == name for example in module.EXAMPLES)


def test_the_help_of_the_program_ends_with_one_example_of_each_command(capsys):
    shown = help_of(capsys=capsys)
    assert re.findall(r"^  cosee (\w+)", shown, re.MULTILINE) == list(COMMANDS)
    assert shown.rstrip().endswith(import_module(f"cosee.cli.{COMMANDS[-1]}").EXAMPLES[0])


def test_help_comes_without_heavy_imports():
    code = """import sys
from cosee.cli import make_parser
make_parser().format_help()
print([name for name in ("torch", "transformers", "pandas", "numpy") if name in sys.modules])"""
    assert python(code).stdout == "[]\n"


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "cosee", "--version"], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, f"cosee {__version__}\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "arguments are required: command"),
        ("dance", "invalid choice: 'dance'"),
        ("sweep", "arguments are required: RUN, --out"),
        ("sweep run --out x --targets two", "invalid float value: 'two'"),
    ],
)
def test_arguments_that_cannot_be_read(line, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(shlex.split(line))
    assert end.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt(), 130, ""),
        (PermissionError(13, "Permission denied", "/root/x.csv"), 2, "/root/x.csv: Permission denied"),
        (OSError("two\nlines"), 2, "two lines"),
    ],
)
def test_what_ends_a_command(raised, code, said, monkeypatch, capsys):
    def run(args):
        raise raised

    monkeypatch.setattr("cosee.cli.sweep.run", run)
    assert main(["sweep", "run", "--out", "x"]) == code
    assert capsys.readouterr().err == (f"cosee sweep: error: {said}\n" if said else "")


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("cosee.cli.sweep.run", lambda args: {}["absent"])
    with pytest.raises(KeyError):
        main(["sweep", "run", "--out", "x"])


@pytest.mark.parametrize(
    "line",
    [
        "train --task sst2 --method cosee --tokens none.npz --backbone none --out runs/other",
        "predict none --tokens none.npz --backbone none --out x.npz",
        "sweep none --out x.csv",
        "export none --backbone none --out x",
        "classify none none.txt",
    ],
)
def test_wrong_input_is_refused_at_once_in_one_sentence(line, tmp_path):
    """Each in a process of its own, which ends before it has imported torch."""
    code = "import sys, cosee.cli\ncode = cosee.cli.main()\nsys.exit(99 if 'torch' in sys.modules else code)"
    done = python(code, *shlex.split(line), cwd=tmp_path)
    assert done.returncode == 2 and not done.stdout
    assert re.fullmatch(rf"cosee {line.split()[0]}: error: none\S*: .+\n", done.stderr)
    assert not list(tmp_path.iterdir())


def test_every_example_is_parsed():
    assert {make_parser().parse_args(arguments_of(example)).command for example in examples()} == set(COMMANDS)


@pytest.mark.slow
def test_every_example_runs_in_a_shell(made, tmp_path):
    """As a user types them, one process each, on a fresh copy of the place."""
    for entry in ("resources", "GLUE", "config", "reviews.txt", "pairs.csv", "laptop", "server"):
        (tmp_path / entry).symlink_to(made / entry)
    (tmp_path / "results/runs/bert/sst2/cosee-energy/final").mkdir(parents=True)
    (tmp_path / "results/runs/bert/sst2/cosee-energy/final/seed0").symlink_to(tmp_path / "runs/mine")
    (tmp_path / "results/manifest.json").symlink_to(made / "results/manifest.json")
    command = f"{shlex.quote(sys.executable)} -m cosee"
    script = "\n".join(["set -e", f'cosee() {{ {command} "$@"; }}', *examples(but=["bench"])])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert "runs/mine: step 20 of 20, loss " in done.stderr  # plain lines where there is no terminal
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 31
    head = done.stdout.splitlines()[-3:]
    assert head[0] == "label,confidence,exit_layer" and all(row.count(",") == 2 for row in head)
