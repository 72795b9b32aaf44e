# Reads and checks the configuration, and says what will be done before anything starts.
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

from cosee import NUMERICS_VERSION, provenance
from cosee.errors import InputError
from cosee.plan import checks, curves, sources
from cosee.plan.captions import Context
from cosee.plan.cost import announcement, passes
from cosee.plan.jobs import cut, run_files, weights_file
from cosee.plan.runs import final_runs, labels, selection_split, timed_run
from cosee.plan.search import checkpoint_rule, grid_files, grid_runs, tuned_points

PROJECT = Path(workflow.basedir).parent


try:
    validate(config, "../schemas/config.schema.yaml")
except WorkflowError as error:  # Snakemake's own text prints the whole schema and configuration after the sentence
    wrong = error.__context__
    raise WorkflowError(f"config{wrong.json_path.removeprefix('$')}: {wrong.message}.") if wrong else error
for key in ("data_dir", "backbone_dir"):
    if config[key]:
        config[key] = str((PROJECT / config[key]).resolve())
try:
    checks.check(config)
except InputError as error:
    raise WorkflowError(str(error))

# Each preset but the default works in a folder of its own, with the same target names below it.
if config["preset"] != "mini":

    workdir: str(PROJECT / "runs" / config["preset"])


RUNS = final_runs(config)
GRID_JOBS = cut(grid_runs(config), "grid", config["jobs"]["runs_per_job"])
FINAL_JOBS = cut(RUNS, "final", config["jobs"]["runs_per_job"])
TASK_NAMES = list(dict.fromkeys(run.task for run in RUNS))
CONTEXT = Context(
    preset=config["preset"],
    data=sources.data_label(config),
    backbones={name: sources.backbone_label(config, name) for name in config["backbones"]},
    protocol=config["protocol"]["name"],
    seeds=tuple(config["seeds"]),
)
# Cores of --cores; on a cluster None, unless they are named: there --jobs says how many run at once.
CORES = workflow.resource_settings.cores
# Places for trainings on a GPU: the limit on the resource `gpu`, which --resources or a profile sets.
PLACES = workflow.global_resources["gpu"].value if "gpu" in workflow.global_resources else 0
# Where a cluster's jobs are submitted there may be no GPU; who grants more places than the default says that there are.
GPUS = int(provenance.has_nvidia_driver() or PLACES > 1)
# Trainings wait for what is short. Among them the task with most to train goes first, so that no long job is left to run
# alone at the end.
RUNS_OF = Counter((run.backbone, run.task) for run in RUNS)


wildcard_constraints:
    task="|".join(TASK_NAMES),
    backbone="|".join(config["backbones"]),
    signal="|".join([*config["signals"], curves.RULE]),


COMPARISONS = {name: config["tables"][name] for name in checks.COMPARISONS if config["tables"][name]}
TABLES = ["table1", "table4", *COMPARISONS]
COMPARED = labels(config, [v for v, entry in config["variants"].items() if entry.get("depths") != "others"])

# name -> (what it shows, script, file of each task that it is drawn from)
FIGURES = {
    "fig1": ("exit-layers", "exits", "exits.csv"),
    "fig3": ("energy", "energy", "density.csv"),
    "fig4": ("tradeoff-energy", "tradeoff", "tradeoff.csv"),
    "fig5": ("dis", "dis", "dis.csv"),
    "fig6": ("training", "training", None),
    "fig7": ("exit-layers", "exits", "exits.csv"),
    "fig8": ("tradeoff-entropy", "tradeoff", "tradeoff.csv"),
    "fig9": ("tradeoff-softmax", "tradeoff", "tradeoff.csv"),
    "methods": ("tradeoff-methods", "methods", "tradeoff.csv"),
}
SPLITS = {"fig6": "fit, the training rows", "fig7": "fit and dev"}  # all others show dev alone
DRAWN = {
    name: spec | {"variants": curves.shown_variants(config, spec)} for name, spec in config["figures"].items() if spec
}


