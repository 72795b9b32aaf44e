"""Thresholds certified for a risk on `cal`, and their risks on the evaluated splits, of one task."""

from typing import TYPE_CHECKING

import pandas as pd

from cosee.data.tasks import TASKS
from cosee.evaluation.frames import RunId
from cosee.evaluation.outputs import load_outputs
from cosee.evaluation.risk_frames import COLUMNS, by_speed, deployed_rule, risk_frame
from cosee.io import write_frame
from cosee.methods import rule_named
from cosee.plan.configuration import configuration
from cosee.plan.curves import curves
from cosee.runs.records import place_inputs
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    place_inputs(snakemake.input)
    config, task = configuration(snakemake.config), snakemake.wildcards.task
    selection, asked = config.protocol.selection_split, config.risk
    frames = []
    for curve in curves(config, task, snakemake.wildcards.signal):
        rule = rule_named(curve.rule)
        if config.variants[curve.variant].is_static or not rule.is_online:
            continue
        on_selection = [load_outputs(run.outputs_file(selection, curve.rule)) for run in curve.runs]
        rule = deployed_rule(on_selection[0], rule, task, config.protocol.table_target)
        runs = [curve.runs[number] for number in by_speed(on_selection, rule)]
        outputs = {
            split: [load_outputs(run.outputs_file(split, curve.rule)) for run in runs]
            for split in ("cal", *TASKS[task].eval_splits)
        }
        frame = risk_frame(
            [RunId(task, curve.backbone, curve.variant, curve.seed, run.name) for run in runs],
            outputs.pop("cal"),
            outputs,
            rule,
            levels=asked.levels,
            confidence=asked.confidence,
            kinds=asked.losses,
            procedures=asked.procedures,
        )
        frames.append(frame)
    write_frame(snakemake.output[0], pd.concat(frames) if frames else pd.DataFrame(columns=list(COLUMNS)))
