"""`cosee bench`: timings on this machine, as ratios of contenders measured in turn."""

import argparse
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from cosee.cli.settings import TARGETS, positive, positive_number

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from cosee.data.batches import DeviceSplit
    from cosee.data.tokens import TokenSplit
    from cosee.models.multi_exit import MultiExitModel

HELP = "measure early exit, serving, training or the sweep on this machine, or summarize the time of a workflow run"
EXAMPLES = (
    "cosee bench latency --encoder bert-base --lengths sst2 --rows 64 --out latency.csv",
    "cosee bench visits --encoder bert-base --rows 48",
    "cosee bench serving --encoder mini --speedup 2 --rate 200",
    "cosee bench training --encoder mini --lengths sst2 --batch-size 128 --rows 4096",
    "cosee bench utilization --encoder bert-base --batch-size 128 --length 128 --precision bf16",
    "cosee bench compiled --encoder bert-base --batch-size 32 --precision bf16",
    "cosee bench layers --batch-size 32",
    "cosee bench sweep --rows 40430",
    "cosee bench jobs --folder benchmarks",
)
ON_CPU = ("visits", "sweep")
"""Measurements that always use the CPU."""

RULE = "energy"
"""The exit rule that is timed; the cost of a layer or an exit test hardly depends on it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the measurements and their arguments."""
    kinds = parser.add_subparsers(dest="what", metavar="what", required=True)
    measures = {
        "latency": (_latency, "seconds of early exit against the same model without early exit"),
        "visits": (_visits, "cost of an exit between two layers, on a CPU, one example at a time"),
        "serving": (_serving, "requests per second: full model, early exit from a batch, freed places refilled"),
        "training": (_training, "a COSEE step against a vanilla one; training against a padded, looping reference"),
        "utilization": (_utilization, "FLOP/s of a training step beside those of a large matrix product"),
        "compiled": (_compiled, "a training step against one with compiled layers, and the time of compiling"),
        "layers": (_layers, "cost of a layer of mini-GPT and mini-Mamba beside one of mini-BERT"),
        "sweep": (_sweep, "seconds and memory of an exact trade-off curve"),
        "jobs": (_jobs, "time and memory of every rule in a finished run of the workflow"),
    }
    commands = {}
    for name, (measure, text) in measures.items():
        commands[name] = kinds.add_parser(name, help=text, description=text)
        commands[name].set_defaults(measure=measure, threads=1)
        commands[name].add_argument(
            "--out",
            type=Path,
            metavar="FILE",
            help="CSV file to write as well, with machine, version of torch and commit",
        )
        if name != "jobs":
            commands[name].add_argument(
                "--rounds", type=positive, default=5, metavar="R", help="timings of each (default: 5)"
            )
    for name in ("latency", "visits", "serving", "training", "utilization", "compiled"):
        command = commands[name]
        command.add_argument("--encoder", default="mini", choices=("mini", "bert-base"), help="shape (default: mini)")
    for name in ("latency", "visits", "serving", "training", "utilization", "compiled", "layers"):
        command = commands[name]
        command.add_argument("--threads", type=positive, default=1, help="threads on a CPU (default: 1)")
    for name in ("latency", "visits", "serving", "training", "compiled", "layers"):
        command = commands[name]
        command.add_argument(
            "--lengths",
            default="sst2",
            choices=("sst2", "mnli"),
            help="task whose example lengths are used (default: sst2)",
        )
        command.add_argument("--rows", type=positive, default=256, metavar="N", help="examples (default: 256)")
    latency = commands["latency"]
    latency.add_argument("--batch-sizes", type=positive, nargs="+", default=[1, 8, 32], metavar="B")
    latency.add_argument("--targets", type=float, nargs="+", default=TARGETS, metavar="X")
    latency.add_argument(
        "--check-every", type=positive, default=1, metavar="L", help="layers between exit tests (default: 1)"
    )
    serving = commands["serving"]
    serving.add_argument("--speedup", type=float, default=2.0, metavar="X", help="in layers (default: 2)")
    serving.add_argument("--capacity", type=positive, default=32, metavar="B", help="examples at a time (default: 32)")
    serving.add_argument("--rate", type=positive_number, metavar="R", help="arrivals per second (default: all at once)")
    for name in ("training", "utilization", "compiled", "layers"):
        commands[name].add_argument(
            "--batch-size", type=positive, default=32, metavar="B", help="examples per step (default: 32)"
        )
    for name in ("training", "utilization", "compiled"):
        command = commands[name]
        command.add_argument("--precision", default="fp32", choices=("fp32", "bf16"), help="(default: fp32)")
    commands["utilization"].add_argument(
        "--length", type=positive, default=128, metavar="T", help="tokens of every example, at most 128 (default: 128)"
    )
    commands["sweep"].add_argument("--rows", type=positive, default=40_430, metavar="N", help="(default: those of QQP)")
    commands["jobs"].add_argument(
        "--folder", type=Path, default=Path("benchmarks"), help="benchmark files of the run (default: benchmarks)"
    )


def run(args: argparse.Namespace) -> None:
    """Measure, print the machine (except for a finished run) and the result."""
    from cosee.io import write_frame
    from cosee.provenance import git_commit, hardware
    from cosee.runs.device import configure_torch

    measures_here = args.what != "jobs"
    if measures_here:
        configure_torch(args.threads)
    measured, where = args.measure(args), {}
    if measures_here:
        machine = hardware()
        cpu = f"{machine['processor']}, {args.threads} of {machine['cores']} cores"
        device = cpu if args.what in ON_CPU else machine["gpu"] or cpu
        where = {"machine": device, "torch": version("torch"), "commit": git_commit(Path(__file__).parent)}
        print(device)
    print(measured.to_string(index=False, float_format="{:.4g}".format, na_rep=""))
    if args.out:
        write_frame(args.out, measured.assign(**where))


