"""The files around the code agree: dependencies, lock, conda environment, README, CI and citation."""

import ast
import os
import re
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cosee

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME = [Requirement(line) for line in PROJECT["dependencies"]]
TEST = [Requirement(line) for line in PROJECT["optional-dependencies"]["test"]]
LIBRARY = sorted([*ROOT.glob("cosee/**/*.py"), *ROOT.glob("workflow/**/*.py")])
SOURCES = sorted([*LIBRARY, *ROOT.glob("tests/**/*.py")])
HOSTILE = {ROOT / "tests/test_security.py", ROOT / "tests/faults/commands.py"}  # write pickles that must not be read
PICKLES = {"pickle", "cloudpickle", "dill", "joblib", "shelve"}
RULES = [ROOT / "workflow" / "Snakefile", *sorted(ROOT.glob("workflow/**/*.smk"))]
NOT_IMPORTED = {
    *("jinja2", "tabulate", "pyarrow"),  # pandas calls them
    *("snakemake", "ruff", "snakefmt", "import-linter"),  # commands
    "pytest-xdist",  # a plugin
}


def lock_lines() -> list[str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def lock() -> dict[str, str]:
    return dict(line.split("==") for line in lock_lines())


def needed(requirements: list[Requirement]) -> set[str]:
    """Names of the requirements and of everything they need here, as their installed metadata say."""
    todo = {(requirement.name, extra) for requirement in requirements for extra in ("", *requirement.extras)}
    done = set()
    while todo:
        name, extra = todo.pop()
        if name.startswith(("nvidia-", "cuda-", "triton")):  # the CUDA build of torch pins these itself
            continue
        done.add((name, extra))
        for child in map(Requirement, distribution(name).requires or []):
            if child.marker is None or child.marker.evaluate({"extra": extra}):
                todo |= {(child.name, child_extra) for child_extra in ("", *child.extras)} - done
    return {canonicalize_name(name) for name, _ in done}


def imported(paths: list[Path]) -> set[str]:
    """Top-level names of the modules that the files import, without the standard library and our own."""
    names = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(), path)):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.split(".")[0])
    ours = {"browser", "cosee", "faults", "helpers"}
    return names - ours - sys.stdlib_module_names


def unsafe(source: str) -> set[str]:
    """Ways to run foreign code by reading a file: pickle and what is built on it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names} & PICKLES
            case ast.ImportFrom(module=module):
                found |= {module} & PICKLES
            case ast.Attribute(attr="read_pickle" | "to_pickle" as name):
                found.add(name)
            case ast.Attribute(value=ast.Name("torch"), attr="load" | "save" as name):
                found.add(f"torch.{name}")
            case ast.keyword("allow_pickle", value) if ast.unparse(value) != "False":
                found.add("allow_pickle")
    return found


def readme_commands() -> list[str]:
    """The README's two lines for a fresh machine."""
    lines = (ROOT / "README.md").read_text().splitlines()
    return sorted({line.strip() for line in lines if line.strip().startswith("python3 -m venv")})


def test_lock_pins_every_line_exactly() -> None:
    assert [line for line in lock_lines() if not re.fullmatch(r"[a-z0-9-]+==[0-9][a-z0-9.]*", line)] == []
    assert list(lock()) == sorted({line.split("==")[0] for line in lock_lines()})


def test_lock_covers_every_dependency_and_what_they_need() -> None:
    assert needed(RUNTIME + TEST) - set(lock()) == set()


def test_lock_is_within_the_declared_ranges() -> None:
    pins = lock()
    assert [str(r) for r in RUNTIME + TEST if not r.specifier.contains(pins[canonicalize_name(r.name)])] == []


def test_torch_is_pinned_without_a_build() -> None:
    assert "torch==2.13.0" in PROJECT["dependencies"]
    assert "torch==2.13.0" in lock_lines()


@pytest.mark.parametrize(
    ("file", "installed"),
    [("environment.yml", ["-r requirements.lock", "-e ."]), ("workflow/envs/cosee.yml", lock_lines())],
)
def test_conda_environments_have_the_pins_of_the_lock(file: str, installed: list[str]) -> None:
    environment = yaml.safe_load((ROOT / file).read_text())
    *conda, pip = environment["dependencies"]
    assert pip == {"pip": installed}
    assert [package.split("=")[0] for package in conda] == ["python", "pip"]
    assert environment["channels"] == ["conda-forge", "nodefaults"]


@pytest.mark.parametrize(("paths", "requirements"), [(LIBRARY, RUNTIME), (SOURCES, RUNTIME + TEST)])
def test_imports_and_declared_dependencies_agree(paths: list[Path], requirements: list[Requirement]) -> None:
    owners = packages_distributions()
    declared = {canonicalize_name(requirement.name) for requirement in requirements}
    used = {name: {canonicalize_name(owner) for owner in owners.get(name, [])} for name in imported(paths)}
    assert {name for name, packages in used.items() if not packages & declared} == set()
    assert declared - NOT_IMPORTED - set().union(*used.values()) == set()


def test_readme_commands_are_what_ci_runs() -> None:
    commands = readme_commands()
    assert len(commands) == 2
    assert any(command.endswith(".venv/bin/snakemake --cores 2 all") for command in commands)
    assert any(command.endswith(".venv/bin/python -m pytest") for command in commands)
    ci = [line.strip() for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    assert [command for command in commands if command not in ci] == []
    assert all("-r requirements.lock -e " in command for command in commands)


def test_ci_is_executable() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_citation_names_this_version_and_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["type"] == "software"
    assert citation["version"] == cosee.__version__
    assert citation["license"] == PROJECT["license"]
    assert [{"name": author["name"]} for author in PROJECT["authors"]] == citation["authors"]
    (paper,) = citation["references"]
    assert paper["title"].startswith("COSEE: ")
    assert paper["authors"][0] == {"family-names": "He", "given-names": "Jianing"}
    assert paper["year"] == 2025


@pytest.mark.parametrize("path", sorted({*SOURCES} - HOSTILE), ids=lambda path: str(path.relative_to(ROOT)))
def test_python_files_parse_and_read_no_pickle(path: Path) -> None:
    assert unsafe(path.read_text()) == set()


@pytest.mark.parametrize("path", RULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rules_read_no_pickle(path: Path) -> None:
    assert re.findall(r"\bpickle\b|\btorch\.(?:load|save)\b", path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", {"pickle"}),
        ("from joblib import load", {"joblib"}),
        ("weights = torch.load(path)", {"torch.load"}),
        ("torch.save(model.state_dict(), path)", {"torch.save"}),
        ("frame.to_pickle(path)", {"to_pickle"}),
        ("np.load(path, allow_pickle=True)", {"allow_pickle"}),
        ("np.load(path, allow_pickle=False)", set()),
        ("safetensors.torch.load_file(path)", set()),
    ],
)
def test_unsafe_finds_pickle(source: str, found: set[str]) -> None:
    assert unsafe(source) == found
