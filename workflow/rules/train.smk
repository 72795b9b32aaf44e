# Grid search, selection, final runs. A job is one process that trains `jobs: runs_per_job` runs, one after the other;
# the rules are made in a loop because the files of a job cannot be told from a wildcard. Final runs take the chosen
# point and keep their weights; runs of a grid do neither. Nothing in the loop may read its variables later.

for job in [*GRID_JOBS, *FINAL_JOBS]:

    rule:
        name:
            f"train_{job.name}"
        input:
            backbone=backbone_files(job.backbone),
            tokens=f"resources/tokens/{job.backbone}/{job.task}.npz",
            best=f"results/runs/{job.backbone}/{job.task}/best.yaml" if job.stage == "final" else [],
        output:
            [file for run in job.runs for file in run_files(run, CONFIG)],
            weights=[weights_file(run) for run in job.runs if job.stage == "final" and run.key in WEIGHTED],
        log:
            f"logs/train/{job.name}.log",
        benchmark:
            f"benchmarks/train/{job.name}.tsv"
        priority: training_priority(job, NUM_RUNS)
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            gpu=GPUS_PER_TRAINING,
        params:
            stage=job.stage,
            fingerprints=[run.fingerprint() for run in job.runs],
            chosen_by=checkpoint_rule(CONFIG),
            numerics=numerics_of_runs(job.runs),
        message:
            f"{'training' if job.stage == 'final' else 'grid search'} on {job.task} ({job.backbone}): {len(job.runs)} runs"
        script:
            "../scripts/train.py"


for backbone, task in dict.fromkeys((run.backbone, run.task) for run in RUNS if run.key in PUBLISHED):

    rule:
        name:
            f"unpack_{backbone}_{task}"
        input:
            [PUBLISHED[run.key] for run in RUNS if run.key in PUBLISHED and run.key[:2] == (backbone, task)],
        output:
            [
                file
                for run in RUNS
                if run.key in PUBLISHED and run.key[:2] == (backbone, task)
                for file in run_files(run, CONFIG)
            ],
        log:
            f"logs/unpack/{backbone}-{task}.log",
        benchmark:
            f"benchmarks/unpack/{backbone}-{task}.tsv"
        conda:
            "../../environment.yml"
        params:
            collection=CONFIG.predictions,
            folders={PUBLISHED[run.key]: run.folder for run in RUNS if run.key in PUBLISHED},
            other_rules={PUBLISHED[run.key]: run.other_rules for run in RUNS if run.key in PUBLISHED},
        message:
            f"published runs on {task} ({backbone})"
        script:
            "../scripts/unpack.py"


rule select:
    input:
        lambda wildcards: grid_files(CONFIG, wildcards.backbone, wildcards.task),
    output:
        "results/runs/{backbone}/{task}/best.yaml",
    log:
        "logs/select/{backbone}-{task}.log",
    benchmark:
        "benchmarks/select/{backbone}-{task}.tsv"
    conda:
        "../../environment.yml"
    params:
        points=lambda wildcards: search_points(CONFIG, wildcards.backbone, wildcards.task),
        chosen_by=checkpoint_rule(CONFIG),
        numerics=NUMERICS_VERSION,
    message:
        "hyper-parameters of {wildcards.task} ({wildcards.backbone})"
    script:
        "../scripts/select.py"
