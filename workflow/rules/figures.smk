# Figures of the paper. Which tasks, variants and signal each shows is configuration; how it is drawn is `cosee.figures`.

# name -> (what it shows, script, file of each task that it is drawn from)
FIGURES = {
    "fig1": ("exit-layers", "exits", "{signal}_exits.csv"),
    "fig3": ("energy", "energy", "energy_distribution.csv"),
    "fig4": ("tradeoff-energy", "tradeoff", "{signal}_tradeoff.csv"),
    "fig5": ("dis", "dis", "{signal}_dis.csv"),
    "fig6": ("training", "training", None),
    "fig7": ("exit-layers", "exits", "{signal}_exits.csv"),
    "fig8": ("tradeoff-entropy", "tradeoff", "{signal}_tradeoff.csv"),
    "fig9": ("tradeoff-softmax", "tradeoff", "{signal}_tradeoff.csv"),
}
SPLITS = {"fig6": "fit, the training rows", "fig7": "fit and dev"}  # all others show dev alone
DRAWN = {name: spec for name, spec in config["figures"].items() if spec}


def figure_inputs(name):
    spec, source = DRAWN[name], FIGURES[name][2]
    tasks = plan.shown_tasks(config, spec)
    if source is None:
        return [f"{run.folder}/history.csv" for run in plan.shown_runs(config, spec)]
    return [f"results/{task}/{source.format(signal=spec['signal'])}" for task in tasks]


def reference_inputs(name):
    """Figures 8 and 9 show the curve of the first signal too."""
    spec = DRAWN[name]
    first = config["signals"][0]
    if FIGURES[name][1] != "tradeoff" or spec["signal"] == first:
        return []
    return [f"results/{task}/{first}_tradeoff.csv" for task in plan.shown_tasks(config, spec)]


for name, spec in DRAWN.items():

    rule:
        name:
            name
        input:
            frames=figure_inputs(name),
            reference=reference_inputs(name),
        output:
            svg=report(
                f"figures/{name}_{FIGURES[name][0]}.svg",
                caption="../report/caption.rst",
                category="Figures",
                labels={"figure": name.removeprefix("fig"), "shows": FIGURES[name][0].replace("-", " ")},
            ),
            png=f"figures/{name}_{FIGURES[name][0]}.png",
        log:
            f"logs/figures/{name}.log",
        benchmark:
            f"benchmarks/figures/{name}.tsv"
        conda:
            "../../environment.yml"
        params:
            kind=FIGURES[name][1],
            spec=spec,
            labels=plan.labels(config, spec["variants"]),
            caption=CONTEXT.caption(name, spec["backbone"], SPLITS.get(name, "dev")),
            note=CONTEXT.sentence(spec["backbone"], SPLITS.get(name, "dev")),
        message:
            f"figure {name.removeprefix('fig')}"
        script:
            "../scripts/figure.py"


rule figures:
    input:
        [f"figures/{name}_{FIGURES[name][0]}.{kind}" for name in DRAWN for kind in ("svg", "png")],
    localrule: True
