# Results of published runs: every table, every figure and the explorer from stored outputs, without torch, data or
# network.


rule published_results:
    input:
        [f"results/tables/{name}.{kind}" for name in COMPARISONS for kind in ("csv", "md", "tex")],
        rules.figures.input,
        [f"results/{task}/{signal}_tradeoff.csv" for task in TASK_NAMES for signal in signals_of(CONFIG, task)],
        rules.explorer.output,
    localrule: True


rule published_collection:
    input:
        runs=lambda wildcards: sorted(
            local(str(file)) for file in (PROJECT / "published" / wildcards.collection).rglob("*.npz")
        ),
        preset=lambda wildcards: local(str(PROJECT / "config/evidence" / f"{wildcards.collection}.yaml")),
    output:
        directory("results/published/{collection}"),
    log:
        "logs/published/{collection}.log",
    benchmark:
        "benchmarks/published/{collection}.tsv"
    priority: 10_000  # results that need no training are there to look at before the first training begins
    conda:
        "../envs/cosee.yml"
    threads: CORES or 1
    resources:
        mem_mb=more(lambda wildcards: 8000),
        runtime=more(lambda wildcards: 120),
    params:
        snakefile=str(PROJECT / "workflow/Snakefile"),
        predictions=lambda wildcards: f"published/{wildcards.collection}",
    message:
        "tables and figures of the published runs in {wildcards.collection}"
    script:
        "../scripts/published.py"


rule published:
    input:
        expand("results/published/{collection}", collection=CONFIG.published),
    localrule: True
