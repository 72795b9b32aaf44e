"""Memory and time that jobs ask of a scheduler, by encoder, examples, batches and estimated minutes.

They are upper bounds, as a job that exceeds its request is killed: what the plan does not know, such as the width of an
encoder on the hub, is taken to be BERT-base's. `cosee bench jobs` shows them beside what the jobs of a run took.
"""

from collections.abc import Iterable
from typing import NamedTuple

from cosee.plan.configuration import Configuration
from cosee.plan.cost import split_rows
from cosee.plan.jobs import Job
from cosee.plan.runs import Run

PROCESS_MB = 1500
"""A Python process with torch, beside the Snakemake that started it."""

CUDA_MB = 3500
"""Host memory of a process that uses a GPU, in addition."""

START_MINUTES = 10
"""From the start of a job to the first step of a training, on a slow file system."""

SLACK = 2.0
"""How much longer than estimated a training may take at the first attempt."""

_FLOAT = 4


class EncoderSize(NamedTuple):
    """Size of an encoder: layers, hidden size, attention heads, and weights without those of exits."""

    layers: int
    hidden: int
    heads: int
    weights: int


SHIPPED_HIDDEN = 80
"""Width of the encoders that come with the package; read from their files, it would cost every process time."""


def encoder_size(config: Configuration, backbone: str) -> EncoderSize:
    """The size of an encoder, or that of BERT-base with its number of layers where the configuration does not say."""
    entry = config.backbones[backbone]
    hidden, words = 768, 30522
    if entry.source == "generated" and not config.backbone_dir:
        hidden, words = entry.pretraining.hidden_size, 3000
    elif entry.source == "shipped" and not config.backbone_dir:
        hidden, words = SHIPPED_HIDDEN, 300
    return EncoderSize(entry.layers, hidden, max(hidden // 64, 2), 12 * entry.layers * hidden**2 + words * hidden)


def training_memory(config: Configuration, runs: Iterable[Run], on_gpu: bool) -> int:
    """MB of host memory that a process needs in which some runs of one backbone and task are trained.

    Weights, their gradients, two moments and the checkpoint of each exit rule; once more what is saved as state; on a
    CPU the activations of a batch; the token ids of all splits.
    """
    return max(_training_memory(config, run, on_gpu) for run in runs)


def _training_memory(config: Configuration, run: Run, on_gpu: bool) -> int:
    size, length = encoder_size(config, run.backbone), config.data.max_length
    copies = 4 + 3 + 2 * len(run.rules)
    held = copies * size.weights * _FLOAT
    batch = run.training["batch_size"] // (run.training.get("accumulation") or 1)
    per_layer = batch * length * (20 * size.hidden + 3 * size.heads * length) * _FLOAT
    tokens = 3 * sum(split_rows(config, run.task).values()) * length * _FLOAT
    activations = 0 if on_gpu else size.layers * per_layer
    return PROCESS_MB + on_gpu * CUDA_MB + round((held + activations + tokens) / 1e6)


def training_runtime(job: Job, attempt: int = 1) -> int:
    """Minutes that a training job asks for: more at each attempt, which resumes where the last one ended."""
    return round(attempt * (START_MINUTES + SLACK * job.minutes))


def data_memory(config: Configuration, tasks: Iterable[str]) -> int:
    """MB that reading, cutting or tokenizing the examples of the largest of some tasks needs."""
    rows = max(sum(split_rows(config, task).values()) for task in tasks)
    return PROCESS_MB + round(rows * (2000 + 20 * config.data.max_length) / 1e6)


def results_memory(config: Configuration, runs: Iterable[Run]) -> int:
    """MB that the evaluation of some runs needs, of which the outputs on all splits but `fit` are read together.

    Ten numbers are counted for every example and exit: logits, scores of the exits, sorted thresholds, curves.
    """
    values = 0
    for run in runs:
        rows = sum(rows for split, rows in split_rows(config, run.task).items() if split != "fit")
        values += rows * encoder_size(config, run.backbone).layers
    return PROCESS_MB + round(values * 10 * 8 / 1e6)
