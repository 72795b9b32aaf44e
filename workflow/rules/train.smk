# Grid search, selection, final runs. A job is one process that trains some runs, one after the other
# (`cosee.plan.jobs`). Its record is the only file that is declared: no wildcard could say what the files of its runs
# are, and a run that is finished must outlive a job that is not. Final runs take the chosen point and keep their
# weights; runs of a grid do neither.


rule train_grid:
    input:
        backbone=lambda wildcards: backbone_files(wildcards.backbone),
        tokens="resources/tokens/{backbone}/{task}.npz",
    output:
        **archive_output("results/trained/grid/{backbone}/{task}/{job}.json"),
        record="results/trained/grid/{backbone}/{task}/{job}.json",
    log:
        "logs/train/grid/{backbone}/{task}/{job}.log",
    benchmark:
        "benchmarks/train/grid/{backbone}/{task}/{job}.tsv"
    priority: lambda wildcards: training_priority(wildcards.backbone, wildcards.task, NUM_RUNS)
    retries: RETRIES
    conda:
        "../envs/cosee.yml"
    threads: 1
    resources:
        gpu=GPUS_PER_TRAINING,
        mem_mb=more(lambda wildcards: training_memory(CONFIG, job_of("grid", wildcards).runs, GPUS_PER_TRAINING)),
        runtime=lambda wildcards, attempt: training_runtime(job_of("grid", wildcards), attempt),
    params:
        stage="grid",
        runs=lambda wildcards: [run.fingerprint() for run in job_of("grid", wildcards).runs],
        chosen_by=checkpoint_rule(CONFIG),
        numerics=lambda wildcards: numerics_of_runs(job_of("grid", wildcards).runs),
    message:
        "grid search on {wildcards.task} ({wildcards.backbone}): {wildcards.job}"
    script:
        "../scripts/train.py"


use rule train_grid as train_final with:
    input:
        backbone=lambda wildcards: backbone_files(wildcards.backbone),
        tokens="resources/tokens/{backbone}/{task}.npz",
        best="results/runs/{backbone}/{task}/best.yaml",
    output:
        **archive_output("results/trained/final/{backbone}/{task}/{job}.json"),
        record="results/trained/final/{backbone}/{task}/{job}.json",
    log:
        "logs/train/final/{backbone}/{task}/{job}.log",
    benchmark:
        "benchmarks/train/final/{backbone}/{task}/{job}.tsv"
    resources:
        gpu=GPUS_PER_TRAINING,
        mem_mb=more(lambda wildcards: training_memory(CONFIG, job_of("final", wildcards).runs, GPUS_PER_TRAINING)),
        runtime=lambda wildcards, attempt: training_runtime(job_of("final", wildcards), attempt),
    params:
        stage="final",
        runs=lambda wildcards: [run.fingerprint() for run in job_of("final", wildcards).runs],
        chosen_by=checkpoint_rule(CONFIG),
        numerics=lambda wildcards: numerics_of_runs(job_of("final", wildcards).runs),
    message:
        "training on {wildcards.task} ({wildcards.backbone}): {wildcards.job}"


rule unpack:
    input:
        lambda wildcards: [local(str(PUBLISHED[run.key])) for run in published_of(wildcards)],
    output:
        **archive_output("results/trained/published/{backbone}/{task}.json"),
        record="results/trained/published/{backbone}/{task}.json",
    log:
        "logs/unpack/{backbone}-{task}.log",
    benchmark:
        "benchmarks/unpack/{backbone}-{task}.tsv"
    conda:
        "../envs/cosee.yml"
    resources:
        mem_mb=more(lambda wildcards: 3000),
        runtime=more(lambda wildcards: 30),
    params:
        collection=CONFIG.predictions,
        runs=lambda wildcards: [run.fingerprint() for run in published_of(wildcards)],
    message:
        "published runs on {wildcards.task} ({wildcards.backbone})"
    script:
        "../scripts/unpack.py"


rule select:
    input:
        lambda wildcards: with_archives(
            job.record
            for job in JOBS.values()
            if (job.stage, job.backbone, job.task) == ("grid", wildcards.backbone, wildcards.task)
        ),
    output:
        "results/runs/{backbone}/{task}/best.yaml",
    log:
        "logs/select/{backbone}-{task}.log",
    benchmark:
        "benchmarks/select/{backbone}-{task}.tsv"
    conda:
        "../envs/cosee.yml"
    resources:
        mem_mb=more(
            lambda wildcards: results_memory(
                CONFIG, [run for run in grid_runs(CONFIG) if run.key[:2] == (wildcards.backbone, wildcards.task)]
            )
        ),
        runtime=more(lambda wildcards: 60),
    params:
        points=lambda wildcards: search_points(CONFIG, wildcards.backbone, wildcards.task),
        chosen_by=checkpoint_rule(CONFIG),
        numerics=NUMERICS_VERSION,
    message:
        "hyper-parameters of {wildcards.task} ({wildcards.backbone})"
    script:
        "../scripts/select.py"


# A file of a run can be named as a target.
rule run_file:
    input:
        lambda wildcards: RECORD_OF.get(
            "results/runs/{backbone}/{task}/{name}/{point}/seed{seed}".format(**wildcards), []
        ),
    output:
        update("results/runs/{backbone}/{task}/{name}/{point}/seed{seed}/{file}"),
    log:
        "logs/run_file/{backbone}-{task}-{name}-{point}-seed{seed}-{file}.log",
    localrule: True
    conda:
        "../envs/cosee.yml"
    message:
        "{output}"
    shell:
        "(touch -c {output:q} && test -f {output:q}) > {log:q} 2>&1"
