# Early exit in wall-clock time.

if CONFIG.latency:
    TIMED = timed_run(CONFIG)
    TIMED_CONTEXT = replace(CONTEXT, seeds=(TIMED.seed,))

    rule time_early_exit:
        input:
            backbone=backbone_files(TIMED.backbone),
            tokens=f"resources/tokens/{TIMED.backbone}/{TIMED.task}.npz",
            run=records_of([TIMED]),
        output:
            "results/latency.csv",
        log:
            "logs/latency/timings.log",
        benchmark:
            "benchmarks/latency/timings.tsv"
        retries: RETRIES
        conda:
            "../envs/cosee.yml"
        threads: lambda wildcards: CORES or CONFIG.latency.threads  # all: concurrent jobs would distort the timing
        resources:
            gpu=GPUS_PER_TRAINING,
            mem_mb=more(lambda wildcards: training_memory(CONFIG, [TIMED], GPUS_PER_TRAINING)),
            runtime=more(lambda wildcards: 120),
        params:
            spec=CONFIG.latency.model_dump(),
            numerics=NUMERICS_VERSION,
        message:
            "early exit in wall-clock time"
        script:
            "../scripts/latency.py"

    rule show_latency:
        input:
            "results/latency.csv",
        output:
            **table_outputs("latency"),
            svg=report(
                "figures/latency.svg",
                caption="../report/caption.rst",
                category="Figures",
                labels={"figure": "latency", "shows": "latency"},
            ),
            png="figures/latency.png",
        log:
            "logs/latency/shown.log",
        benchmark:
            "benchmarks/latency/shown.tsv"
        conda:
            "../envs/cosee.yml"
        resources:
            mem_mb=more(lambda wildcards: 3000),
            runtime=more(lambda wildcards: 30),
        params:
            caption=TIMED_CONTEXT.caption("latency", TIMED.backbone),
            note=TIMED_CONTEXT.sentence(TIMED.backbone),
        message:
            "table and figure of latencies"
        script:
            "../scripts/latency_shown.py"


rule latency:
    input:
        [f"results/tables/latency.{kind}" for kind in ("csv", "md", "tex") if CONFIG.latency],
        [f"figures/latency.{kind}" for kind in ("svg", "png") if CONFIG.latency],
    localrule: True
