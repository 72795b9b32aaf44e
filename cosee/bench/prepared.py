"""One prepared call on a GPU that is at hand for minutes: measurements in order of worth, then trainings.

    python -m cosee.bench.prepared --out FOLDER --minutes 9
    python -m cosee.bench.prepared --plan config/evidence/pooler.yaml --out runs.json     (beforehand, anywhere)
    python -m cosee.bench.prepared --out FOLDER --minutes 9 --runs runs.json --tokens FOLDER --backbones FOLDER

It needs torch, transformers, numpy, pandas and safetensors, and no network. Every part writes its CSV file when it is
done; `parts.csv` says what was done, skipped or failed, and how long it took. A part starts only if its share of the
time is left, and a failure costs that part alone. On a CPU, or with `--rehearsal`, shapes are tiny: the same code in a
minute, whose numbers mean nothing.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd
import torch

from cosee.bench.compiled import measure_compiled
from cosee.bench.latency import early_exiting_model, measure, thresholds_on
from cosee.bench.shapes import ENCODERS, random_rows, rows_for
from cosee.bench.shared import measure_shared
from cosee.bench.training import measure_objectives, model_in_training
from cosee.bench.utilization import measure_utilization
from cosee.data.batches import DeviceSplit
from cosee.data.tokens import TokenSplit, load_tokens, padding_id
from cosee.evaluation.latency import latency
from cosee.exiting.rules import RULES
from cosee.io import read_json, write_frame, write_json
from cosee.methods.cosee import Cosee
from cosee.models.loading import encoder_configuration
from cosee.provenance import git_commit, hardware
from cosee.runs.device import configure_torch, default_device

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Scale:
    """Sizes of the measurements.

    Attributes:
        encoder: key of `ENCODERS`.
        precision: of training steps.
        batch_size: examples of a training step.
        length: tokens of the examples whose step is compared with a matrix product.
        examples: examples of a task whose lengths count.
        rounds: timings of each contender.
        product_size: rows of the square matrices; None: that of the device.
        timed_examples: examples that exit early, one by one and in batches.
        small_steps: steps of each of several small trainings at once.
        small_at_once: how many of them.
        compiles: whether steps are measured with compiled layers too.
    """

    encoder: str = "bert-base"
    precision: str = "bf16"
    batch_size: int = 128
    length: int = 128
    examples: int = 2048
    rounds: int = 10
    product_size: int | None = None
    timed_examples: int = 128
    small_steps: int = 200
    small_at_once: tuple[int, ...] = (1, 2, 4, 8)
    compiles: bool = True


REHEARSAL = Scale("mini", "fp32", 8, 16, 32, 1, 64, 8, 2, (1,), compiles=False)
"""Sizes with which every part takes seconds on a CPU."""

LAYER_TARGETS = (1.5, 2.0, 3.0, 4.0)

Part = tuple[str, float, Callable[[], pd.DataFrame]]
"""Name, minutes that it is expected to take at most, and what it measures."""


def measurements(scale: Scale, device: torch.device) -> list[Part]:
    """The parts in order of worth."""

    def rows_of(task: str) -> TokenSplit:
        return rows_for(scale.encoder, task, scale.examples)

    def model():
        return model_in_training(scale.encoder, Cosee(), device)

    how: dict[str, Any] = {"precision": scale.precision}

    def step_ratio() -> pd.DataFrame:
        return measure_objectives(model(), rows_of("sst2"), device, scale.batch_size, scale.rounds, **how)

    def peak_share() -> pd.DataFrame:
        rows = random_rows(np.full(scale.batch_size, scale.length), ENCODERS[scale.encoder]["vocab_size"])
        return measure_utilization(model(), rows, device, scale.rounds, product_size=scale.product_size, **how).assign(
            batch_size=scale.batch_size, length=scale.length
        )

    def throughput() -> pd.DataFrame:
        measured = measure_compiled if scale.compiles else measure_objectives
        frames = {
            task: measured(model(), rows_of(task), device, scale.batch_size, scale.rounds, **how)
            for task in ("sst2", "mnli")
        }
        return pd.concat(frames, names=["lengths"]).reset_index(level="lengths")

    def early_exits() -> pd.DataFrame:
        rows, rule = rows_for(scale.encoder, "sst2", scale.timed_examples), RULES["energy"]
        exiting, split = early_exiting_model(ENCODERS[scale.encoder], rows, device, seed=0), DeviceSplit(rows, device)
        thresholds = thresholds_on(exiting, rows, rule, LAYER_TARGETS, device)
        order, rounds = np.arange(len(rows)), max(1, scale.rounds // 3)
        frames = {
            every: latency(measure(exiting, split, order, rule, thresholds, (1, 8, 32), rounds, check_every=every))
            for every in (1, 2, 4)
        }
        return pd.concat(frames, names=["check_every"]).reset_index(level="check_every")

    def small_trainings() -> pd.DataFrame:
        return measure_shared(scale.small_at_once, scale.small_steps, device)

    return [
        ("gpu_tests", 1.5, gpu_tests),
        ("step_ratio", 0.5, step_ratio),
        ("peak_share", 0.5, peak_share),
        ("throughput", 2.0, throughput),
        ("early_exit", 1.5, early_exits),
        ("small_trainings", 1.5, small_trainings),
    ]


def gpu_tests() -> pd.DataFrame:
    """Outcome of the tests that need a GPU: the closing line of the test runner.

    Raises:
        RuntimeError: the test runner is not installed.
    """
    if find_spec("pytest") is None:
        raise RuntimeError("pytest is not installed")
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=90)
    return pd.DataFrame([{"outcome": done.stdout.strip().rpartition("\n")[2], "exit_code": done.returncode}])


def work_through(
    parts: Iterable[Part], out: Path, until: float, where: Mapping[str, Any], clock: Callable[[], float] = monotonic
) -> pd.DataFrame:
    """Do the parts that the time allows, one CSV file each.

    Args:
        parts: in order of worth.
        out: folder of the files.
        until: the clock's time at which everything has to be done, seconds.
        where: columns that every file gets: machine, versions, commit.
        clock: seconds.

    Returns:
        A row per part, also in `parts.csv`: part, outcome (done, no time left, or the error), seconds.
    """
    rows: list[dict[str, Any]] = []
    for name, minutes, part in parts:
        began = clock()
        outcome = "done"
        if began + 60 * minutes > until:
            outcome = "no time left"
        else:
            try:
                write_frame(out / f"{name}.csv", part().assign(**where))
            except Exception as error:  # whatever it is, the parts behind it are worth more than a traceback
                outcome = f"{type(error).__name__}: {error}"
        rows.append({"part": name, "outcome": outcome, "seconds": clock() - began})
        write_frame(out / "parts.csv", pd.DataFrame(rows).assign(**where))
        print(f"{name}: {outcome}, {rows[-1]['seconds']:.0f} s", flush=True)
    return pd.DataFrame(rows)


def trainings(file: Path, tokens: Path, backbones: Path, out: Path, until: float) -> list[Part]:
    """The runs of a plan that are not finished in `out`, as parts; each is expected to take what the last one took."""
    from cosee.plan.runs import Run
    from cosee.runs.execution import RunInputs, train_and_predict

    device, plan = default_device(), read_json(file)
    last = [1.0]  # minutes of the last training of this process

    def train(run: Run) -> pd.DataFrame:
        began, backbone = monotonic(), backbones / run.backbone
        examples = load_tokens(tokens / run.backbone / f"{run.task}.npz")
        inputs = RunInputs(
            examples,
            backbone,
            encoder_configuration(backbone).num_hidden_layers,
            padding_id(backbone / "tokenizer.json"),
        )
        train_and_predict(
            run,
            inputs,
            protocol=plan["protocol"],
            splits=[split for split in examples if split != "fit"],
            keep_weights=False,
            device=device,
            folder=out / run.folder,
        )
        last[0] = (monotonic() - began) / 60
        return pd.DataFrame([{"run": run.folder, "seconds": 60 * last[0]}])

    runs = [Run(**fields | {"other_rules": tuple(fields["other_rules"])}) for fields in plan["runs"]]
    waiting = [run for run in runs if not (out / run.folder / "run.json").is_file()]
    return [
        (f"training-{run.backbone}-{run.task}-{run.name}-{run.seed}", last[0], lambda run=run: train(run))
        for run in waiting
    ]


def write_plan(files: Sequence[Path], out: Path, learning_rate: float | None) -> None:
    """Write the final runs of a preset as JSON; a preset with a grid needs the learning rate that was found."""
    from dataclasses import asdict, replace

    from cosee.errors import InputError
    from cosee.plan.configuration import configuration
    from cosee.plan.merging import read_preset
    from cosee.plan.runs import final_runs

    config = configuration(read_preset(Path("config/defaults.yaml"), list(files)))
    if config.grid and not learning_rate:
        raise InputError("the preset searches a grid: give the learning rate that was found with --learning-rate.")
    runs = final_runs(config)
    if learning_rate:
        runs = [replace(run, training={**run.training, "learning_rate": learning_rate}) for run in runs]
    protocol = {"name": config.protocol.name, "criterion": config.protocol.criterion}
    write_json(out, {"protocol": protocol, "runs": [asdict(run) for run in runs]})


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and work through the parts."""
    parser = argparse.ArgumentParser("python -m cosee.bench.prepared", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the results; with --plan the file to write")
    parser.add_argument("--minutes", type=float, default=9.0, help="time for everything (default: 9)")
    parser.add_argument(
        "--rehearsal", action="store_true", help="tiny shapes; what a machine without a GPU does anyway"
    )
    parser.add_argument("--plan", type=Path, nargs="+", metavar="FILE", help="write the runs of a preset, and end")
    parser.add_argument("--learning-rate", type=float, help="with --plan: that of every run")
    parser.add_argument("--runs", type=Path, metavar="FILE", help="a plan, whose runs are trained in the time left")
    parser.add_argument("--tokens", type=Path, help="with --runs: FOLDER/<backbone>/<task>.npz")
    parser.add_argument("--backbones", type=Path, help="with --runs: FOLDER/<backbone>/")
    args = parser.parse_args(arguments)
    if args.plan:
        return write_plan(args.plan, args.out, args.learning_rate)
    until, device, machine = monotonic() + 60 * args.minutes, default_device(), hardware()
    configure_torch(1)
    scale = REHEARSAL if args.rehearsal or device.type == "cpu" else Scale()
    where = {"machine": machine["gpu"] or machine["processor"], "torch": torch.__version__}
    where |= {"commit": git_commit(Path(__file__).parent), "scale": json.dumps(vars(scale))}
    work_through(measurements(scale, device), args.out, until, where)
    if args.runs:
        for part in trainings(args.runs, args.tokens, args.backbones, args.out, until):
            work_through([part], args.out / "trainings" / part[0], until, where)


if __name__ == "__main__":
    sys.exit(main())
