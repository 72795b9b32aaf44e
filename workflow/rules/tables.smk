# Tables of the paper, with reported and reproduced numbers, and of all methods that were trained.


rule table1:
    input:
        counts=expand("resources/rows/{task}.csv", task=TASK_NAMES),
        reported=reported("table1"),
    output:
        **table_outputs("table1"),
    log:
        "logs/tables/table1.log",
    benchmark:
        "benchmarks/tables/table1.tsv"
    conda:
        "../envs/cosee.yml"
    resources:
        mem_mb=more(lambda wildcards: 3000),
        runtime=more(lambda wildcards: 30),
    params:
        generated=not CONFIG.data_dir and CONFIG.data.source == "generated",
        caption=replace(CONTEXT, seeds=()).caption("table1", split="all"),
    message:
        "table 1"
    script:
        "../scripts/table1.py"


for name in sorted(COMPARISONS.keys() & {"table2", "table3"}):
    spec = COMPARISONS[name]

    rule:
        name:
            name
        input:
            targets=result_files(CONFIG, spec, "targets.csv"),
            curves=result_files(CONFIG, spec, "tradeoff.csv"),
            reported=reported(name),
        output:
            **table_outputs(name),
        log:
            f"logs/tables/{name}.log",
        benchmark:
            f"benchmarks/tables/{name}.tsv"
        conda:
            "../envs/cosee.yml"
        resources:
            mem_mb=more(lambda wildcards: 6000),
            runtime=more(lambda wildcards: 120),
        params:
            name=name,
            backbone=spec.backbone,
            signal=spec.signal,
            labels=TABLE_LABELS,
            protocol=CONFIG.protocol.name,
            target=CONFIG.protocol.table_target,
            caption=context_of_table(CONFIG, spec).caption(name, spec.backbone),
        message:
            f"table {name.removeprefix('table')}"
        script:
            "../scripts/table_comparison.py"


rule table4:
    input:
        reported=reported("table4"),
    output:
        **table_outputs("table4"),
    log:
        "logs/tables/table4.log",
    benchmark:
        "benchmarks/tables/table4.tsv"
    conda:
        "../envs/cosee.yml"
    resources:
        mem_mb=more(lambda wildcards: 3000),
        runtime=more(lambda wildcards: 30),
    params:
        encoder=CONFIG.tables.table4.encoder,
        caption=CONTEXT.caption_of_counts(CONFIG.tables.table4.label),
    message:
        "table 4"
    script:
        "../scripts/table4.py"


if "methods" in COMPARISONS:
    spec = COMPARISONS["methods"]

    rule methods_table:
        input:
            curves=result_files(CONFIG, spec, "tradeoff.csv"),
            targets=result_files(CONFIG, spec, "targets.csv"),
            runs=records_of(runs_of(trained_curves(CONFIG, spec))),
        output:
            **table_outputs("methods"),
        log:
            "logs/tables/methods.log",
        benchmark:
            "benchmarks/tables/methods.tsv"
        conda:
            "../envs/cosee.yml"
        resources:
            mem_mb=more(lambda wildcards: 3000),
            runtime=more(lambda wildcards: 30),
        params:
            spec=spec.model_dump(),
            labels=display_names(CONFIG, shown_variants(CONFIG, spec)),
            protocol=CONFIG.protocol.name,
            target=CONFIG.protocol.table_target,
            caption=context_of_table(CONFIG, spec).caption("methods", spec.backbone),
        message:
            "table of all methods"
        script:
            "../scripts/methods.py"


if "encoders" in COMPARISONS:
    spec = COMPARISONS["encoders"]

    rule encoders_table:
        input:
            curves=sorted(
                {file for part in spec.by_backbone.values() for file in result_files(CONFIG, part, "tradeoff.csv")}
            ),
        output:
            **table_outputs("encoders"),
        log:
            "logs/tables/encoders.log",
        benchmark:
            "benchmarks/tables/encoders.tsv"
        conda:
            "../envs/cosee.yml"
        resources:
            mem_mb=more(lambda wildcards: 3000),
            runtime=more(lambda wildcards: 30),
        params:
            layers={name: CONFIG.backbones[name].layers for name in spec.backbones},
            names={name: CONFIG.backbones[name].label for name in spec.backbones},
            labels=TABLE_LABELS,
            targets=CONFIG.protocol.targets,
            protocol=CONFIG.protocol.name,
            caption=context_of_encoders(CONFIG, spec).caption("encoders"),
        message:
            "table of encoders"
        script:
            "../scripts/encoders.py"


for name in sorted(COMPARISONS.keys() & {"calibration", "steps"}):
    spec = COMPARISONS[name]

    rule:
        name:
            name
        input:
            result_files(CONFIG, spec, f"{name}.csv"),
        output:
            **table_outputs(name),
        log:
            f"logs/tables/{name}.log",
        benchmark:
            f"benchmarks/tables/{name}.tsv"
        conda:
            "../envs/cosee.yml"
        resources:
            mem_mb=more(lambda wildcards: 3000),
            runtime=more(lambda wildcards: 30),
        params:
            name=name,
            backbone=spec.backbone,
            labels=display_names(CONFIG, shown_variants(CONFIG, spec)),
            target=CONFIG.protocol.table_target,
            caption=context_of_table(CONFIG, spec).caption(name, spec.backbone),
        message:
            f"table of {name}"
        script:
            "../scripts/table_by_target.py"


for name, split in {"differences": "dev", "differences_held": "held"}.items():
    if name not in COMPARISONS:
        continue
    spec = COMPARISONS[name]

    rule:
        name:
            name
        input:
            targets=result_files(CONFIG, spec, "targets.csv"),
            runs=records_of(runs_of(shown_curves(CONFIG, spec, TABLE_LABELS))),
        output:
            **table_outputs(name),
        log:
            f"logs/tables/{name}.log",
        benchmark:
            f"benchmarks/tables/{name}.tsv"
        conda:
            "../envs/cosee.yml"
        resources:
            mem_mb=more(lambda wildcards: 6000),
            runtime=more(lambda wildcards: 120),
        params:
            name=name,
            split=split,
            spec=spec.model_dump(),
            labels=TABLE_LABELS,
            reference_variant=CONFIG.reference_variant,
            target=CONFIG.protocol.table_target,
            caption=context_of_table(CONFIG, spec).caption("differences", spec.backbone, split),
        message:
            f"differences with intervals, {split}"
        script:
            "../scripts/differences.py"


rule methods:
    input:
        [f"results/tables/methods.{kind}" for kind in ("csv", "md", "tex") if "methods" in COMPARISONS],
        [f"figures/{figure_stem('methods')}.{kind}" for kind in ("svg", "png") if "methods" in FIGURE_SPECS],
    localrule: True


rule tables:
    input:
        [f"results/tables/{name}.{kind}" for name in TABLES for kind in ("csv", "md", "tex")],
    localrule: True
