"""Time of a workflow run by rule, from the benchmark files that Snakemake wrote beside it."""

import ast
from pathlib import Path
from typing import Any

import pandas as pd

from cosee.errors import InputError


def job_shares(folder: Path) -> pd.DataFrame:
    """Time of the jobs of every rule; only the last execution of a job counts.

    Args:
        folder: `benchmarks/` of a run, with a folder per rule and a file per job.

    Returns:
        A row per rule, the longest first: rule, jobs, seconds (wall-clock, summed over jobs), cpu_seconds, share (of
        all seconds, in percent), peak_mb (largest resident memory of a job); asked_mb and asked_share, the memory and
        the largest share of the time that a job had asked for, in percent, where benchmarks say so (Snakemake's option
        `--benchmark-extended`): more than 100 % would have ended it on a cluster.

    Raises:
        InputError: there are no benchmark files.
    """
    files = sorted(folder.glob("*/**/*.tsv"))
    if not files:
        raise InputError(f"{folder}: no benchmark files; expected the folder benchmarks/ of a run.")
    jobs = pd.concat([pd.read_csv(file, sep="\t", na_values="-").tail(1) for file in files])
    jobs["rule"] = [file.relative_to(folder).parts[0] for file in files]
    rules = jobs.groupby("rule").agg(
        jobs=("s", "size"), seconds=("s", "sum"), cpu_seconds=("cpu_time", "sum"), peak_mb=("max_rss", "max")
    )
    rules.insert(3, "share", 100 * rules["seconds"] / rules["seconds"].sum())
    if "resources" in jobs:
        asked = jobs["resources"].map(_asked)
        jobs["asked_mb"] = [resources.get("mem_mb") for resources in asked]
        minutes = [resources.get("runtime") or float("nan") for resources in asked]
        jobs["asked_share"] = 100 * jobs["s"] / 60 / pd.Series(minutes, index=jobs.index)
        rules = rules.join(jobs.groupby("rule").agg(asked_mb=("asked_mb", "max"), asked_share=("asked_share", "max")))
    return rules.sort_values("seconds", ascending=False).reset_index()


def _asked(text: Any) -> dict[str, Any]:
    return ast.literal_eval(text) if isinstance(text, str) else {}
