# From stored logits to results as data: no GPU, no torch from here on.


rule sweep:
    input:
        lambda wildcards: plan.evaluated_files(config, wildcards.task, wildcards.signal),
    output:
        tradeoff="results/{task}/{signal}_tradeoff.csv",
        targets="results/{task}/{signal}_targets.csv",
        dis="results/{task}/{signal}_dis.csv",
        exits="results/{task}/{signal}_exits.csv",
    log:
        "logs/sweep/{task}-{signal}.log",
    benchmark:
        "benchmarks/sweep/{task}-{signal}.tsv"
    conda:
        "../../environment.yml"
    params:
        targets=config["protocol"]["targets"],
        thresholds=lambda wildcards: plan.given_thresholds(config, wildcards.signal),
        control=config["control"],
        numerics=NUMERICS_VERSION,
    message:
        "every threshold of {wildcards.signal} on {wildcards.task}"
    script:
        "../scripts/sweep.py"


rule layers:
    input:
        lambda wildcards: plan.evaluated_files(config, wildcards.task, config["signals"][0]),
    output:
        layers="results/{task}/layers.csv",
        density="results/{task}/energy_distribution.csv",
    log:
        "logs/layers/{task}.log",
    benchmark:
        "benchmarks/layers/{task}.tsv"
    conda:
        "../../environment.yml"
    params:
        numerics=NUMERICS_VERSION,
    message:
        "every exit alone on {wildcards.task}"
    script:
        "../scripts/layers.py"
