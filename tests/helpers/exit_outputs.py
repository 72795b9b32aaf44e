"""Outputs of made-up models, and what every frame made of them begins with."""

import numpy as np
import pytest

from cosee.data.tasks import TASKS
from cosee.evaluation.frames import RunId
from cosee.evaluation.outputs import ExitOutputs

MRPC, MNLI = RunId("mrpc", "bert", "cosee", 13, "cosee-energy"), RunId("mnli", "albert", "vanilla", 7, "vanilla")
RUNS = pytest.mark.parametrize("run", [MRPC, MNLI], ids=["C=2", "C=3"])
IDENTITY = "task backbone variant exit_rule seed split model".split()


def multi_exit(run, num_examples=300, num_layers=6, seed=0):
    """Logits that become more right and more certain with depth."""
    rng, num_classes = np.random.default_rng(seed), TASKS[run.task].num_classes
    labels = rng.integers(0, num_classes, num_examples)
    evidence = rng.gamma(2, 0.4, (num_examples, 1, 1)) * np.arange(1, num_layers + 1)[:, None]
    logits = rng.normal(0, 1, (num_examples, num_layers, num_classes)) + evidence * np.eye(num_classes)[labels][:, None]
    depths = tuple(range(1, num_layers + 1))
    costs = tuple(1.1 * depth for depth in depths)
    return ExitOutputs(logits.astype(np.float32), labels, np.arange(num_examples), num_layers, depths, costs)


def truncated(run, depth=3, num_layers=6):
    full = multi_exit(run)
    return ExitOutputs(full.logits[:, depth - 1 : depth], full.labels, full.idx, num_layers, (depth,), (1.1 * depth,))


def assert_identity(frame, run, split, exit_rule=None, variant=None):
    expected = {"task": run.task, "backbone": run.backbone, "variant": variant or run.variant}
    expected |= ({"exit_rule": exit_rule} if exit_rule else {}) | {"seed": run.seed, "split": split, "model": run.model}
    assert list(frame.columns[: len(expected)]) == list(expected)
    assert len(frame) and (frame[list(expected)] == list(expected.values())).all(axis=None)
