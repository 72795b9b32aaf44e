"""The runs of one job, one after the other: train, predict, write."""

from pathlib import Path
from typing import TYPE_CHECKING

from cosee.data.tokens import load_tokens, padding_id
from cosee.io import read_yaml
from cosee.plan.configuration import configuration
from cosee.plan.disk import runs_with_weights
from cosee.plan.jobs import split_into_jobs
from cosee.plan.runs import final_runs, predicted_splits
from cosee.plan.search import at_chosen_point, grid_runs
from cosee.runs.device import configure_torch, default_device
from cosee.runs.execution import RunInputs, train_and_predict
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    config, stage = configuration(snakemake.config), snakemake.params.stage
    configure_torch(snakemake.threads)
    runs = grid_runs(config) if stage == "grid" else final_runs(config)
    jobs = split_into_jobs(runs, stage, config.jobs.runs_per_job)
    (job,) = [job for job in jobs if f"train_{job.name}" == snakemake.rule]
    chosen = read_yaml(snakemake.input.best).get("chosen") if stage == "final" else {}
    weighted = runs_with_weights(config)
    tokens, backbone = load_tokens(snakemake.input.tokens), Path(snakemake.input.backbone[0]).parent
    for run in job.runs:
        train_and_predict(
            run if stage == "grid" else at_chosen_point(config, run, chosen),
            RunInputs(tokens, backbone, config.backbones[run.backbone].layers, padding_id(backbone / "tokenizer.json")),
            protocol=config.protocol.model_dump(),
            splits=predicted_splits(run, config),
            keep_weights=stage == "final" and run.key in weighted,
            keep_state=True,
            device=default_device(),
        )
