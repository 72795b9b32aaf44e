"""Set-up of every workflow script: its log, and expected errors as one sentence."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cosee.errors import InputError


@contextmanager
def logged(path: str) -> Iterator[None]:
    """Send standard error and the `cosee` loggers to a log file, line by line.

    An `InputError` ends the process with exit code 1 and its one sentence as the last line of the log, which Snakemake
    shows; any other exception keeps its traceback.
    """
    Path(path).unlink(missing_ok=True)  # the file of a process that outlived an earlier try stays its own
    file = open(path, "w", buffering=1, encoding="utf-8")  # noqa: SIM115 (must outlive the block: libraries log at exit)
    os.dup2(file.fileno(), sys.stderr.fileno())  # also what native code writes
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(message)s", force=True)
    logging.getLogger("cosee").setLevel(logging.INFO)
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
