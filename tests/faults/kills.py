"""Kills of the reduced pipeline at random moments: the same command ends it, and repeats no finished training."""

import hashlib
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

from helpers.pipeline import PROJECT, arguments

TIMES = re.compile(r"(run|manifest)\.json|latency\.\w+|table5\.\w+|methods\.\w+|cost\.\w+|fig.*\.svg")
"""Files that hold times, and differ between any two builds, as the records in results/trained do that digest them."""

PREPARED = "resources/tokens/bert/sst2.npz"
"""Made before the first kill, so that the moments fall into trainings and what follows."""


def digests(folder: Path) -> dict[str, str]:
    """Path -> digest of every result that must not depend on kills."""
    files = [file for part in ("results", "resources") for file in (folder / part).rglob("*") if file.is_file()]
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if not TIMES.fullmatch(file.name) and "trained" not in file.parts
    }


def finished(folder: Path) -> dict[str, int]:
    """Trainings that are finished -> the inode of their last file, which a repeated training would replace."""
    files = folder.glob("results/runs/*/*/*/*/*/run.json")
    return {str(facts.parent.relative_to(folder)): facts.stat().st_ino for facts in files}


def start(folder: Path, target: str) -> subprocess.Popen:
    """The pipeline as a process group of its own."""
    with open(folder / "printed.txt", "a") as printed:
        return subprocess.Popen(
            arguments(folder, target), stdout=printed, stderr=printed, cwd=PROJECT, start_new_session=True
        )


def kill(process: subprocess.Popen, alone: bool) -> None:
    """SIGKILL: the whole group, or Snakemake alone, whose job then ends by itself."""
    if not alone:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 300
    while _group_is_alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.2)


def _group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def run_kills(folder: Path, count: int, seconds: tuple[float, float], seed: int = 0, target: str = "all") -> str:
    """Kill and restart one build `count` times, let it end, and compare it with one that was not killed.

    Args:
        folder: an empty folder.
        count: number of kills, every third of Snakemake alone.
        seconds: bounds of the time that a start is given.
        seed: of the moments.
        target: of the pipeline.

    Returns:
        A sentence with the numbers.

    Raises:
        AssertionError: a finished training was repeated, the build does not end, or its results are others.
    """
    rng, kills, repeated = random.Random(seed), 0, 0
    folder.mkdir(parents=True, exist_ok=True)
    assert start(folder, PREPARED).wait(1800) == 0, (folder / "printed.txt").read_text()[-3000:]
    while kills < count:
        before, process = finished(folder), start(folder, target)
        try:
            process.wait(rng.uniform(*seconds))
            assert process.returncode == 0, (folder / "printed.txt").read_text()[-3000:]
            break  # it ended before the moment came
        except subprocess.TimeoutExpired:
            kill(process, alone=kills % 3 == 2)
            kills += 1
        after = finished(folder)
        repeated += sum(after.get(run) != inode for run, inode in before.items())
    before, process = finished(folder), start(folder, target)
    assert process.wait(1800) == 0, (folder / "printed.txt").read_text()[-3000:]
    after = finished(folder)
    repeated += sum(after.get(run) != inode for run, inode in before.items())
    assert not list(folder.rglob("*.partial*"))
    assert repeated == 0, f"{repeated} finished trainings were repeated"
    whole = folder / "whole"
    whole.mkdir()
    assert start(whole, target).wait(1800) == 0, (whole / "printed.txt").read_text()[-3000:]
    ours, theirs = digests(folder), digests(whole)
    assert ours.keys() == theirs.keys()
    different = sorted(name for name in ours if ours[name] != theirs[name])
    assert not different, f"other than without kills: {different}"
    return f"{kills} kills, {len(after)} trainings, none repeated after its end; {len(ours)} files as without kills"
