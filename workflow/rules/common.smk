# Reading, checking and planning of the configuration, and the announcement before a start.
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from snakemake.exceptions import WorkflowError

from cosee import NUMERICS_VERSION, provenance
from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.exiting.rules import RULES
from cosee.explorer.inputs import page_digest, workflow_inputs
from cosee.io import read_yaml
from cosee.methods import METHODS
from cosee.plan import checks, sources
from cosee.plan.configuration import configuration
from cosee.plan.contexts import context, context_of_encoders, context_of_figure, context_of_table, facts_of_risk
from cosee.plan.cost import announcement, example_counts
from cosee.plan.curves import RULE, curves, evaluated_files, given_thresholds, risk_files, signals_of
from cosee.plan.disk import disk_sentence, disk_space, runs_with_weights
from cosee.plan.figures import FIGURE_KINDS, figure_inputs, figure_rule, figure_seeds, figure_stem, reference_inputs
from cosee.plan.jobs import run_files, split_into_jobs, training_priority, trainings_at_once, weights_file
from cosee.plan.merging import with_defaults
from cosee.plan.runs import RUNS_FOLDER, display_names, final_runs, timed_run
from cosee.plan.search import checkpoint_rule, grid_files, grid_runs, search_points
from cosee.plugins import with_plugins
from cosee.runs.published import published_files
from cosee.plan.shown import (
    compared_variants,
    files_of_runs,
    outputs_of,
    result_files,
    shown_curves,
    shown_variants,
    trained_curves,
)

PROJECT = Path(workflow.basedir).parent

try:
    for file in workflow.configfiles:
        read_yaml(file)  # Snakemake's own reader keeps the last of two equal keys in silence
    # Into `config` itself, which every job and script gets.
    config.update(with_defaults(read_yaml(PROJECT / "config/defaults.yaml"), config))
    for key in ("data_dir", "backbone_dir", "predictions"):
        if config[key]:
            config[key] = str((PROJECT / config[key]).resolve())
    CONFIG = configuration(config)
    checks.check(CONFIG)
except InputError as error:
    raise WorkflowError(str(error))

# Each preset but the default has a working directory of its own, with the same target names in it; what is made from
# published runs alone, in that of --directory.
if CONFIG.preset != "mini" and not CONFIG.predictions:

    workdir: str(PROJECT / "runs" / CONFIG.preset)


RUNS = final_runs(CONFIG)
PUBLISHED = published_files(CONFIG.predictions) if CONFIG.predictions else {}
FINAL_JOBS = split_into_jobs([run for run in RUNS if run.key not in PUBLISHED], "final", CONFIG.jobs.runs_per_job)
SEARCHED = {(job.backbone, job.task) for job in FINAL_JOBS}
GRID_JOBS = split_into_jobs(
    [run for run in grid_runs(CONFIG) if run.key[:2] in SEARCHED], "grid", CONFIG.jobs.runs_per_job
)
WEIGHTED = runs_with_weights(CONFIG)
NUM_RUNS = Counter((run.backbone, run.task) for run in RUNS)
TASK_NAMES = list(dict.fromkeys(run.task for run in RUNS))
CONTEXT = context(CONFIG)
COMPARISONS = CONFIG.tables.shown
TABLES = ["table1", "table4", *COMPARISONS]
TABLE_LABELS = display_names(CONFIG, compared_variants(CONFIG))
FIGURE_SPECS = CONFIG.figures.shown
# Cores of --cores; on a cluster None, unless they are named: there --jobs says how many run at once.
CORES = workflow.resource_settings.cores
# One slot for each training on a GPU: the limit on the resource `gpu`, which --resources or a profile sets.
GPU_SLOTS = workflow.global_resources["gpu"].value if "gpu" in workflow.global_resources else 0
# A cluster's submission host may have no GPU; more than the default single slot means that its nodes have some.
GPUS_PER_TRAINING = int(provenance.has_nvidia_driver() or GPU_SLOTS > 1)


wildcard_constraints:
    task="|".join(TASK_NAMES),
    backbone="|".join(CONFIG.backbones),
    signal="|".join([*CONFIG.signals, RULE]),


def numerics_of_task(task):
    return with_plugins(NUMERICS_VERSION, TASKS.origin(task))


def numerics_of_runs(runs):
    origins = [registry.origin(name) for run in runs for registry, name in ((METHODS, run.method), (RULES, run.rule))]
    return with_plugins(NUMERICS_VERSION, *origins)


def numerics_of_curves(task, signal):
    return with_plugins(NUMERICS_VERSION, *[RULES.origin(curve.rule) for curve in curves(CONFIG, task, signal)])


def backbone_files(name):
    return [f"resources/backbones/{name}/{file}" for file in ("config.json", "model.safetensors", "tokenizer.json")]


def table_outputs(name):
    labels = {"table": name.removeprefix("table")}
    return {
        "csv": f"results/tables/{name}.csv",
        "tex": f"results/tables/{name}.tex",
        "md": report(f"results/tables/{name}.md", caption="../report/caption.rst", category="Tables", labels=labels),
    }


onsuccess:
    from cosee.bench.workflow_times import job_shares
    from cosee.runs.recovery import discard_all

    discard_all(Path(RUNS_FOLDER))  # of trainings that are recorded as complete by now
    if Path("benchmarks").is_dir():
        shares = job_shares(Path("benchmarks")).to_string(index=False, float_format="{:.1f}".format)
        print(f"time of all jobs since the first start:\n{shares}", file=sys.stderr)


onstart:
    from cosee.io import remove_abandoned

    for folder in ("results", "figures", "resources"):
        remove_abandoned(Path(folder))
    try:  # only at the start, because the settings of methods are checked with torch, which takes seconds to import
        if GRID_JOBS + FINAL_JOBS:
            checks.check_settings(CONFIG)
    except InputError as error:
        raise WorkflowError(str(error))
    parallel = trainings_at_once(CORES, workflow.resource_settings.nodes, GPU_SLOTS, bool(GPUS_PER_TRAINING))
    print(announcement(CONFIG, GRID_JOBS + FINAL_JOBS, Path.cwd(), parallel), file=sys.stderr)
