# One page in which all results are looked into. See docs/explorer.md.

CLAIMS = [local(str(file)) for file in [PROJECT / "docs/claims.csv"] if file.is_file()]


rule explorer:
    input:
        workflow_inputs(CONFIG),
        runs=records_of(RUNS),
        claims=CLAIMS,
    output:
        "results/explorer.html",
    log:
        "logs/explorer.log",
    benchmark:
        "benchmarks/explorer/explorer.tsv"
    conda:
        "../envs/cosee.yml"
    resources:
        mem_mb=more(lambda wildcards: 6000),
        runtime=more(lambda wildcards: 60),
    params:
        numerics=NUMERICS_VERSION,
        programs=page_digest(),
        project=lambda wildcards: str(PROJECT),
    message:
        "the explorer"
    script:
        "../scripts/explorer.py"
