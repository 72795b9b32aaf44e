# Reading, checking and planning of the configuration, and the announcement before a start.
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake_interface_executor_plugins.settings import SharedFSUsage

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
from cosee.plan.curves import RULE, curves, given_thresholds, signals_of
from cosee.plan.disk import disk_sentence, disk_space
from cosee.plan.figures import (
    FIGURE_KINDS,
    figure_inputs,
    figure_rule,
    figure_runs,
    figure_seeds,
    figure_stem,
    reference_inputs,
)
from cosee.plan.jobs import (
    RECORDS_FOLDER,
    archive_of,
    published_record,
    training_jobs,
    training_priority,
    trainings_at_once,
)
from cosee.plan.merging import with_defaults
from cosee.plan.requests import data_memory, results_memory, training_memory, training_runtime
from cosee.plan.runs import display_names, final_runs, timed_run
from cosee.plan.search import checkpoint_rule, grid_runs, search_points
from cosee.plan.shown import compared_variants, result_files, runs_of, shown_curves, shown_variants, trained_curves
from cosee.plugins import with_plugins
from cosee.runs.published import published_files
from cosee.runs.records import remove_untrue

PROJECT = Path(workflow.basedir).parent

try:
    for file in workflow.configfiles:
        read_yaml(file)  # Snakemake's own reader keeps the last of two equal keys in silence
    # Into `config` itself, which every job and script gets.
    config.update(with_defaults(read_yaml(PROJECT / "config/defaults.yaml"), config))
    for key in ("data_dir", "backbone_dir", "predictions"):
        if config[key]:
            config[key] = str((PROJECT / config[key]).resolve())
    if config["container"] and "://" not in config["container"]:
        config["container"] = str((PROJECT / config["container"]).resolve())
    CONFIG = configuration(config)
    if workflow.is_main_process:  # which has checked it for every job
        checks.check(CONFIG)
except InputError as error:
    raise WorkflowError(str(error))

# Each preset but the default has a working directory of its own, with the same target names in it; what is made from
# published runs alone, in that of --directory.
if CONFIG.preset != "mini" and not CONFIG.predictions:

    workdir: str(PROJECT / "runs" / CONFIG.preset)


if CONFIG.container:

    container: CONFIG.container


RUNS = final_runs(CONFIG)
PUBLISHED = published_files(CONFIG.predictions) if CONFIG.predictions else {}
JOBS = {job.record: job for job in training_jobs(CONFIG, PUBLISHED)}
RECORD_OF = {run.folder: record for record, job in JOBS.items() for run in job.runs} | {
    run.folder: published_record(run.backbone, run.task) for run in RUNS if run.key in PUBLISHED
}
NUM_RUNS = Counter((run.backbone, run.task) for run in RUNS)
TASK_NAMES = list(dict.fromkeys(run.task for run in RUNS))
CONTEXT = context(CONFIG)
COMPARISONS = CONFIG.tables.shown
TABLES = ["table1", "table4", *COMPARISONS]
TABLE_LABELS = display_names(CONFIG, compared_variants(CONFIG))
FIGURE_SPECS = CONFIG.figures.shown
# Jobs go to a scheduler, whose nodes are others than this one: here --jobs says how many run at once; or this is a job.
CLUSTER = workflow.resource_settings.nodes is not None or workflow.remote_exec
# Cores of --cores; none on a cluster, where they would be those of another machine, and in a job those of the node.
CORES = None if CLUSTER else workflow.resource_settings.cores
# One slot for each training on a GPU: the limit on the resource `gpu`, which --resources or a profile sets.
GPU_SLOTS = workflow.global_resources["gpu"].value if "gpu" in workflow.global_resources else None
# Nodes are taken to have GPUs unless `gpu=0` is said; so is this machine, driver or not, if several slots are.
GPUS_PER_TRAINING = int(GPU_SLOTS != 0 and (CLUSTER or provenance.has_nvidia_driver() or (GPU_SLOTS or 0) > 1))
# Whether jobs read and write the same files; if not, what is not declared as input or output is lost with a job.
SHARED = SharedFSUsage.INPUT_OUTPUT in workflow.storage_settings.shared_fs_usage
# A try that ran out of time or memory is followed by one with more, as another job; here it would fail again.
RETRIES = 3 if CLUSTER and not workflow.remote_exec else 0


