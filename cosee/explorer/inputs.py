"""Files that the page of a workflow is made from. Imported whenever the workflow is planned, hence light."""

import hashlib
from importlib.resources import files

from cosee.plan.configuration import Configuration
from cosee.plan.curves import signals_of
from cosee.plan.runs import final_runs
from cosee.plan.shown import result_files

KINDS = ("tradeoff", "targets", "dis", "layers", "calibration")
"""Result files that a page reads."""


def workflow_inputs(config: Configuration) -> list[str]:
    """Files of a workflow's folder that its page is made from besides its final runs, relative to the folder."""
    tasks = dict.fromkeys(run.task for run in final_runs(config))
    wanted = [(task, signal) for task in tasks for signal in signals_of(config, task)]
    files = [f"results/{task}/{signal}_{kind}.csv" for task, signal in wanted for kind in KINDS]
    files += risk_files(config)
    if shows_text(config):
        files += [f"resources/rows/{task}.parquet" for task in tasks]
    if config.latency and not config.predictions:
        files.append("results/tables/latency.csv")
    return list(dict.fromkeys(files))


def risk_files(config: Configuration) -> list[str]:
    """Files with certified risks that the table and the figure `risk` read; none without calibration examples."""
    specs = [shown["risk"] for shown in (config.tables.shown, config.figures.shown) if "risk" in shown]
    return list(dict.fromkeys(file for spec in specs for file in result_files(config, spec, "risk.csv")))


def shows_text(config: Configuration) -> bool:
    """Whether the page may hold texts: generated ones, or those of the user's own copy of GLUE."""
    return not config.predictions and bool(config.data_dir or config.data.source == "generated")


def page_digest() -> str:
    """Digest of the page's template, style and program: a page is made again when one of them has changed."""
    digest = hashlib.sha256()
    for file in sorted((files("cosee.explorer") / "static").iterdir(), key=lambda file: file.name):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]
