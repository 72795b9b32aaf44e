"""Files: written whole or not at all, read with an error that names the file. Nothing is ever pickled."""

import errno
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from cosee.errors import InputError


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; it takes the place of `path` only if the block ends well.

    Raises:
        InputError: the disk is full; says which file could not be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: writers such as numpy.savez and matplotlib choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # as the umask has it: safetensors makes files that only their owner can read
        os.replace(temporary, path)
    except Exception as error:
        # Recognized by its text, as safetensors raises an exception type of its own that carries no errno.
        if any(os.strerror(code) in str(error) for code in (errno.ENOSPC, errno.EDQUOT)):
            raise InputError(f"{path}: the disk is full; free some space and run the same command again.") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_partials(folder: Path) -> None:
    """Remove partial files that killed processes have left in a folder; no other process may be writing there."""
    for leftover in folder.glob(".*.partial*"):
        leftover.unlink()


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `path` to fill; it becomes `path` only if the block ends well.

    Raises:
        InputError: there is something at `path` already, which is left as it is.
    """
    path = Path(path)
    if path.exists():
        raise InputError(f"{path}: exists already; choose another folder or remove this one.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
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
        InputError: the file is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: truncated or not JSON; delete it and build it again.") from error


def write_yaml(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as YAML, keys in the order given."""
    write_text(path, yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True))


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file.

    Raises:
        InputError: the file is missing or not a YAML mapping.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
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


def read_frame(path: str | Path) -> pd.DataFrame:
    """Read a CSV or parquet file.

    Raises:
        InputError: the file is missing, truncated or of another format.
    """
    path = Path(path)
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        # "none" is a value of the column `exit_rule`, not a missing one; only an empty cell is missing.
        return pd.read_csv(path, keep_default_na=False, na_values=[""])
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OSError) as error:
        raise InputError(f"{path}: truncated or corrupt {path.suffix[1:]} file; fetch or build it again.") from error


def read_frames(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read several files of one kind into one frame."""
    return pd.concat([read_frame(path) for path in paths], ignore_index=True)
