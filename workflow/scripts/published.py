"""Tables and figures of a collection of published runs: a workflow of its own, in a folder of its own."""

import subprocess
import sys
from shutil import rmtree
from typing import TYPE_CHECKING

from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    folder = snakemake.output[0]
    rmtree(folder, ignore_errors=True)  # of a try that was killed
    # this interpreter: the `python` on the search path need not be the one that Snakemake is installed for
    command = [sys.executable, "-m", "snakemake", "published_results", "--snakefile", snakemake.params.snakefile]
    command += ["--cores", str(snakemake.threads), "--directory", folder, "--nolock"]
    command += ["--configfile", snakemake.input.preset, "--config", f"predictions={snakemake.params.predictions}"]
    finished = subprocess.run(command, stdout=sys.stderr, check=False)
    if finished.returncode:
        sys.exit(finished.returncode)
