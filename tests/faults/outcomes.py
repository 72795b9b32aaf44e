"""One hostile case in a forked child: refused in one sentence, accepted, a traceback, or none in time."""

import os
import re
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cosee.errors import InputError

REFUSED, ACCEPTED, TRACEBACK, KILLED = "refused", "accepted", "traceback", "killed"
SECONDS, GIGABYTES = 30, 12
"""Limits of a case, of processor time and address space: one that takes more has failed."""


@dataclass(frozen=True)
class Case:
    """Something hostile, and whether it is right to accept it.

    Attributes:
        kind: the part of the table it belongs to.
        name: what it is.
        act: does it in a folder of its own; an `InputError` or exit code 1 or 2 refuses it.
        good: whether it is harmless, and to be accepted.
    """

    kind: str
    name: str
    act: Callable[[Path], int | None]
    good: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a case: `what` is one of the constants above, `message` the last line that was said."""

    case: Case
    what: str
    message: str

    @property
    def is_right(self) -> bool:
        """Whether it was refused in one sentence, or accepted where it is harmless."""
        if self.what == REFUSED:
            return not self.case.good and len(self.message) < 900
        return self.what == ACCEPTED and self.case.good


def outcome(case: Case, folder: Path) -> Outcome:
    """Run a case in a forked child, which shares what this process has imported."""
    with tempfile.TemporaryFile("w+") as said:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            os._exit(_act(case, folder, said.fileno()))
        _, status = os.waitpid(child, 0)
        said.seek(0)
        text = said.read()
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    if os.WIFSIGNALED(status):
        return Outcome(case, KILLED, f"signal {os.WTERMSIG(status)}")
    code = os.WEXITSTATUS(status)
    if code == 99 or re.search(r"^Traceback \(most recent", text, re.MULTILINE):
        return Outcome(case, TRACEBACK, lines[-1][:300])
    return Outcome(case, REFUSED if code else ACCEPTED, lines[-1])


def _act(case: Case, folder: Path, out: int) -> int:
    """What the child does; its exit code is 99 for an exception that nothing has handled."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, out), (2, out)):
        os.dup2(source, target)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 (they last as long as it)
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES << 30, GIGABYTES << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
    signal.alarm(20 * SECONDS)
    os.chdir(folder)
    try:
        code = case.act(folder) or 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        code = 1
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 99
    sys.stdout.flush()
    sys.stderr.flush()
    return code
