"""Timings of early exit: a trained model on examples of dev, in a process of its own."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from cosee.bench.latency import measure
from cosee.data.batches import DeviceSplit
from cosee.data.tokens import load_tokens, padding_id
from cosee.evaluation.outputs import load_outputs
from cosee.evaluation.point_frames import operating_points
from cosee.io import write_frame
from cosee.methods import rule_named
from cosee.plan.configuration import configuration
from cosee.plan.runs import timed_run
from cosee.provenance import hardware
from cosee.runs.device import configure_torch, default_device
from cosee.runs.records import place_inputs
from cosee.runs.weights import load_run
from cosee.scripting import logged
from cosee.seeds import numpy_generator

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    place_inputs(snakemake.input)
    spec, config = snakemake.params.spec, configuration(snakemake.config)
    run = timed_run(config)
    configure_torch(spec["threads"])
    device, backbone = default_device(), Path(snakemake.input.backbone[0]).parent
    model, rule = load_run(Path(run.folder), backbone), rule_named(run.rule)
    (points,) = operating_points(
        [load_outputs(run.outputs_file(config.protocol.selection_split))], rule, spec["targets"]
    )
    dev = DeviceSplit(load_tokens(snakemake.input.tokens)["dev"], device, padding_id(backbone / "tokenizer.json"))
    rows = numpy_generator(run.seed, "latency").permutation(len(dev))[: spec["rows"]]
    timings = measure(model.to(device).eval(), dev, rows, rule, dict(points), spec["batch_sizes"], spec["rounds"])
    hardware_info = hardware()
    on_cpu = device.type == "cpu"
    timings = timings.assign(
        task=run.task,
        backbone=run.backbone,
        variant=run.variant,
        exit_rule=rule.name,
        seed=run.seed,
        hardware=hardware_info["processor"] if on_cpu else hardware_info["gpu"],
        threads=torch.get_num_threads() if on_cpu else 0,
    )
    write_frame(snakemake.output[0], timings)
