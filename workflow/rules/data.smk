# Examples of the tasks, encoders, token ids. What comes from the hub is fetched by the process that the command starts,
# as the nodes of a cluster mostly have no network; torch is not needed for it.

FROM_HUB = [name for name in CONFIG.backbones if "repository" in sources.backbone_source(CONFIG, name)]


rule download:
    output:
        rows="resources/rows/{task}.parquet",
        counts="resources/rows/{task}.csv",
    log:
        "logs/download/{task}.log",
    benchmark:
        "benchmarks/download/{task}.tsv"
    retries: 0 if CONFIG.data_dir or CONFIG.data.source == "generated" else 2
    localrule: "repository" in sources.data_source(CONFIG)
    conda:
        "../envs/cosee.yml"
    resources:
        mem_mb=more(lambda wildcards: data_memory(CONFIG, [wildcards.task])),
        runtime=more(lambda wildcards: 30),
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


rule hub_encoder:
    output:
        directory("resources/hub/{backbone}"),
    log:
        "logs/hub/{backbone}.log",
    benchmark:
        "benchmarks/hub/{backbone}.tsv"
    retries: 2
    localrule: True
    conda:
        "../envs/cosee.yml"
    params:
        source=lambda wildcards: sources.backbone_source(CONFIG, wildcards.backbone),
    message:
        "files of encoder {wildcards.backbone}"
    script:
        "../scripts/hub_encoder.py"


rule backbone:
    input:
        lambda wildcards: f"resources/hub/{wildcards.backbone}" if wildcards.backbone in FROM_HUB else [],
    output:
        config="resources/backbones/{backbone}/config.json",
        weights="resources/backbones/{backbone}/model.safetensors",
        tokenizer="resources/backbones/{backbone}/tokenizer.json",
    log:
        "logs/backbone/{backbone}.log",
    benchmark:
        "benchmarks/backbone/{backbone}.tsv"
    conda:
        "../envs/cosee.yml"
    resources:
        mem_mb=more(lambda wildcards: 6000),
        runtime=more(lambda wildcards: 60),
    params:
        source=lambda wildcards: sources.backbone_source(CONFIG, wildcards.backbone),
        numerics=NUMERICS_VERSION,
    message:
        "encoder {wildcards.backbone}"
    script:
        "../scripts/backbone.py"


rule pretrain:
    output:
        expand(
            "resources/pretrained/{encoder}/{file}",
            encoder=["mini-albert", "mini-bert"],
            file=["model.safetensors", "config.json", "tokenizer.json", "provenance.json"],
        ),
    log:
        "logs/pretrain.log",
    benchmark:
        "benchmarks/pretrain.tsv"
    conda:
        "../envs/cosee.yml"
    params:
        seed=0,
        share=1.0,
    message:
        "pre-training of the mini encoders, as those that come with the package were made"
    script:
        "../scripts/pretrain.py"


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
        "../envs/cosee.yml"
    resources:
        mem_mb=more(lambda wildcards: data_memory(CONFIG, [wildcards.task])),
        runtime=more(lambda wildcards: 60),
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


# Everything that comes over the network.
rule fetch:
    input:
        [f"resources/rows/{task}.parquet" for task in TASK_NAMES if "repository" in sources.data_source(CONFIG)],
        [f"resources/hub/{name}" for name in FROM_HUB],
    localrule: True