def _latency(args: argparse.Namespace) -> "pd.DataFrame":
    """The table of the rule `latency`, for a model with weights drawn at random."""
    import numpy as np

    from cosee.bench.latency import measure
    from cosee.evaluation.latency import latency
    from cosee.exiting.rules import RULES

    model, split, thresholds = _model_at(args, args.targets)
    rows = np.arange(len(split))
    timings = measure(
        model, split, rows, RULES[RULE], thresholds, args.batch_sizes, args.rounds, check_every=args.check_every
    )
    return latency(timings)


def _visits(args: argparse.Namespace) -> "pd.DataFrame":
    import torch

    from cosee.bench.visits import measure_visits
    from cosee.exiting.rules import RULES

    model, split, _ = _model_at(args, [], torch.device("cpu"))
    return measure_visits(model, split, RULES[RULE], args.rounds)


def _serving(args: argparse.Namespace) -> "pd.DataFrame":
    """Medians over the rounds, one row per server."""
    import numpy as np

    from cosee.bench.serving import measure, poisson_arrivals, servers
    from cosee.exiting.rules import RULES

    model, split, thresholds = _model_at(args, [args.speedup])
    arrivals = np.zeros(len(split))
    if args.rate:
        arrivals = poisson_arrivals(len(split), args.rate, np.random.default_rng(0))
    contenders = servers(model, RULES[RULE], thresholds[args.speedup], args.capacity)
    measured = measure(contenders, split, arrivals, args.rounds)
    rates = measured.pivot(index="round", columns="server", values="requests_per_second")
    medians = measured.drop(columns="round").groupby("server").median().loc[list(contenders)]
    return medians.assign(relative_speed=rates.div(rates["whole"], axis=0).median()).reset_index()


def _training(args: argparse.Namespace) -> "pd.DataFrame":
    """Both comparisons: of single steps, in ten times as many rounds, and of passes over all examples."""
    import pandas as pd

    from cosee.bench.training import measure_objectives, measure_throughput

    model, rows, device = _in_training(args)
    how = {"batch_size": args.batch_size, "precision": args.precision}
    steps = measure_objectives(model, rows, device, rounds=10 * args.rounds, **how)
    passes = measure_throughput(model, rows, device, rounds=args.rounds, **how)
    return pd.concat({"step": steps, "pass over all examples": passes}, names=["timed"]).reset_index(level="timed")


def _utilization(args: argparse.Namespace) -> "pd.DataFrame":
    import numpy as np

    from cosee.bench.shapes import ENCODERS, random_rows
    from cosee.bench.training import MAX_LENGTH, model_in_training
    from cosee.bench.utilization import measure_utilization
    from cosee.errors import InputError
    from cosee.methods.cosee import Cosee
    from cosee.runs.device import default_device

    if args.length > MAX_LENGTH:
        raise InputError(f"--length {args.length}: encoders here take at most {MAX_LENGTH} tokens.")
    device = default_device()
    rows = random_rows(np.full(args.batch_size, args.length), ENCODERS[args.encoder]["vocab_size"])
    model = model_in_training(args.encoder, Cosee(), device)
    return measure_utilization(model, rows, device, args.rounds, precision=args.precision)


def _compiled(args: argparse.Namespace) -> "pd.DataFrame":
    from cosee.bench.compiled import measure_compiled

    return measure_compiled(*_in_training(args), args.batch_size, args.rounds, precision=args.precision)


def _layers(args: argparse.Namespace) -> "pd.DataFrame":
    from cosee.bench.layers import measure_layers
    from cosee.bench.shapes import FAMILIES, rows_for
    from cosee.runs.device import default_device

    rows = rows_for("mini", args.lengths, args.rows)
    return measure_layers(FAMILIES, rows, default_device(), args.batch_size, args.rounds)


def _sweep(args: argparse.Namespace) -> "pd.DataFrame":
    from cosee.bench.sweep import measure_sweep

    return measure_sweep(args.rows, rounds=args.rounds)


def _jobs(args: argparse.Namespace) -> "pd.DataFrame":
    from cosee.bench.workflow_times import job_shares

    return job_shares(args.folder)


def _in_training(args: argparse.Namespace) -> "tuple[MultiExitModel, TokenSplit, torch.device]":
    """A model for COSEE with fresh weights, examples for it, and its device."""
    from cosee.bench.shapes import rows_for
    from cosee.bench.training import model_in_training
    from cosee.methods.cosee import Cosee
    from cosee.runs.device import default_device

    device = default_device()
    rows = rows_for(args.encoder, args.lengths, args.rows)
    return model_in_training(args.encoder, Cosee(), device), rows, device


def _model_at(
    args: argparse.Namespace, targets: Sequence[float], device: "torch.device | None" = None
) -> "tuple[MultiExitModel, DeviceSplit, dict[float, float]]":
    """A model whose examples exit at all layers, these examples, and the thresholds for target speed-ups."""
    from cosee.bench.latency import early_exiting_model, thresholds_on
    from cosee.bench.shapes import ENCODERS, rows_for
    from cosee.data.batches import DeviceSplit
    from cosee.exiting.rules import RULES
    from cosee.runs.device import default_device

    device, rows = device or default_device(), rows_for(args.encoder, args.lengths, args.rows)
    model = early_exiting_model(ENCODERS[args.encoder], rows, device, seed=0)
    return model, DeviceSplit(rows, device), thresholds_on(model, rows, RULES[RULE], targets, device)
