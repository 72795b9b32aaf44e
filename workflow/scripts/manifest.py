"""Provenance of the results: configuration, commit, data, encoders, versions, hardware, every run."""

from pathlib import Path
from typing import TYPE_CHECKING

from cosee.io import write_json
from cosee.plan.configuration import configuration
from cosee.plan.runs import final_runs
from cosee.plan.sources import backbone_label, data_label
from cosee.plugins import installed_plugins
from cosee.provenance import file_digest, git_commit, hardware, package_versions
from cosee.runs.records import place_inputs
from cosee.runs.stored import read_run
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    place_inputs(snakemake.input)
    config = configuration(snakemake.config)
    files = [*snakemake.input.rows, *snakemake.input.weights]
    runs = [read_run(run.folder) for run in final_runs(config)]
    write_json(
        snakemake.output[0],
        {
            "commit": git_commit(snakemake.params.project),
            "trained_at_commits": sorted({run["commit"] for run in runs}),
            "config": config.as_mapping()
            | {
                key: Path(getattr(config, key) or "").name
                for key in ("data_dir", "backbone_dir", "container")  # no folders of this machine
            },
            "data": data_label(config),
            "backbones": {name: backbone_label(config, name) for name in config.backbones},
            "sha256": {path[path.index("resources/") :]: file_digest(path) for path in files},
            "versions": package_versions(),
            "plugins": installed_plugins(),
            "hardware": hardware(),
            "trained_on": sorted({run["hardware"]["gpu"] or run["hardware"]["processor"] for run in runs}),
            "training_seconds": sum(run["seconds"]["training"] for run in runs),
            "runs": [
                {
                    **{key: run["run"][key] for key in ("task", "backbone", "name", "seed", "settings", "training")},
                    **{key: run[key] for key in ("fingerprint", "steps", "best_epoch", "sel_score", "seconds")},
                }
                for run in runs
            ],
        },
    )
