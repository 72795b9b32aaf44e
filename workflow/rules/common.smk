# Reads and checks the configuration, and says what will be done before anything starts.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

from cosee import NUMERICS_VERSION, plan, provenance
from cosee.captions import Context
from cosee.errors import InputError

PROJECT = Path(workflow.basedir).parent


validate(config, "../schemas/config.schema.yaml")
for key in ("data_dir", "backbone_dir"):
    if config[key]:
        config[key] = str((PROJECT / config[key]).resolve())
try:
    plan.check(config)
except InputError as error:
    raise WorkflowError(str(error))

# Each preset but the default works in a folder of its own, with the same target names below it.
if config["preset"] != "mini":

    workdir: str(PROJECT / "runs" / config["preset"])


RUNS = plan.final_runs(config)
GRID_JOBS = plan.cut(plan.grid_runs(config), "grid", config["jobs"]["runs_per_job"])
FINAL_JOBS = plan.cut(RUNS, "final", config["jobs"]["runs_per_job"])
TASK_NAMES = list(dict.fromkeys(run.task for run in RUNS))
CONTEXT = Context(
    preset=config["preset"],
    data=config["data"]["label"],
    backbones={name: plan.backbone_label(config, name) for name in config["backbones"]},
    protocol=config["protocol"]["name"],
    seeds=tuple(config["seeds"]),
)
GPUS = int(Path("/proc/driver/nvidia/version").exists())  # torch would know better, but takes seconds to ask


wildcard_constraints:
    task="|".join(TASK_NAMES),
    backbone="|".join(config["backbones"]),
    signal="|".join(config["signals"]),


onsuccess:
    print(provenance.time_summary("benchmarks"), file=sys.stderr)


onstart:
    # The settings of methods are checked here, once: asking the methods imports torch, which takes seconds.
    from cosee.methods import make_method

    try:
        for run in RUNS:
            make_method(run.method, run.settings)
    except InputError as error:
        raise WorkflowError(str(error))
    parallel = 1 if GPUS else workflow.cores
    print(plan.announcement(config, GRID_JOBS + FINAL_JOBS, Path.cwd(), parallel), file=sys.stderr)
