"""Files and folders that are written whole or not at all, and what killed processes leave of them."""

import errno
import os
import platform
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cosee.errors import InputError

STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd", "/proc/self/fd")
"""Paths, or folders of paths, that stand for an open stream even where a regular file is behind it."""


def is_stream(path: str | Path) -> bool:
    """Whether there is something at a path that can be written to but not replaced: a device, a pipe, a socket."""
    given = Path(os.path.abspath(path))
    if str(given) in STREAMS or str(given.parent) in STREAMS:
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary path to write to, whose content becomes that of `path` only if the block ends well.

    A regular file is replaced (through a symbolic link, too, which stays); what is no regular file is written to.

    Raises:
        InputError: the disk is full or read-only, or `path` is a folder; says which file could not be written.
    """
    path = Path(path)
    with explained(path):
        if path.is_dir():
            raise InputError(f"{path}: is a folder; choose the name of a file.")
        if is_stream(path):
            with tempfile.TemporaryDirectory() as folder:
                temporary = Path(folder) / f"content{path.suffix}"
                yield temporary
                with open(temporary, "rb") as source, open(path, "wb") as target:
                    shutil.copyfileobj(source, target)
            return
        target = path.resolve() if path.is_symlink() else path
        target.parent.mkdir(parents=True, exist_ok=True)
        # The suffix stays last: writers such as numpy.savez and matplotlib choose the format by it.
        temporary = target.with_name(f".{target.stem}.{process_name()}.partial{target.suffix}")
        try:
            temporary.touch()
            mode = temporary.stat().st_mode
            yield temporary
            temporary.chmod(mode)  # as the umask has it: safetensors makes files that only their owner can read
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `path` to fill; it becomes `path` only if the block ends well.

    Raises:
        InputError: there is something at `path` already, which is left as it is; or the disk is full or read-only.
    """
    path = Path(path)
    if path.exists():
        raise InputError(f"{path}: exists already; choose another folder or remove this one.")
    temporary = path.with_name(f".{path.name}.{process_name()}.partial")
    with explained(path):
        temporary.mkdir(parents=True)
        try:
            yield temporary
            (temporary / ".mode").touch()
            mode = (temporary / ".mode").stat().st_mode
            (temporary / ".mode").unlink()
            for file in temporary.iterdir():
                file.chmod(mode)  # as in `whole_file`
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Name `path`, not a temporary file, in errors of the file system.

    Raises:
        InputError: the disk is full or read-only.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        # Recognized by its text, as safetensors raises an exception type of its own that carries no errno.
        if any(os.strerror(code) in str(error) for code in (errno.ENOSPC, errno.EDQUOT)):
            raise InputError(f"{path}: the disk is full; free some space and run the same command again.") from error
        if any(os.strerror(code) in str(error) for code in (errno.EROFS, errno.EACCES)):
            raise InputError(
                f"{path}: cannot be written (read-only, or not permitted); choose another place."
            ) from error
        raise


def remove_partials(folder: Path) -> None:
    """Remove partial files that killed processes have left in a folder; no other process may be writing there."""
    for leftover in folder.glob(".*.partial*"):
        _remove(leftover)


def remove_abandoned(root: Path) -> None:
    """Remove partial files and folders below `root` whose processes are gone.

    Those of another machine, whose processes cannot be seen from here, are removed when they are a day old.
    """
    for leftover in root.rglob(".*.partial*"):
        found = _PARTIAL.search(leftover.name)
        if found is None:
            continue
        with suppress(FileNotFoundError):  # a process that has ended meanwhile has removed its own
            is_here = found["host"] == _host()
            if not _is_alive(int(found["pid"])) if is_here else time.time() - leftover.stat().st_mtime > 86400:
                _remove(leftover)


_PARTIAL = re.compile(r"\.(?P<host>[^.]+)-(?P<pid>\d+)\.partial")


def _host() -> str:
    return platform.node().replace(".", "_") or "host"


def process_name() -> str:
    """What names this process among those that may write to a shared file system."""
    return f"{_host()}-{os.getpid()}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
