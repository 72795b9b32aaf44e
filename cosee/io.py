"""Formats of files: written whole or not at all (`cosee.whole`), read with an error that names the file.

Nothing is ever pickled.
"""

import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from cosee.errors import InputError
from cosee.whole import whole_file


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
