"""The files of a finished run, kept a second time until Snakemake has recorded that its job is complete.

Snakemake removes the declared files of a job whose end it did not see: it was killed alone, or in the moment between
the last file and its own record. A run whose files are kept here gets them back instead of being trained again. They
are hard links, which take no space, where the file system has them.
"""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from cosee.errors import InputError
from cosee.io import read_json, whole_folder

KEPT = ".finished"
"""Folder of the kept files, in the folder of the run; not declared, so that Snakemake leaves it alone."""
RECORD = "record.json"


def keep(folder: Path, identity: str, names: Iterable[str]) -> None:
    """Keep the files of a finished run.

    Args:
        folder: of the run.
        identity: hash of all that decides the files.
        names: of the files, in the folder.
    """
    shutil.rmtree(folder / KEPT, ignore_errors=True)
    names = list(names)
    with whole_folder(folder / KEPT) as kept:
        for name in names:
            _link(folder / name, kept / name)
        record = {"identity": identity, "bytes": {name: (folder / name).stat().st_size for name in names}}
        (kept / RECORD).write_text(json.dumps(record), encoding="utf-8")


def recover(folder: Path, identity: str) -> bool:
    """Put the kept files of a finished run back into its folder, newer than all that they were made from.

    Args:
        folder: of the run.
        identity: hash of all that decides the files; what is kept of another run is removed.

    Returns:
        Whether the run is finished: all its files are there.
    """
    kept = folder / KEPT
    if not kept.is_dir():
        return False
    try:
        record = read_json(kept / RECORD)
        sizes = record["bytes"]
        is_whole = record["identity"] == identity and all((kept / n).stat().st_size == sizes[n] for n in sizes)
    except (InputError, KeyError, TypeError, OSError):
        is_whole = False
    if not is_whole:
        shutil.rmtree(kept, ignore_errors=True)
        return False
    for name in sizes:
        (folder / name).unlink(missing_ok=True)
        _link(kept / name, folder / name)
        os.utime(folder / name)
    return True


def discard_all(root: Path) -> None:
    """Remove what is kept of all runs below `root`: their jobs are recorded as complete."""
    for kept in root.rglob(KEPT):
        shutil.rmtree(kept, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
