"""The one owner of a run's folder: two processes never train one run at the same time, on one machine or on several.

The owner is the process whose file `.owner.<n>` is in the folder. Such a file is made by a hard link, which fails if
the name is taken, on network file systems too; no lock of the operating system is relied upon. It names host, process
and job, and its time of change is the owner's heartbeat. An owner is dead if its process is, as far as that can be seen
from here, or if its heart has not beaten for `SILENCE`; then `.owner.<n+1>` takes its place. Whoever finds, after
making its file, another one that it did not see before steps back and looks again, so that of two takers at most one
stays.
"""

import json
import logging
import os
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import NamedTuple
from uuid import uuid4

from cosee.errors import InputError

log = logging.getLogger(__name__)

HEARTBEAT = 20.0
"""Seconds between two signs of life of an owner."""

SILENCE = 300.0
"""Seconds without a sign of life after which an owner on another machine is taken for dead."""

LOOK = 5.0
"""Seconds between two looks of a process that waits."""

_PREFIX = ".owner."


class Owner(NamedTuple):
    """Who has a folder.

    Attributes:
        token: of this ownership alone.
        host: name of the machine.
        machine: what tells apart machines, their starts, and containers in which processes have numbers of their own.
        process: number of the process.
        started: when the process was started, in the kernel's clock ticks; numbers are used again.
        job: number of the scheduler's job; empty without one.
        attempt: how often the scheduler has started that job again.
    """

    token: str
    host: str
    machine: str
    process: int
    started: str
    job: str
    attempt: int

    def __str__(self) -> str:
        job = f" (job {self.job})" if self.job else ""
        return f"process {self.process} on {self.host}{job}"


def this_process() -> Owner:
    """This process as an owner."""
    job = os.environ.get("SLURM_ARRAY_JOB_ID", os.environ.get("SLURM_JOB_ID", ""))
    task = os.environ.get("SLURM_ARRAY_TASK_ID", "")
    attempt = int(os.environ.get("SLURM_RESTART_COUNT") or 0)
    pid, host = os.getpid(), socket.gethostname()
    return Owner(uuid4().hex, host, _machine(), pid, _started(pid), f"{job}_{task}".rstrip("_"), attempt)


class Ownership:
    """A folder that this process has; given by `owned`."""

    def __init__(self, folder: Path, file: Path, owner: Owner) -> None:
        self.folder, self.owner, self._file = folder, owner, file
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    def check(self) -> None:
        """Check that the folder is still this process's own.

        Raises:
            InputError: another process has taken it over, as after a long standstill of this one.
        """
        owners = _owners(self.folder).values()
        if self.owner.token not in {owner.token for owner in owners}:
            by = " and ".join(map(str, owners)) or "somebody who has ended"
            raise InputError(f"{self.folder}: {self.owner} has lost this run to {by}; nothing more is written here.")

    def release(self) -> None:
        """Give the folder free."""
        self._ended.set()
        self._heart.join()
        self._file.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT):
            with suppress(OSError):  # taken over, or the file system does not answer: `check` says so
                os.utime(self._file)


@contextmanager
def owned(folder: str | Path, wait: bool = False) -> Iterator[Ownership]:
    """Own a run's folder for the length of a block.

    Args:
        folder: the folder, which is made if there is none.
        wait: wait while another process has it, instead of an error.

    Raises:
        InputError: another living process has it (names it).
    """
    folder, me = Path(folder), this_process()
    folder.mkdir(parents=True, exist_ok=True)
    told = None
    while (file := _take(folder, me)) is None:
        living = [owner for file, owner in _owners(folder).items() if not _is_dead(file, owner, me)]
        if living and not wait and living == told:  # seen twice: not one that is stepping back
            raise InputError(f"{folder}: {living[0]} trains this run; wait for it, or end it first.")
        if living and wait and living != told:
            log.info("%s: waiting for %s, which trains this run.", folder, living[0])
        told = living
        sleep(random.uniform(0.5, 1.5) * (LOOK if living and wait else 0.1))
    ownership = Ownership(folder, file, me)
    try:
        yield ownership
    finally:
        ownership.release()


def _take(folder: Path, me: Owner) -> Path | None:
    """Make this process the owner, if nobody living is; gives its file, or None."""
    found = _owners(folder)
    if any(not _is_dead(file, owner, me) for file, owner in found.items()):
        return None
    file, draft = folder / f"{_PREFIX}{1 + max(map(_number, found), default=0)}", _draft(folder)
    content = json.dumps(me._asdict())
    draft.write_text(content, encoding="utf-8")
    try:
        os.link(draft, file)
    except (FileExistsError, FileNotFoundError):  # somebody was faster, or has tidied up
        return None
    except OSError:  # a file system without hard links; there a new file is as exclusive
        if not _create(file, content):
            return None
    finally:
        draft.unlink(missing_ok=True)
    known = {me.token, *(owner.token for owner in found.values())}
    if any(owner.token not in known for owner in _owners(folder).values()):
        file.unlink(missing_ok=True)  # somebody else has made one meanwhile
        return None
    for dead, owner in found.items():
        log.warning("%s: %s is dead; its run is taken over.", folder, owner)
        dead.unlink(missing_ok=True)
    return file


def _create(file: Path, content: str) -> bool:
    try:
        with open(file, "x", encoding="utf-8") as new:
            new.write(content)
    except FileExistsError:
        return False
    return True


def _owners(folder: Path) -> dict[Path, Owner]:
    """Every owner's file in a folder: one, unless somebody is taking over."""
    owners = {}
    for path in folder.glob(f"{_PREFIX}*"):
        if path.name.removeprefix(_PREFIX).isdigit():
            with suppress(FileNotFoundError):  # given free
                owners[path] = _read(path)
    return owners


def _read(path: Path) -> Owner:
    content = path.read_text(encoding="utf-8")
    try:
        return Owner(**json.loads(content))
    except (ValueError, TypeError):  # not yet whole, where there are no hard links
        return Owner("", "an unknown machine", "", 0, "", "", 0)


def _is_dead(file: Path, owner: Owner, me: Owner) -> bool:
    if owner.machine and owner.machine == me.machine:
        return _started(owner.process) != owner.started
    if owner.job and owner.job == me.job and owner.attempt < me.attempt:
        return True  # the scheduler has started this very job again, which it does not before its end
    with suppress(FileNotFoundError):
        return _file_clock(file.parent) - file.stat().st_mtime > SILENCE
    return False  # given free meanwhile


def _file_clock(folder: Path) -> float:
    """The time by the clock that stamps files in a folder; those of machines differ."""
    probe = _draft(folder)
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _draft(folder: Path) -> Path:
    return folder / f".{uuid4().hex}.partial.owner"  # left behind by a kill, it is removed like any partial file


def _number(path: Path) -> int:
    return int(path.name.removeprefix(_PREFIX))


def _machine() -> str:
    """Identity of the machine since its start, and of the space of process numbers; empty where it cannot be known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(process: int) -> str:
    """When a process was started; empty if there is none, or if it has ended and only its parent does not know yet."""
    try:
        state, *fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]
