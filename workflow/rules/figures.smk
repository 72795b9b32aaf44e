# Figures of the paper. Which tasks, variants and signal each shows is configuration; how it is drawn is `cosee.figures`.

for name, spec in DRAWN.items():

    rule:
        name:
            name if name.startswith("fig") else f"{name}_figure"
        input:
            frames=figure_inputs(name),
            reference=reference_inputs(name),
        output:
            svg=report(
                f"figures/{stem_of(name)}.svg",
                caption="../report/caption.rst",
                category="Figures",
                labels={"figure": name.removeprefix("fig"), "shows": FIGURES[name][0].replace("-", " ")},
            ),
            png=f"figures/{stem_of(name)}.png",
        log:
            f"logs/figures/{name}.log",
        benchmark:
            f"benchmarks/figures/{name}.tsv"
        conda:
            "../../environment.yml"
        params:
            kind=FIGURES[name][1],
            spec=spec,
            seeds=list(seeds_of(name)),
            labels=labels(config, spec["variants"]),
            caption=context_of_figure(name).caption(caption_of(name), spec["backbone"], SPLITS.get(name, "dev")),
            note=context_of_figure(name).sentence(spec["backbone"], SPLITS.get(name, "dev")),
        message:
            f"figure {name.removeprefix('fig')}"
        script:
            "../scripts/figure.py"


rule figures:
    input:
        [f"figures/{stem_of(name)}.{kind}" for name in DRAWN for kind in ("svg", "png")],
    localrule: True
