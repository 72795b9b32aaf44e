"""One figure of the paper: read its frames, draw it, save it."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from cosee import figures
from cosee.evaluation.frames import IDENTITY
from cosee.io import read_frame, read_frames
from cosee.plan.configuration import configuration
from cosee.plan.shown import shown_curves
from cosee.runs.records import place_inputs
from cosee.scripting import logged

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from snakemake.iocontainers import snakemake


def frames(paths: list[str]) -> pd.DataFrame:
    """The rows of the seeds to show."""
    read = read_frames(paths, IDENTITY)
    return read[read["seed"].isin(snakemake.params.seeds)]


def tradeoff(spec: dict[str, Any], labels: dict[str, str], note: str) -> "Figure":
    """Figures 4, 8 and 9; the latter two also show the curve of the first signal."""
    config = configuration(snakemake.config)
    reference = frames(snakemake.input.reference) if snakemake.input.reference else None
    return figures.tradeoff_figure(
        frames(snakemake.input.frames),
        labels,
        note,
        backbone=spec["backbone"],
        tasks=spec["tasks"],
        reference=reference,
        reference_labels=None
        if reference is None
        else {config.reference_variant: f"{config.variants[config.reference_variant].label}, {config.signals[0]}"},
    )


def methods(spec: dict[str, Any], labels: dict[str, str], note: str) -> "Figure":
    """The figure of all methods, the reference variant emphasized."""
    return figures.tradeoff_figure(
        frames(snakemake.input.frames),
        labels,
        note,
        backbone=spec["backbone"],
        tasks=spec["tasks"],
        emphasized=configuration(snakemake.config).reference_variant,
    )


def exits(spec: dict[str, Any], labels: dict[str, str], note: str) -> "Figure":
    """Figures 1 and 7: at given thresholds on dev only, or at target speed-ups on fit and dev."""
    frame = frames(snakemake.input.frames)
    if spec["targets"]:
        frame = frame[frame["target_speedup"].isin(spec["targets"])]
    else:
        given = frame["target_speedup"].isna() & frame["threshold"].isin(spec["thresholds"])
        frame = frame[given & (frame["split"] == "dev")]
    (task,), (variant,) = spec["tasks"], spec["variants"]
    return figures.exit_histogram_figure(
        frame, note, task=task, variant=variant, backbone=spec["backbone"], exit_rule=spec["signal"]
    )


def energy(spec: dict[str, Any], labels: dict[str, str], note: str) -> "Figure":
    """Figure 3, of the first seed: bins differ between runs."""
    (task,), (variant,) = spec["tasks"], spec["variants"]
    frame, seed = frames(snakemake.input.frames), snakemake.params.seeds[0]
    return figures.energy_figure(frame, note, task=task, variant=variant, backbone=spec["backbone"], seed=seed)


def dis(spec: dict[str, Any], labels: dict[str, str], note: str) -> "Figure":
    """Figure 5."""
    frame = frames(snakemake.input.frames)
    return figures.dis_figure(
        frame, labels, note, backbone=spec["backbone"], exit_rule=spec["signal"], tasks=spec["tasks"]
    )


def training(spec: dict[str, Any], labels: dict[str, str], note: str) -> "Figure":
    """Figure 6."""
    config = configuration(snakemake.config)
    histories = [
        read_frame(f"{run.folder}/history.csv", ("step", "mean_ce")).assign(
            task=run.task, backbone=run.backbone, variant=run.variant, seed=run.seed
        )
        for curve in shown_curves(config, config.figures.shown[snakemake.params.name])
        for run in curve.runs
        if run.seed in snakemake.params.seeds
    ]
    return figures.training_figure(pd.concat(histories, ignore_index=True), labels, note, tasks=spec["tasks"])


def risk(spec: dict[str, Any], labels: dict[str, str], note: str) -> "Figure":
    """Promised against realized risk of one variant, with the loss that the table shows."""
    (variant,) = spec["variants"]
    return figures.risk_figure(
        frames(snakemake.input.frames),
        note,
        variant=variant,
        backbone=spec["backbone"],
        tasks=spec["tasks"],
        loss=configuration(snakemake.config).risk.shown.loss,
    )


def steps(spec: dict[str, Any], labels: dict[str, str], note: str) -> "Figure":
    """Exit layers and accuracy by the steps that an answer takes, at the target speed-up of the tables."""
    return figures.steps_figure(
        frames(snakemake.input.frames),
        labels,
        note,
        target=configuration(snakemake.config).protocol.table_target,
        backbone=spec["backbone"],
        tasks=spec["tasks"],
    )


DRAW = {
    "tradeoff": tradeoff,
    "methods": methods,
    "exits": exits,
    "energy": energy,
    "dis": dis,
    "training": training,
    "risk": risk,
    "steps": steps,
}

with logged(snakemake.log[0]):
    place_inputs(snakemake.input)
    params = snakemake.params
    figure = DRAW[params.kind](params.spec, params.labels, params.note)
    for path in snakemake.output:
        figures.save(figure, path)
