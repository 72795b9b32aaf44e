# Grid search, selection, final runs. A job is one process that trains `jobs: runs_per_job` runs, one after the other;
# the rules are made in a loop because the files of a job cannot be told from a wildcard.

for job in GRID_JOBS:

    rule:
        name:
            f"train_{job.name}"
        input:
            backbone=backbone_files(job.backbone),
            tokens=f"resources/tokens/{job.backbone}/{job.task}.npz",
        output:
            [file for run in job.runs for file in run_files(run, config)],
        log:
            f"logs/train/{job.name}.log",
        benchmark:
            f"benchmarks/train/{job.name}.tsv"
        priority: training_priority(job)
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            gpu=GPUS,
        params:
            stage=job.stage,
            fingerprints=[run.fingerprint() for run in job.runs],
            chosen_by=checkpoint_rule(config),
            numerics=NUMERICS_VERSION,
        message:
            f"grid search on {job.task} ({job.backbone}): {len(job.runs)} trainings"
        script:
            "../scripts/train.py"


rule select:
    input:
        lambda wildcards: grid_files(config, wildcards.backbone, wildcards.task),
    output:
        "results/runs/{backbone}/{task}/best.yaml",
    log:
        "logs/select/{backbone}-{task}.log",
    benchmark:
        "benchmarks/select/{backbone}-{task}.tsv"
    conda:
        "../../environment.yml"
    params:
        points=lambda wildcards: tuned_points(config, wildcards.backbone, wildcards.task),
        chosen_by=checkpoint_rule(config),
        numerics=NUMERICS_VERSION,
    message:
        "hyper-parameters of {wildcards.task} ({wildcards.backbone})"
    script:
        "../scripts/select.py"


for job in FINAL_JOBS:

    rule:
        name:
            f"train_{job.name}"
        input:
            backbone=backbone_files(job.backbone),
            tokens=f"resources/tokens/{job.backbone}/{job.task}.npz",
            best=f"results/runs/{job.backbone}/{job.task}/best.yaml",
        output:
            [file for run in job.runs for file in run_files(run, config)],
            weights=[weights_file(run) for run in job.runs],
        log:
            f"logs/train/{job.name}.log",
        benchmark:
            f"benchmarks/train/{job.name}.tsv"
        priority: training_priority(job)
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            gpu=GPUS,
        params:
            stage=job.stage,
            fingerprints=[run.fingerprint() for run in job.runs],
            chosen_by=checkpoint_rule(config),
            numerics=NUMERICS_VERSION,
        message:
            f"training on {job.task} ({job.backbone}): {len(job.runs)} runs"
        script:
            "../scripts/train.py"
