"""Differences from the reference variant at the tables' target speed-up, at equal cost and as deployed."""

from typing import TYPE_CHECKING

from cosee.evaluation.frames import TARGET
from cosee.io import read_frames
from cosee.plan.configuration import configuration
from cosee.plan.shown import shown_curves
from cosee.runs.points import deployed_points, matched_points
from cosee.runs.records import place_inputs
from cosee.scripting import logged
from cosee.tables import at_target, differences, differences_wide, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    place_inputs(snakemake.input)
    config, params = configuration(snakemake.config), snakemake.params
    backbone, target, split = params.spec["backbone"], params.target, params.split
    curves = shown_curves(config, config.tables.shown[params.name], params.labels)
    targets = at_target(read_frames(snakemake.input.targets, TARGET), params.labels, backbone, target, split)
    selection = config.protocol.selection_split
    deployed = deployed_points(curves, targets, selection=selection, split=split)
    compared = [curve for curve in curves if (curve.task, curve.variant) in deployed]
    matched = matched_points(compared, target, selection=selection, split=split)
    table = differences(
        {"matched": matched, "deployed": deployed},
        params.labels,
        params.reference_variant,
        backbone=backbone,
        target_speedup=target,
    )
    write_table(snakemake.output, table, differences_wide(table), params.caption, params.name)
