"""Training cost of a preset: some steps of every variant are timed and extrapolated to all runs."""

import logging
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from cosee.bench.cost import measure_cost
from cosee.data.tokens import load_tokens
from cosee.io import write_frame, write_text
from cosee.plan.configuration import configuration
from cosee.provenance import git_commit, hardware
from cosee.runs.device import configure_torch, default_device
from cosee.scripting import logged
from cosee.tables import cost_wide, to_markdown

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    configure_torch(1)  # the threads of a training
    config, device, machine_info = configuration(snakemake.config), default_device(), hardware()
    tokens = {(Path(file).parent.name, Path(file).stem): file for file in snakemake.input.tokens}
    folders = {Path(file).parent.name: Path(file).parent for file in snakemake.input.backbones}
    costs = measure_cost(
        config,
        lambda backbone, task: load_tokens(tokens[backbone, task]),
        lambda backbone: folders[backbone],
        device,
        logging.getLogger("cosee").info,
    )
    cpu = f"{machine_info['processor']}, 1 of {machine_info['cores']} cores"
    machine = machine_info["gpu"] if device.type == "cuda" else cpu
    caption = (
        f"Hours of all trainings of the preset on {machine}, one at a time, with predictions but without start-up, "
        f"data and evaluation. Timed: {snakemake.params.steps} steps or more of every variant, depth and batch size on "
        "its largest task, and of one variant on every task; the rest is extrapolated. Numbers of examples are those "
        f"of the source. {snakemake.params.disk.capitalize()}. {snakemake.params.sentence}"
    )
    commit = git_commit(Path(__file__).parent)
    write_frame(snakemake.output.csv, costs.assign(machine=machine, torch=version("torch"), commit=commit))
    write_text(snakemake.output.md, to_markdown(cost_wide(costs), caption))
