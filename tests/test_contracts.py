"""The contracts of imports in pyproject.toml hold, and would be seen to be broken."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
AFTER_THE_LOGITS = ("evaluation", "plan", "tables", "figures")


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_the_contracts_are_kept() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0 and "2 kept, 0 broken" in done.stdout, done.stdout + done.stderr


def test_an_import_of_torch_by_a_detour_and_one_upwards_break_them(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "cosee", tmp_path / "cosee", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "cosee" / "data" / "tasks.py").open("a") as file:
        file.write("\n\ndef later():\n    import cosee.models.heads\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1 and "0 kept, 2 broken" in done.stdout, done.stdout + done.stderr


def test_everything_after_the_logits_runs_without_torch() -> None:
    """Also what imports by name at run time, which the contracts cannot see."""
    files = [path for room in AFTER_THE_LOGITS for path in sorted((ROOT / "cosee" / room).glob("*.py"))]
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files]
    code = f"import sys, {', '.join(modules)}; print(sorted({{'torch', 'transformers'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(modules) > 25 and done.stdout == "[]\n"
