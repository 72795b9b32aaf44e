"""The pipeline as its user starts it, the `snakemake` command, in a folder of its own and cut down in size."""

import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
REDUCED = PROJECT / "tests" / "workflow" / "reduced.yaml"
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "workflow" / "Snakefile")]


def preset(name: str) -> Path:
    """The file of a preset."""
    return PROJECT / "config" / f"{name}.yaml"


REDUCED_MINI = (preset("config"), REDUCED)


def arguments(folder: Path, *targets: str, configs: tuple[Path, ...] = REDUCED_MINI) -> list[str]:
    """The command line that builds targets in a folder."""
    return [*SNAKEMAKE, "--cores", "2", "--directory", str(folder), *targets, "--configfile", *map(str, configs)]


def snakemake(folder: Path, *targets: str, configs: tuple[Path, ...] = REDUCED_MINI, succeeds: bool = True) -> str:
    """Run it; give what it printed."""
    command = arguments(folder, *targets, configs=configs)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert (done.returncode == 0) == succeeds, done.stdout[-2000:] + done.stderr[-6000:]
    return done.stdout + done.stderr


def job_counts(output: str) -> dict[str, int]:
    """Jobs by rule, from the table that a dry-run prints."""
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)}
