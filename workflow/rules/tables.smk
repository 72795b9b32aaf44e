# Tables of the paper: reported numbers beside those measured here.


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
        caption=CONTEXT.caption("table1", split="all"),
    message:
        "table 1"
    script:
        "../scripts/table1.py"


for name in sorted(set(TABLES) & {"table2", "table3"}):
    spec = config["tables"][name]

    rule:
        name:
            name
        input:
            targets=result_files(spec, "targets.csv"),
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
            labels=plan.labels(
                config, [v for v, entry in config["variants"].items() if entry.get("depths") != "between"]
            ),
            protocol=config["protocol"]["name"],
            target=config["protocol"]["table_target"],
            caption=CONTEXT.caption(name, spec["backbone"]),
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


rule tables:
    input:
        [f"results/tables/{name}.{kind}" for name in TABLES for kind in ("csv", "md", "tex")],
    localrule: True
