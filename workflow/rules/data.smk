# Examples of the tasks, encoders, token ids.


rule download:
    output:
        rows="resources/rows/{task}.parquet",
        counts="resources/rows/{task}.csv",
    log:
        "logs/download/{task}.log",
    benchmark:
        "benchmarks/download/{task}.tsv"
    retries: 0 if CONFIG.data_dir or CONFIG.data.source == "generated" else 2
    conda:
        "../../environment.yml"
    params:
        source=sources.data_source(CONFIG),
        limit=lambda wildcards: CONFIG.data.train_rows.get(wildcards.task),
        cut=CONFIG.protocol.model_dump(
            include={"name", "sel_fraction", "sel_max", "split_seed", "held_rows", "cal_max"}
        ),
        numerics=lambda wildcards: numerics_of_task(wildcards.task),
    message:
        "examples of {wildcards.task}"
    script:
        "../scripts/download.py"


rule backbone:
    output:
        config="resources/backbones/{backbone}/config.json",
        weights="resources/backbones/{backbone}/model.safetensors",
        tokenizer="resources/backbones/{backbone}/tokenizer.json",
    log:
        "logs/backbone/{backbone}.log",
    benchmark:
        "benchmarks/backbone/{backbone}.tsv"
    conda:
        "../../environment.yml"
    params:
        source=lambda wildcards: sources.backbone_source(CONFIG, wildcards.backbone),
        numerics=NUMERICS_VERSION,
    message:
        "encoder {wildcards.backbone}"
    script:
        "../scripts/backbone.py"


rule tokenize:
    input:
        rows="resources/rows/{task}.parquet",
        tokenizer="resources/backbones/{backbone}/tokenizer.json",
        encoder="resources/backbones/{backbone}/config.json",
    output:
        "resources/tokens/{backbone}/{task}.npz",
    log:
        "logs/tokenize/{backbone}-{task}.log",
    benchmark:
        "benchmarks/tokenize/{backbone}-{task}.tsv"
    conda:
        "../../environment.yml"
    params:
        max_length=CONFIG.data.max_length,
        numerics=NUMERICS_VERSION,
    message:
        "token ids of {wildcards.task} for {wildcards.backbone}"
    script:
        "../scripts/tokenize.py"


rule data:
    input:
        expand("resources/rows/{task}.parquet", task=TASK_NAMES),
    localrule: True
