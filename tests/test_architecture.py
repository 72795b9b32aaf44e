"""The contracts of imports in pyproject.toml: data flows one way, and nothing after the logits needs torch."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [LINT_IMPORTS, "--no-cache", "--config", "pyproject.toml"]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True)


def test_every_contract_is_kept() -> None:
    checked = contracts(ROOT)
    assert checked.returncode == 0, checked.stdout
    assert "Contracts: 2 kept, 0 broken." in checked.stdout


def test_a_contract_that_is_broken_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "cosee", tmp_path / "cosee", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "cosee" / "plan" / "runs.py").open("a") as file:
        file.write("import torch\n")
    checked = contracts(tmp_path)
    assert checked.returncode == 1
    assert "cosee.plan is not allowed to import torch" in checked.stdout
