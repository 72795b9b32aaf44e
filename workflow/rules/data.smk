# Rows of the tasks, encoders, token ids.


rule download:
    output:
        rows="resources/rows/{task}.parquet",
        counts="resources/rows/{task}.csv",
    log:
        "logs/download/{task}.log",
    benchmark:
        "benchmarks/download/{task}.tsv"
    retries: 0 if config["data_dir"] or config["data"]["source"] == "generated" else 2
    conda:
        "../../environment.yml"
    params:
        data=config["data"],
        data_dir=config["data_dir"],
        split=config["protocol"],
    message:
        "rows of {wildcards.task}"
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
        backbone=lambda wildcards: config["backbones"][wildcards.backbone],
        backbone_dir=config["backbone_dir"],
        data=config["data"],
    message:
        "encoder {wildcards.backbone}"
    script:
        "../scripts/backbone.py"


rule tokenize:
    input:
        rows="resources/rows/{task}.parquet",
        tokenizer="resources/backbones/{backbone}/tokenizer.json",
    output:
        "resources/tokens/{backbone}/{task}.npz",
    log:
        "logs/tokenize/{backbone}-{task}.log",
    benchmark:
        "benchmarks/tokenize/{backbone}-{task}.tsv"
    conda:
        "../../environment.yml"
    params:
        max_length=config["data"]["max_length"],
    message:
        "token ids of {wildcards.task} for {wildcards.backbone}"
    script:
        "../scripts/tokenize.py"


rule data:
    input:
        expand("resources/rows/{task}.parquet", task=TASK_NAMES),
    localrule: True
