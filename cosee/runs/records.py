"""Records of finished jobs: the one file of a job that the workflow declares, and what it stands for.

A job trains a number of runs that no rule can know from a wildcard, so its rule declares a record, which names the
files of all runs and is written last. What reads the runs depends on the record.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cosee.io import write_json
from cosee.plan.configuration import Configuration
from cosee.plan.disk import runs_with_weights
from cosee.plan.jobs import Job, run_files
from cosee.plan.runs import Run
from cosee.provenance import file_digest


def write_record(path: str | Path, runs: Iterable[Run]) -> None:
    """Write the record of some finished runs: the folder of each, and the SHA-256 of the `run.json` in it.

    A record that is written again is the same unless a run was trained anew, and then what follows is made anew too.
    """
    write_json(path, {run.folder: file_digest(f"{run.folder}/run.json") for run in runs})


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
