# Cost of the preset on this machine; no other target needs it.


rule cost:
    input:
        backbones=[file for name in dict.fromkeys(run.backbone for run in RUNS) for file in backbone_files(name)],
        tokens=[f"resources/tokens/{backbone}/{task}.npz" for backbone, task in NUM_RUNS],
    output:
        csv="results/cost.csv",
        md="results/tables/cost.md",
    log:
        "logs/cost.log",
    conda:
        "../envs/cosee.yml"
    threads: lambda wildcards: CORES or 1  # all: concurrent jobs would distort the timing
    resources:
        gpu=GPUS_PER_TRAINING,
        mem_mb=more(lambda wildcards: training_memory(CONFIG, RUNS, GPUS_PER_TRAINING)),
        runtime=more(lambda wildcards: 480),
    params:
        counted=lambda wildcards: [
            (run.fingerprint(), *example_counts(CONFIG, run)) for run in [*RUNS, *grid_runs(CONFIG)]
        ],
        steps=CONFIG.cost.steps,
        sentence=CONTEXT.sentence(split="fit"),
        disk=disk_sentence(disk_space(CONFIG, [*RUNS, *grid_runs(CONFIG)], Path.cwd())),
        numerics=NUMERICS_VERSION,
    message:
        "cost of this preset"
    script:
        "../scripts/cost.py"
