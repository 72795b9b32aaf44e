# Figures of the paper, and that of all methods. Tasks, variants and signal of each are configuration, its files and seeds
# are in `cosee.plan.figures`, and it is drawn by `cosee.figures`. Nothing in the loop may read its variables later.

for name, spec in FIGURE_SPECS.items():

    rule:
        name:
            figure_rule(name)
        input:
            frames=figure_inputs(CONFIG, name),
            runs=records_of(figure_runs(CONFIG, name)),
            reference=reference_inputs(CONFIG, name),
        output:
            svg=report(
                f"figures/{figure_stem(name)}.svg",
                caption="../report/caption.rst",
                category="Figures",
                labels={"figure": name.removeprefix("fig"), "shows": FIGURE_KINDS[name].shows.replace("-", " ")},
            ),
            png=f"figures/{figure_stem(name)}.png",
        log:
            f"logs/figures/{name}.log",
        benchmark:
            f"benchmarks/figures/{name}.tsv"
        conda:
            "../envs/cosee.yml"
        resources:
            mem_mb=more(lambda wildcards: 3000),
            runtime=more(lambda wildcards: 30),
        params:
            name=name,
            kind=FIGURE_KINDS[name].draw,
            spec=spec.model_dump() | {"variants": shown_variants(CONFIG, spec)},
            seeds=list(figure_seeds(CONFIG, name)),
            labels=display_names(CONFIG, shown_variants(CONFIG, spec)),
            caption=context_of_figure(CONFIG, name).caption(figure_rule(name), spec.backbone, FIGURE_KINDS[name].split),
            note=(f"{facts_of_risk(CONFIG, shown=False)} " if name == "risk" else "")
            + context_of_figure(CONFIG, name).sentence(spec.backbone, FIGURE_KINDS[name].split),
        message:
            f"figure {name.removeprefix('fig')}"
        script:
            "../scripts/figure.py"


rule figures:
    input:
        [f"figures/{figure_stem(name)}.{kind}" for name in FIGURE_SPECS for kind in ("svg", "png")],
    localrule: True
