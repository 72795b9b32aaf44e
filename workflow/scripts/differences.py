"""Differences to the reference variant at the tables' target speed-up, with bootstrap intervals."""

from typing import TYPE_CHECKING

from cosee.evaluation.bootstrap import operating_point_at
from cosee.evaluation.frames import NO_RULE
from cosee.evaluation.outputs import load_outputs
from cosee.io import read_frames
from cosee.methods import rule_named
from cosee.plan.configuration import configuration
from cosee.plan.shown import shown_curves
from cosee.scripting import logged
from cosee.tables import at_target, differences, differences_wide, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    config, params, answers = configuration(snakemake.config), snakemake.params, {}
    backbone = params.spec["backbone"]
    files = {
        (curve.task, curve.variant, curve.seed, run.name): run.outputs_file("dev", curve.rule)
        for curve in shown_curves(config, config.tables.differences, params.labels)
        for run in curve.runs
    }
    for row in at_target(read_frames(snakemake.input.targets), params.labels, backbone, params.target).itertuples():
        predictions = load_outputs(files[row.task, row.variant, row.seed, row.model])
        rule = None if row.exit_rule == NO_RULE else rule_named(row.rule)
        by_seed = answers.setdefault((row.task, row.variant), {})
        by_seed[row.seed] = operating_point_at(predictions, rule, row.threshold)
    table = differences(
        answers,
        params.labels,
        params.reference_variant,
        backbone=backbone,
        target_speedup=params.target,
        seed=config.seeds[0],
    )
    wide, caption = differences_wide(table), params.caption
    write_table(snakemake.output, table, wide, caption, "differences")
