"""Results from the stored outputs of one task: curves, scores at target speed-ups, DIS, exit layers."""

from collections import defaultdict
from typing import TYPE_CHECKING

import pandas as pd

from cosee.evaluation.curve_frames import oracle_frame, random_frame, static_frame, tradeoff_frame
from cosee.evaluation.exit_frames import density_frame, dis_frame, histogram_frame, layers_frame
from cosee.evaluation.families import Choice, choose_members
from cosee.evaluation.frames import STATIC, RunId
from cosee.evaluation.members import has_members, representative
from cosee.evaluation.outputs import ExitOutputs, load_outputs
from cosee.evaluation.point_frames import (
    calibration_frame,
    operating_points,
    static_calibration_frame,
    static_targets_frame,
    targets_frame,
)
from cosee.evaluation.step_frames import oracle_depth_frame, static_steps_frame, steps_frame
from cosee.io import write_frame
from cosee.methods import rule_named
from cosee.plan.configuration import configuration
from cosee.plan.curves import curves, evaluated_splits
from cosee.runs.records import place_inputs
from cosee.scripting import logged
from cosee.seeds import numpy_generator

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    place_inputs(snakemake.input)
    config, name = configuration(snakemake.config), snakemake.wildcards.task
    selection = config.protocol.selection_split
    given = [(float("nan"), threshold) for threshold in snakemake.params.thresholds]
    frames = {kind: [] for kind in snakemake.output.keys()}  # noqa: SIM118 (not a mapping)
    static: dict[tuple[RunId, str], dict[int, ExitOutputs]] = defaultdict(dict)
    for curve in curves(config, name, snakemake.wildcards.signal):
        rule = rule_named(curve.rule)
        models = [
            {split: load_outputs(run.outputs_file(split, curve.rule)) for split in evaluated_splits(run, config)}
            for run in curve.runs
        ]
        is_static = len(models[0][selection].exit_depths) == 1
        points_of_models = [[] for _ in models]
        if not is_static and not has_members(rule):
            points_of_models = operating_points([m[selection] for m in models], rule, snakemake.params.targets)
        for run, model, points in zip(curve.runs, models, points_of_models, strict=True):
            identity = RunId(name, curve.backbone, curve.variant, curve.seed, run.name)
            if has_members(rule):
                choices = choose_members(model[selection], rule, name, snakemake.params.targets)
            else:
                choices = [Choice(rule, points, curve=rule)]
            for split in [split for split in model if split not in ("fit", "sel")]:
                outputs = model[split]
                frames["layers"].append(layers_frame(identity, outputs, split, None if is_static else rule))
                if is_static:
                    frames["tradeoff"].append(static_frame(identity, outputs, split, rule.name))
                    frames["targets"].append(static_targets_frame(identity, outputs, split))
                    frames["calibration"].append(static_calibration_frame(identity, outputs, split))
                    frames["steps"].append(static_steps_frame(identity, outputs, split))
                    any_depth = RunId(name, curve.backbone, STATIC, curve.seed, STATIC)
                    static[any_depth, split][outputs.exit_depths[0]] = outputs
                    continue
                for choice in choices:
                    if choice.curve is not None:
                        frames["tradeoff"].append(tradeoff_frame(identity, outputs, split, choice.curve))
                    point = identity, outputs, split, choice.rule, choice.points
                    frames["targets"].append(targets_frame(*point))
                    frames["calibration"].append(calibration_frame(*point))
                    frames["steps"].append(steps_frame(*point))
                scored = representative(rule, model[selection], config.protocol.table_target)
                frames["dis"].append(dis_frame(identity, outputs, split, scored))
                frames["density"].append(density_frame(identity, outputs, split))
                if curve.variant == config.reference_variant:
                    rng = numpy_generator(run.seed, "random", split)
                    frames["tradeoff"].append(random_frame(identity, outputs, split, rng, rule))
                    frames["tradeoff"].append(oracle_frame(identity, outputs, split, rule))
            for choice in [] if is_static else choices:
                shown = [split for split in ("fit", "dev") if split in model and choice.points + given]
                frames["exits"] += [
                    histogram_frame(identity, model[split], split, choice.rule, choice.points + given)
                    for split in shown
                ]  # a model, or a patience, may be the best for no target
    frames["steps"] += [oracle_depth_frame(run, by_depth, split) for (run, split), by_depth in static.items()]
    for kind, parts in frames.items():
        write_frame(snakemake.output[kind], pd.concat(parts, ignore_index=True))
