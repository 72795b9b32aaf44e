"""Files: written whole or not at all, read with an error that names the file. Nothing is ever pickled."""

import errno
import json
import os
import platform
import re
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

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
        temporary = target.with_name(f".{target.stem}.{_process()}.partial{target.suffix}")
        try:
            temporary.touch()
            mode = temporary.stat().st_mode
            yield temporary
            temporary.chmod(mode)  # as the umask has it: safetensors makes files that only their owner can read
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


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


def _process() -> str:
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


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `path` to fill; it becomes `path` only if the block ends well.

    Raises:
        InputError: there is something at `path` already, which is left as it is; or the disk is full or read-only.
    """
    path = Path(path)
    if path.exists():
        raise InputError(f"{path}: exists already; choose another folder or remove this one.")
    temporary = path.with_name(f".{path.name}.{_process()}.partial")
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


def save_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as a compressed .npz file."""
    with whole_file(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def load_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read what `save_arrays` wrote.

    Raises:
        InputError: the file is missing, truncated or not an .npz file of plain arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; build it first with `snakemake --cores 2 {path}`.") from error
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, TypeError, RuntimeError) as error:
        raise InputError(f"{path}: truncated or no .npz file of plain arrays; delete it and build it again.") from error


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, ending in one newline."""
    with whole_file(path) as temporary:
        temporary.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, default=str))


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a JSON file.

    Raises:
        InputError: the file is missing, not JSON, or no JSON object.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file.") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: truncated or not JSON; delete it and build it again.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, got {type(content).__name__}; delete it and build it again.")
    return content


def write_yaml(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as YAML, keys in the order given."""
    write_text(path, yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True))


class _UniqueKeys(yaml.SafeLoader):
    """A loader that refuses a mapping with a key twice, of which YAML would keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = [key for index, key in enumerate(keys) if key in keys[:index] and key != "<<"]
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file.

    Raises:
        InputError: the file is missing, not a YAML mapping, or has a key twice.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), _UniqueKeys)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file.") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not YAML ({str(error).splitlines()[0]}).") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a YAML mapping of keys to values.")
    return content


def write_frame(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a data frame without its index, as CSV or parquet by the file's suffix."""
    with whole_file(path) as temporary:
        if temporary.suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            frame.to_csv(temporary, index=False)


def read_frame(path: str | Path, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read a CSV or parquet file.

    Args:
        path: the file.
        columns: columns that it must have.

    Raises:
        InputError: the file is missing, truncated, of another format, or lacks a column.
    """
    path = Path(path)
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        else:
            # "none" is a value of the column `exit_rule`, not a missing one; only an empty cell is missing.
            frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
            with open(path, "rb") as file:
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":
                    raise EOFError
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: truncated or corrupt {path.suffix[1:]} file; fetch or build it again.") from error
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(f"{path}: lacks the column {missing[0]!r}; delete it and build it again.")
    return frame


def read_frames(paths: Iterable[str | Path], columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read several files of one kind into one frame; `columns` as for `read_frame`."""
    columns = list(columns)
    return pd.concat([read_frame(path, columns) for path in paths], ignore_index=True)
