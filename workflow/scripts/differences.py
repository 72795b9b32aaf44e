"""Differences to the control variant at the tables' target speed-up, with bootstrap intervals."""

from typing import TYPE_CHECKING

from cosee.evaluation.bootstrap import answers_at
from cosee.evaluation.frames import NO_SIGNAL
from cosee.evaluation.outputs import load_predictions
from cosee.io import read_frames, write_frame, write_text
from cosee.methods import rule_named
from cosee.plan.curves import shown_curves
from cosee.scripting import logged
from cosee.tables import at_target, differences, differences_wide, to_latex, to_markdown

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    config, params, answers = snakemake.config, snakemake.params, {}
    backbone = params.spec["backbone"]
    folders = {
        (curve.task, curve.variant, curve.seed, run.name): run.folder
        for curve in shown_curves(config, params.spec)
        for run in curve.runs
    }
    for row in at_target(read_frames(snakemake.input.targets), params.labels, backbone, params.target).itertuples():
        predictions = load_predictions(f"{folders[row.task, row.method, row.seed, row.model]}/logits-dev.npz")
        rule = None if row.signal == NO_SIGNAL else rule_named(row.rule)
        by_seed = answers.setdefault((row.task, row.method), {})
        by_seed[row.seed] = answers_at(predictions, rule, row.threshold)
    table = differences(
        answers,
        params.labels,
        params.control,
        backbone=backbone,
        target_speedup=params.target,
        seed=config["seeds"][0],
    )
    wide, caption = differences_wide(table), params.caption
    write_frame(snakemake.output.csv, table)
    write_text(snakemake.output.md, to_markdown(wide, caption))
    write_text(snakemake.output.tex, to_latex(wide, caption, "tab:differences"))
