"""Time every method of the preset for some steps, and add up what all of its runs take."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from cosee.bench.cost import measure_cost
from cosee.io import write_frame, write_text
from cosee.provenance import hardware
from cosee.runs import default_device, prepare
from cosee.scripting import logged
from cosee.tables import cost_wide, to_markdown
from cosee.tokens import load_tokens

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    prepare(snakemake.threads)
    config, device, there = snakemake.config, default_device(), hardware()
    costs = measure_cost(
        config,
        lambda backbone, task: load_tokens(f"resources/tokens/{backbone}/{task}.npz"),
        lambda backbone: Path(f"resources/backbones/{backbone}"),
        device,
        logging.getLogger("cosee").info,
    )
    machine = there["gpu"] if device.type == "cuda" else f"{there['processor']}, {snakemake.threads} of its cores"
    caption = (
        f"What the preset {config['preset']} costs: hours on {machine}, one training at a time, predictions included; "
        "start-up, data and evaluation are not. "
        f"Timed: trainings of {config['cost']['steps']} steps, of one variant on "
        "every task and of the others on their largest; rows by the sizes of the source."
    )
    write_frame(snakemake.output.csv, costs.assign(hardware=machine))
    write_text(snakemake.output.md, to_markdown(cost_wide(costs), caption))
