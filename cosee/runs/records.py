"""Records of finished jobs: the one file of a job that the workflow declares, and what it stands for.

A job trains a number of runs that no rule can know from a wildcard, so its rule declares a record, which names the
runs and is written last. What reads the runs depends on the record. Where jobs share no file system, there is an
archive of the files beside it, which what reads the runs unpacks where it works.
"""

import shutil
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from cosee.errors import InputError
from cosee.io import write_json
from cosee.plan.configuration import Configuration
from cosee.plan.disk import runs_with_weights
from cosee.plan.jobs import Job, run_files
from cosee.plan.runs import RUNS_FOLDER, Run
from cosee.provenance import file_digest
from cosee.whole import whole_file

ARCHIVE = ".zip"
"""End of the name of an archive."""

_STORAGE = ".snakemake/storage/"


def write_record(path: str | Path, runs: Iterable[Run]) -> None:
    """Write the record of some finished runs: the folder of each, and the SHA-256 of the `run.json` in it.

    A record that is written again is the same unless a run was trained anew, and then what follows is made anew too.
    """
    write_json(path, {run.folder: file_digest(f"{run.folder}/run.json") for run in runs})


def write_archive(path: str | Path, files: Iterable[str]) -> None:
    """Write the files of finished runs as a zip archive, by their paths; the same files give the same bytes."""
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in files:
            entry = zipfile.ZipInfo(name)  # without the time of the file
            with open(name, "rb") as file, archive.open(entry, "w", force_zip64=True) as packed:
                shutil.copyfileobj(file, packed)


def place_inputs(inputs: Iterable[str]) -> None:
    """Put inputs that were brought from a storage where the plan of a configuration names them.

    Archives of runs are unpacked into the working directory, and all other files are linked to. Inputs that lie where
    they belong, as on a shared file system, are left alone.

    Raises:
        InputError: an archive is damaged, or holds something else than the files of runs.
    """
    for path in inputs:
        if not path.endswith(ARCHIVE):
            _link(path)
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
                if not all(name.startswith(f"{RUNS_FOLDER}/") and ".." not in name for name in names):
                    raise InputError(f"{path}: holds other files than those of runs; remove it and build it again.")
                for name in names:
                    with whole_file(name) as temporary, archive.open(name) as packed, open(temporary, "wb") as file:
                        shutil.copyfileobj(packed, file)
        except zipfile.BadZipFile as error:
            raise InputError(f"{path}: truncated or no archive; remove it and build it again.") from error


def _link(path: str) -> None:
    folder = max(("/results/", "/resources/"), key=path.rfind)
    if path.startswith(_STORAGE) and folder in path:
        named = Path(folder.strip("/"), path.rpartition(folder)[2])
        named.parent.mkdir(parents=True, exist_ok=True)
        link = named.with_name(f".{uuid4().hex}.partial.link")  # replaced at once, as jobs beside this one link too
        link.symlink_to(Path(path).resolve())
        link.replace(named)


def remove_untrue(config: Configuration, jobs: Iterable[Job]) -> list[str]:
    """Remove records of jobs of which a file is missing, so that the workflow does these jobs again.

    Args:
        config: the configuration.
        jobs: jobs, whose records may exist.

    Returns:
        The records that were removed.
    """
    weighted = runs_with_weights(config)
    untrue = [
        job.record
        for job in jobs
        if Path(job.record).exists()
        and not all(Path(file).exists() for run in job.runs for file in run_files(run, config, weighted))
    ]
    for record in untrue:
        with suppress(OSError):  # of another user: then the missing file is met by what reads it
            Path(record).unlink()
    return untrue
