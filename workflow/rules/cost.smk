# What the preset costs on this machine; no other target needs it.


rule cost:
    input:
        backbones=[file for name in config["backbones"] for file in backbone_files(name)],
        tokens=[f"resources/tokens/{backbone}/{task}.npz" for backbone, task in RUNS_OF],
    output:
        csv="results/cost.csv",
        md="results/tables/cost.md",
    log:
        "logs/cost.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=GPUS,
    params:
        asked={
            name: config[name]
            for name in ("data", "protocol", "training", "training_by_task", "grid", "variants", "experiments", "cost")
        },
        numerics=NUMERICS_VERSION,
    message:
        "what this preset costs"
    script:
        "../scripts/cost.py"
