"""The runs of one job, one after the other: train, predict, write; then the record that says that all are finished."""

from pathlib import Path
from typing import TYPE_CHECKING

from cosee.data.tokens import load_tokens, padding_id
from cosee.io import read_yaml
from cosee.plan.configuration import configuration
from cosee.plan.disk import runs_with_weights
from cosee.plan.jobs import run_files, training_jobs
from cosee.plan.runs import predicted_splits
from cosee.plan.search import at_chosen_point
from cosee.runs.device import configure_torch, placed_device
from cosee.runs.execution import RunInputs, train_and_predict
from cosee.runs.published import published_files
from cosee.runs.records import write_archive, write_record
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    config, stage = configuration(snakemake.config), snakemake.params.stage
    configure_torch(snakemake.threads)
    jobs = training_jobs(config, published_files(config.predictions) if config.predictions else ())
    named = (stage, *snakemake.wildcards)
    (job,) = [job for job in jobs if (job.stage, job.backbone, job.task, job.name) == named]
    chosen = read_yaml(snakemake.input.best).get("chosen") if stage == "final" else {}
    weighted = runs_with_weights(config)
    tokens, backbone = load_tokens(snakemake.input.tokens), Path(snakemake.input.backbone[0]).parent
    with placed_device() as device:
        for run in job.runs:
            encoder = config.backbones[run.backbone]
            train_and_predict(
                run if stage == "grid" else at_chosen_point(config, run, chosen),
                RunInputs(tokens, backbone, encoder.layers, padding_id(backbone / "tokenizer.json")),
                protocol=config.protocol.model_dump(),
                splits=predicted_splits(run, config),
                keep_weights=stage == "final" and run.key in weighted,
                device=device,
                wait=True,
                state=Path(config.jobs.states, run.folder) if config.jobs.states else None,
            )
    write_record(snakemake.output.record, job.runs)
    if "archive" in snakemake.output.keys():  # noqa: SIM118 (not a mapping)
        write_archive(snakemake.output.archive, [file for run in job.runs for file in run_files(run, config, weighted)])
