"""What all frames of results share: the answers of the rule, and what they refuse."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.exit_outputs import MRPC, multi_exit

from cosee.errors import InputError
from cosee.evaluation.curve_frames import oracle_frame, random_frame, tradeoff_frame
from cosee.evaluation.exit_frames import dis_frame, histogram_frame, layers_frame
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.point_frames import calibration_frame, targets_frame
from cosee.exiting.rules import RULES

ENERGY = RULES["energy"]


@pytest.mark.parametrize("name", ["geometric", "voting"])
def test_every_frame_has_the_answers_of_the_rule(name):
    predictions, rule = multi_exit(MRPC), RULES[name]
    as_logits = ExitOutputs(**vars(predictions) | {"logits": rule.answer(predictions.logits.astype(np.float64))})
    scores = predictions.exit_scores(rule)
    own = replace(rule, answer=None, score=lambda logits, learned: scores)
    assert (as_logits.predicted != predictions.predicted).any()
    points = [(2.0, float(np.median(scores)))]
    for make in (
        lambda outputs, rule: tradeoff_frame(MRPC, outputs, "dev", rule),
        lambda outputs, rule: oracle_frame(MRPC, outputs, "dev", rule),
        lambda outputs, rule: random_frame(MRPC, outputs, "dev", np.random.default_rng(0), rule),
        lambda outputs, rule: targets_frame(MRPC, outputs, "dev", rule, points),
        lambda outputs, rule: dis_frame(MRPC, outputs, "dev", rule),
        lambda outputs, rule: calibration_frame(MRPC, outputs, "dev", rule, points),
        lambda outputs, rule: layers_frame(MRPC, outputs, "dev", rule),
    ):
        pd.testing.assert_frame_equal(make(predictions, rule), make(as_logits, own))


@pytest.mark.parametrize(
    "frame",
    [
        lambda p: tradeoff_frame(MRPC, p, "test", ENERGY),
        lambda p: oracle_frame(MRPC, p, "test"),
        lambda p: targets_frame(MRPC, p, "test", ENERGY, [(2.0, 0.1)]),
        lambda p: dis_frame(MRPC, p, "test", ENERGY),
        lambda p: layers_frame(MRPC, p, "test"),
        lambda p: histogram_frame(MRPC, p, "test", ENERGY, [(2.0, 0.1)]),
    ],
)
def test_nothing_is_evaluated_without_labels_or_logits(frame):
    predictions = multi_exit(MRPC)
    diverged = ExitOutputs(**(vars(predictions) | {"logits": np.full_like(predictions.logits, np.nan)}))
    with pytest.raises(InputError, match="logits of split 'test' contain NaN or inf: training diverged"):
        frame(diverged)
    unlabeled = ExitOutputs(**(vars(predictions) | {"labels": np.full(300, -1)}))
    with pytest.raises(InputError, match="'test' has examples without a label"):
        frame(unlabeled)


def test_evaluation_never_imports_torch():
    code = "import sys, cosee.evaluation.frames, cosee.evaluation.selection; "
    code += "print({'torch', 'transformers', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
