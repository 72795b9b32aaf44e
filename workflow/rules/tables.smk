# Tables of the paper: reported numbers beside those measured here. Tables of all methods that were trained here.


rule table1:
    input:
        counts=expand("resources/rows/{task}.csv", task=TASK_NAMES),
        reported=PROJECT / "config/reported/table1.csv",
    output:
        **table_outputs("table1"),
    log:
        "logs/tables/table1.log",
    benchmark:
        "benchmarks/tables/table1.tsv"
    conda:
        "../../environment.yml"
    params:
        generated=not config["data_dir"] and config["data"]["source"] == "generated",
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
            targets=result_files(spec, "targets.csv"),
            curves=result_files(spec, "tradeoff.csv"),
            reported=PROJECT / f"config/reported/{name}.csv",
        output:
            **table_outputs(name),
        log:
            f"logs/tables/{name}.log",
        benchmark:
            f"benchmarks/tables/{name}.tsv"
        conda:
            "../../environment.yml"
        params:
            name=name,
            backbone=spec["backbone"],
            signal=spec["signal"],
            labels=COMPARED,
            protocol=config["protocol"]["name"],
            target=config["protocol"]["table_target"],
            caption=context_of_table(spec).caption(name, spec["backbone"]),
        message:
            f"table {name.removeprefix('table')}"
        script:
            "../scripts/table_comparison.py"


rule table4:
    input:
        reported=PROJECT / "config/reported/table4.csv",
    output:
        **table_outputs("table4"),
    log:
        "logs/tables/table4.log",
    benchmark:
        "benchmarks/tables/table4.tsv"
    conda:
        "../../environment.yml"
    params:
        encoder=config["tables"]["table4"]["encoder"],
        caption=CONTEXT.caption_of_counts(config["tables"]["table4"]["label"]),
    message:
        "table 4"
    script:
        "../scripts/table4.py"


if "table5" in COMPARISONS:
    spec = COMPARISONS["table5"]

    rule table5:
        input:
            curves=result_files(spec, "tradeoff.csv"),
            targets=result_files(spec, "targets.csv"),
            runs=run_files_of(curves.trained_curves(config, spec), "run.json"),
        output:
            **table_outputs("table5"),
        log:
            "logs/tables/table5.log",
        benchmark:
            "benchmarks/tables/table5.tsv"
        conda:
            "../../environment.yml"
        params:
            spec=spec,
            labels=labels(config, curves.shown_variants(config, spec)),
            protocol=config["protocol"]["name"],
            target=config["protocol"]["table_target"],
            caption=context_of_table(spec).caption("table5", spec["backbone"]),
        message:
            "table 5"
        script:
            "../scripts/table5.py"


if "differences" in COMPARISONS:
    spec = COMPARISONS["differences"] | {"variants": list(COMPARED)}

    rule differences:
        input:
            targets=result_files(spec, "targets.csv"),
            answers=run_files_of(curves.shown_curves(config, spec), "logits-dev.npz"),
        output:
            **table_outputs("differences"),
        log:
            "logs/tables/differences.log",
        benchmark:
            "benchmarks/tables/differences.tsv"
        conda:
            "../../environment.yml"
        params:
            spec=spec,
            labels=COMPARED,
            control=config["control"],
            target=config["protocol"]["table_target"],
            caption=context_of_table(spec).caption("differences", spec["backbone"]),
        message:
            "differences with intervals"
        script:
            "../scripts/differences.py"


rule tables:
    input:
        [f"results/tables/{name}.{kind}" for name in TABLES for kind in ("csv", "md", "tex")],
    localrule: True
