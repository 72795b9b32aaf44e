# From stored logits to results as data: no GPU, no torch from here on.


rule sweep:
    input:
        lambda wildcards: records_of(runs_of(curves(CONFIG, wildcards.task, wildcards.signal))),
    output:
        tradeoff="results/{task}/{signal}_tradeoff.csv",
        targets="results/{task}/{signal}_targets.csv",
        dis="results/{task}/{signal}_dis.csv",
        exits="results/{task}/{signal}_exits.csv",
        layers="results/{task}/{signal}_layers.csv",
        density="results/{task}/{signal}_density.csv",
        calibration="results/{task}/{signal}_calibration.csv",
        steps="results/{task}/{signal}_steps.csv",
    log:
        "logs/sweep/{task}-{signal}.log",
    benchmark:
        "benchmarks/sweep/{task}-{signal}.tsv"
    conda:
        "../envs/cosee.yml"
    resources:
        mem_mb=more(lambda wildcards: results_memory(CONFIG, runs_of(curves(CONFIG, wildcards.task, wildcards.signal)))),
        runtime=more(lambda wildcards: 120),
    params:
        targets=CONFIG.protocol.targets,
        thresholds=lambda wildcards: given_thresholds(CONFIG, wildcards.signal),
        reference_variant=CONFIG.reference_variant,
        numerics=lambda wildcards: numerics_of_curves(wildcards.task, wildcards.signal),
    message:
        "every threshold on {wildcards.task} ({wildcards.signal})"
    script:
        "../scripts/sweep.py"
