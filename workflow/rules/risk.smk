# Thresholds certified for a risk, where there are calibration examples (`protocol.cal_max`). Its figure is among the
# others, in figures.smk.

if "risk" in COMPARISONS or "risk" in FIGURE_SPECS:

    rule certify:
        input:
            lambda wildcards: records_of(runs_of(curves(CONFIG, wildcards.task, wildcards.signal))),
        output:
            "results/{task}/{signal}_risk.csv",
        log:
            "logs/certify/{task}-{signal}.log",
        benchmark:
            "benchmarks/certify/{task}-{signal}.tsv"
        conda:
            "../envs/cosee.yml"
        resources:
            mem_mb=more(
                lambda wildcards: results_memory(CONFIG, runs_of(curves(CONFIG, wildcards.task, wildcards.signal)))
            ),
            runtime=more(lambda wildcards: 120),
        params:
            asked=CONFIG.risk.model_dump(exclude={"shown"}),
            target=CONFIG.protocol.table_target,
            numerics=NUMERICS_VERSION,
        message:
            "thresholds certified for a risk on {wildcards.task} ({wildcards.signal})"
        script:
            "../scripts/certify.py"


if "risk" in COMPARISONS:
    spec = COMPARISONS["risk"]

    rule risk_table:
        input:
            result_files(CONFIG, spec, "risk.csv"),
        output:
            **table_outputs("risk"),
        log:
            "logs/tables/risk.log",
        benchmark:
            "benchmarks/tables/risk.tsv"
        conda:
            "../envs/cosee.yml"
        resources:
            mem_mb=more(lambda wildcards: 3000),
            runtime=more(lambda wildcards: 30),
        params:
            backbone=spec.backbone,
            shown=CONFIG.risk.shown.model_dump(),
            labels=display_names(CONFIG, shown_variants(CONFIG, spec)),
            caption=f"{facts_of_risk(CONFIG, shown=True)} "
            + context_of_table(CONFIG, spec).caption("risk", spec.backbone, "cal (thresholds) and dev (realized risk)"),
        message:
            "table of risks"
        script:
            "../scripts/table_risk.py"


rule risk:
    input:
        [f"results/tables/risk.{kind}" for kind in ("csv", "md", "tex") if "risk" in COMPARISONS],
        [f"figures/{figure_stem('risk')}.{kind}" for kind in ("svg", "png") if "risk" in FIGURE_SPECS],
    localrule: True