if workflow.is_main_process:
    for record in remove_untrue(CONFIG, JOBS.values()):
        print(f"{record}: a file of its runs is missing; they are looked through again.", file=sys.stderr)


wildcard_constraints:
    task="|".join(TASK_NAMES),
    backbone="|".join(CONFIG.backbones),
    signal="|".join([*CONFIG.signals, RULE]),
    job="[^/]+",
    name="[a-z0-9_][^/]*",
    point="[^/]+",
    seed="[0-9]+",
    file=r"[^/]+\.(csv|json|npz|safetensors)",


def records_of(runs):
    """Records of the jobs that train some runs, each once; with the archives of their files where none are shared."""
    return with_archives(dict.fromkeys(RECORD_OF[run.folder] for run in runs))


def with_archives(records):
    return [file for record in records for file in ([record] if SHARED else [record, archive_of(record)])]


def archive_output(record):
    """The second output of a rule that makes a record."""
    return {} if SHARED else {"archive": archive_of(record)}


def job_of(stage, wildcards):
    return JOBS[f"{RECORDS_FOLDER}/{stage}/{wildcards.backbone}/{wildcards.task}/{wildcards.job}.json"]


def published_of(wildcards):
    return [run for run in RUNS if run.key in PUBLISHED and run.key[:2] == (wildcards.backbone, wildcards.task)]


def numerics_of_task(task):
    return with_plugins(NUMERICS_VERSION, TASKS.origin(task))


def numerics_of_runs(runs):
    origins = [registry.origin(name) for run in runs for registry, name in ((METHODS, run.method), (RULES, run.rule))]
    return with_plugins(NUMERICS_VERSION, *origins)


def numerics_of_curves(task, signal):
    return with_plugins(NUMERICS_VERSION, *[RULES.origin(curve.rule) for curve in curves(CONFIG, task, signal)])


def reported(name):
    """Numbers that papers print: files of the project, not of a run."""
    return local(str(PROJECT / f"config/reported/{name}.csv"))


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

    if Path("benchmarks").is_dir():
        shares = job_shares(Path("benchmarks")).to_string(index=False, float_format="{:.1f}".format)
        print(f"time of all jobs since the first start:\n{shares}", file=sys.stderr)


def more(amount):
    """An amount of a resource that grows by a quarter of it with each further attempt, so that nodes still have it."""
    return lambda wildcards, attempt: round(amount(wildcards) * (3 + attempt) / 4)


onstart:
    from cosee.whole import remove_abandoned

    for folder in ("results", "figures", "resources"):
        remove_abandoned(Path(folder))
    try:  # only at the start, because the settings of methods are checked with torch, which takes seconds to import
        if (
            JOBS and not CLUSTER
        ):  # there each training checks its own, as torch need not be where jobs are submitted
            checks.check_settings(CONFIG)
    except InputError as error:
        raise WorkflowError(str(error))
    parallel = trainings_at_once(CORES, workflow.resource_settings.nodes, GPU_SLOTS or 0, bool(GPUS_PER_TRAINING))
    trainings, minutes = sum(len(job.runs) for job in JOBS.values()), sum(job.minutes for job in JOBS.values())
    disk = disk_sentence(disk_space(CONFIG, [run for job in JOBS.values() for run in job.runs], Path.cwd()))
    print(announcement(CONFIG, trainings, len(JOBS), minutes, Path.cwd(), parallel, disk), file=sys.stderr)
