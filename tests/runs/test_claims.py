"""Effects that decide claims, on published runs whose effects are known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.results import LAYERS

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.evaluation.metrics import difficulty_inversion_score
from cosee.evaluation.outputs import ExitOutputs, save_outputs
from cosee.io import write_frame, write_json
from cosee.plan.claims import Test
from cosee.runs.claims import measure
from cosee.runs.published import publish, published_outputs, published_runs

EXAMPLES = 600


def write_run(folder, variant, seed, accuracy, knows, loss, task="sst2"):
    """Random outputs: accuracy per exit [M]; `knows`: how much more confident right answers are, and
    those to examples that the last exit gets right."""
    labels = np.random.default_rng(1).integers(0, 2, EXAMPLES)
    rng = np.random.default_rng([seed, len(variant)])
    right = rng.random((EXAMPLES, LAYERS)) < np.asarray(accuracy)
    size = rng.uniform(0.5, 1.5, right.shape) + knows * (2 * right + right[:, -1:])
    sign = np.where(right == (labels == 1)[:, None], 1, -1) * size
    depths = tuple(range(1, LAYERS + 1))
    outputs = ExitOutputs(
        np.stack([-sign, sign], axis=-1), labels, np.arange(EXAMPLES), LAYERS, depths, tuple(map(float, depths))
    )
    save_outputs(folder / "logits-dev.npz", outputs)
    ce = loss + rng.normal(0, 0.001, 2)
    write_frame(folder / "history.csv", pd.DataFrame({"step": [1, 2], "epoch": [1, 1], "mean_ce": ce}))
    run = {"backbone": "bert", "task": task, "variant": variant, "rule": "energy", "name": variant, "seed": seed}
    write_json(folder / "run.json", {"run": run, "method": {}, "selection_split": "dev"})
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Collection `c`: `good` is better than `plain` at every exit, more so at shallow ones."""
    folder = tmp_path_factory.mktemp("claims")
    rising, flat = np.linspace(0.6, 0.9, LAYERS), np.full(LAYERS, 0.9)
    for seed in range(4):
        publish(write_run(folder / f"runs/good{seed}", "good", seed, flat, 1.5, 0.3), folder / "published/c")
        publish(write_run(folder / f"runs/plain{seed}", "plain", seed, rising, 0.0, 0.5), folder / "published/c")
    publish(write_run(folder / "runs/mrpc", "good", 0, flat, 1, 0.3, "mrpc"), folder / "published/c")
    return folder / "published"


def asked(measure="score", **changes):
    fields = {"collection": "c", "backbone": "bert", "tasks": ["sst2"], "measure": measure}
    fields |= {"variant": "good (energy)", "reference": "plain (energy)", "speedups": [2.0]}
    return Test(**fields | changes)


def test_the_score_is_the_difference_at_equal_cost_in_percent(published):
    effect = measure(asked(speedups=[2.0, 4.0]), published)
    singles = [measure(asked(speedups=[speedup]), published).estimate.value for speedup in (2.0, 4.0)]
    assert effect.num_seeds == 4 and effect.estimate.value == pytest.approx(np.mean(singles))
    low, high = effect.estimate.interval()
    assert 0 < low < effect.estimate.value < high < 60


def test_the_gain_is_the_difference_of_the_differences(published):
    effect = measure(asked("score_gain", speedups=[1.5, 6.0]), published)
    low, high = (measure(asked(speedups=[speedup]), published).estimate.value for speedup in (1.5, 6.0))
    assert effect.estimate.value == pytest.approx(high - low) and effect.estimate.value > 0


def test_dis_is_the_mean_over_the_exits_that_were_asked_for(published):
    effect = measure(asked("dis", exits=[1, 3]), published).estimate
    values = {}
    for run in published_runs(published / "c"):
        if run.task == "sst2":
            outputs = published_outputs(run)["dev"]
            margin = np.abs(outputs.logits[..., 1] - outputs.logits[..., 0]).astype(float)
            right = outputs.predicted == outputs.labels[:, None]
            dis = difficulty_inversion_score(margin[:, [0, 2]], right[:, [0, 2]], "smaller")
            values.setdefault(run.name, []).append(dis.mean())
    assert effect.value == pytest.approx(np.mean(values["good"]) - np.mean(values["plain"]), abs=0.1)
    assert measure(asked("dis"), published).estimate.interval()[0] > 0


def test_the_training_loss_is_that_of_the_history(published):
    estimate = measure(asked("training_loss"), published).estimate
    assert estimate.value == pytest.approx(-0.2, abs=0.01) and estimate.interval()[1] < 0


def test_errors_exit_later_where_right_answers_are_confident(published):
    estimate = measure(asked("exit_of_errors", reference=None), published).estimate
    assert 0 < estimate.interval()[0] < estimate.value < LAYERS


@pytest.mark.parametrize(
    "changes",
    [{"collection": "other"}, {"backbone": "albert"}, {"variant": "new (energy)"}, {"tasks": ["rte"]}],
)
def test_what_is_not_published_has_no_effect_yet(changes, published):
    assert measure(asked(**changes), published) is None


def test_a_mean_over_speedups_needs_accuracy(published):
    assert TASKS["mrpc"].metrics != ("accuracy",)
    with pytest.raises(InputError, match="scored by accuracy alone, which mrpc is not"):
        measure(asked(tasks=["mrpc"], reference="good (energy)", speedups=[2.0, 3.0]), Path(published))
