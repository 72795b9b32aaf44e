# What the preset costs on this machine; no other target needs it.


rule cost:
    input:
        backbones=[file for name in dict.fromkeys(run.backbone for run in RUNS) for file in backbone_files(name)],
        tokens=[f"resources/tokens/{backbone}/{task}.npz" for backbone, task in RUNS_OF],
    output:
        csv="results/cost.csv",
        md="results/tables/cost.md",
    log:
        "logs/cost.log",
    conda:
        "../../environment.yml"
    threads: lambda wildcards: CORES or 1  # all: what runs beside it would be measured too
    resources:
        gpu=GPUS,
    params:
        counted=lambda wildcards: [(run.fingerprint(), *passes(config, run)) for run in [*RUNS, *grid_runs(config)]],
        steps=config["cost"]["steps"],
        sentence=CONTEXT.sentence(split="fit"),
        numerics=NUMERICS_VERSION,
    message:
        "what this preset costs"
    script:
        "../scripts/cost.py"