def stem_of(name):
    """Name of a figure's files; the paper's figures have numbers, others do not."""
    return f"{name}_{FIGURES[name][0]}" if name.startswith("fig") else FIGURES[name][0]


def caption_of(name):
    return name if name.startswith("fig") else FIGURES[name][0]


def result_files(spec, kind):
    """Results that a table or figure is made from: of its signal, and of the variants with rules of their own."""
    return [
        f"results/{task}/{signal}_{kind}"
        for task in curves.shown_tasks(config, spec)
        for signal in curves.shown_signals(config, spec, task)
    ]


def run_files_of(shown, name):
    """A file of every run behind some curves; a run may serve several of them."""
    return list(dict.fromkeys(f"{run.folder}/{name}" for curve in shown for run in curve.runs))


def figure_inputs(name):
    spec, kind = DRAWN[name], FIGURES[name][2]
    if kind is None:
        return [f"{run.folder}/history.csv" for curve in curves.shown_curves(config, spec) for run in curve.runs]
    return result_files(spec, kind)


def reference_inputs(name):
    """Figures 8 and 9 show the curve of the first signal too."""
    spec = DRAWN[name]
    first = config["signals"][0]
    if FIGURES[name][1] != "tradeoff" or spec["signal"] == first:
        return []
    return [f"results/{task}/{first}_tradeoff.csv" for task in curves.shown_tasks(config, spec)]


def seeds_of(name):
    """Seeds that a figure shows: those of all its variants; Figure 3 draws one, as bins differ between runs."""
    seeds = curves.shown_seeds(config, DRAWN[name])
    return seeds[:1] if FIGURES[name][1] == "energy" else seeds


def context_of(shown, seeds):
    """Captions tell the seeds of all the curves from those that only some have."""
    shared = curves.shared_seeds(shown)
    return replace(
        CONTEXT, seeds=tuple(s for s in seeds if s in shared), more_seeds=tuple(s for s in seeds if s not in shared)
    )


def context_of_figure(name):
    return context_of(curves.shown_curves(config, DRAWN[name]), seeds_of(name))


def context_of_table(spec):
    """Models between half and full depth do not count: they are a control, most often of one seed."""
    trained = curves.trained_curves(config, spec)
    counted = [curve for curve in trained if config["variants"][curve.variant].get("depths") != "others"]
    return context_of(counted, sorted({curve.seed for curve in counted}))


def backbone_files(name):
    return [f"resources/backbones/{name}/{file}" for file in ("config.json", "model.safetensors", "tokenizer.json")]


def table_outputs(name):
    labels = {"table": name.removeprefix("table")}
    return {
        "csv": f"results/tables/{name}.csv",
        "tex": f"results/tables/{name}.tex",
        "md": report(f"results/tables/{name}.md", caption="../report/caption.rst", category="Tables", labels=labels),
    }


def training_priority(job):
    """Below 0, the priority of every other rule."""
    return RUNS_OF[job.backbone, job.task] - max(RUNS_OF.values()) - 1


def trainings_at_once():
    """On a GPU as many as have a place there."""
    limit = CORES or workflow.resource_settings.nodes or 1
    return min(limit, PLACES) if GPUS and PLACES else limit


onsuccess:
    from cosee.bench.workflow_times import job_shares

    if Path("benchmarks").is_dir():
        shares = job_shares(Path("benchmarks")).to_string(index=False, float_format="{:.1f}".format)
        print(f"time of all jobs since the results were begun:\n{shares}", file=sys.stderr)


onstart:
    try:  # here, once: to ask the methods takes the seconds of importing torch
        checks.check_settings(config)
    except InputError as error:
        raise WorkflowError(str(error))
    print(announcement(config, GRID_JOBS + FINAL_JOBS, Path.cwd(), trainings_at_once()), file=sys.stderr)
