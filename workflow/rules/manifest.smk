# Provenance of the results.


rule manifest:
    input:
        runs=records_of(RUNS),
        rows=expand("resources/rows/{task}.parquet", task=TASK_NAMES),
        weights=expand("resources/backbones/{backbone}/model.safetensors", backbone=CONFIG.backbones),
    output:
        "results/manifest.json",
    log:
        "logs/manifest.log",
    benchmark:
        "benchmarks/manifest/manifest.tsv"
    conda:
        "../envs/cosee.yml"
    resources:
        mem_mb=more(lambda wildcards: 3000),
        runtime=more(lambda wildcards: 30),
    params:
        project=str(PROJECT),
    message:
        "manifest"
    script:
        "../scripts/manifest.py"
