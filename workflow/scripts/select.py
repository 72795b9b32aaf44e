"""The best grid point of every variant of a task, by the protocol; a single point is chosen as it is."""

from typing import TYPE_CHECKING

from cosee.evaluation.curve_frames import criteria_of
from cosee.evaluation.outputs import load_outputs
from cosee.evaluation.selection import choose, selection_record
from cosee.io import write_yaml
from cosee.methods import rule_named
from cosee.plan.configuration import configuration
from cosee.plan.search import point_name, searches, with_point
from cosee.runs.records import place_inputs
from cosee.scripting import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    place_inputs(snakemake.input)
    import pandas as pd

    config = configuration(snakemake.config)
    protocol, split, chosen = config.protocol, config.protocol.selection_split, {}
    for name, (run, points) in searches(config, snakemake.wildcards.backbone, snakemake.wildcards.task).items():
        if len(points) == 1:
            chosen[name] = {"point": points[0]}
            continue
        rows = []
        for point in points:
            predictions = load_outputs(with_point(run, point, point_name(point)).outputs_file(split))
            rows.append({**point, **criteria_of(predictions, run.task, rule_named(run.rule))})
        best, others = choose(pd.DataFrame(rows), protocol.criterion)
        chosen[name] = selection_record(best, others, protocol.criterion, protocol.name, split)
    write_yaml(snakemake.output[0], {"chosen": chosen})
