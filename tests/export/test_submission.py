"""Predictions for the GLUE server: one per example, in order, at its exit, under the server's names."""

import numpy as np
import pytest

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import RULES
from cosee.export.submission import submission_frame

ENTROPY = RULES["entropy"]


def predictions(classes, idx, exits=(1, 2), num_layers=2):
    """Exit 1 is sure of class 0 for even rows and of nothing for odd ones; exit 2 is sure of the last class."""
    logits = np.zeros((len(idx), len(exits), classes))
    logits[::2, 0, 0] = 9
    logits[:, -1] = [*[0] * (classes - 1), 9]
    return ExitOutputs(logits, np.full(len(idx), -1), np.array(idx), num_layers, exits, tuple(map(float, exits)))


def test_rows_answer_at_the_exit_that_they_take_and_stand_in_order():
    frame, speedup = submission_frame(predictions(3, [2, 0, 1, 3]), ENTROPY, 0.5, TASKS["mnli"])
    assert frame.to_dict("list") == {
        "index": [0, 1, 2, 3],
        "prediction": ["contradiction", "entailment", "entailment", "contradiction"],
    }
    assert speedup == pytest.approx(2 / 1.5)
    frame, speedup = submission_frame(predictions(2, [0, 1]), ENTROPY, 0.0, TASKS["mrpc"])  # nobody leaves early
    assert (list(frame["prediction"]), speedup) == (["1", "1"], 1)


def test_the_answer_is_that_of_the_rule():
    outputs = predictions(3, [0, 1])
    outputs.logits[:, 1] = [0, 0, 3]  # less sure of the last class than the first exit is of the first
    frame, speedup = submission_frame(outputs, RULES["geometric"], 1.0, TASKS["mnli"])  # no example exits early
    assert (list(frame["prediction"]), speedup) == (["entailment", "contradiction"], 1)


def test_a_static_model_answers_at_its_end():
    frame, speedup = submission_frame(predictions(2, [0, 1], exits=(6,), num_layers=12), ENTROPY, np.nan, TASKS["qnli"])
    assert (list(frame["prediction"]), speedup) == (["not_entailment"] * 2, 2)


def test_a_part_of_a_split_is_refused():
    with pytest.raises(InputError, match="2 examples are not numbered 0 to 1; expected a whole test split"):
        submission_frame(predictions(2, [5, 6]), ENTROPY, 0.5, TASKS["rte"])
