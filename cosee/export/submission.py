"""Predictions for the GLUE server, which has the labels of the test splits: one per example, at one operating point."""

import numpy as np
import pandas as pd

from cosee.data.tasks import Task
from cosee.errors import InputError
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import Rule
from cosee.exiting.simulation import exit_layers, speedup_ratio


def submission_frame(outputs: ExitOutputs, rule: Rule, threshold: float, task: Task) -> tuple[pd.DataFrame, float]:
    """Predictions for a test split, each at the exit of the example.

    Args:
        outputs: outputs of all exits; a static model has one and needs no threshold.
        rule: exit rule.
        threshold: threshold of the rule's scores, chosen on another split.
        task: provides the server's names of the classes.

    Returns:
        Columns index (example number in the original data set, ascending) and prediction; and the speed-up in layers.

    Raises:
        InputError: the examples are not those of a whole split, numbered from 0, as the server expects.
    """
    count = len(outputs.idx)
    if not np.array_equal(np.sort(outputs.idx), np.arange(count)):
        raise InputError(
            f"submission: the {count} examples are not numbered 0 to {count - 1}; expected a whole test split."
        )
    layers = np.zeros(count, dtype=np.int64)
    if len(outputs.exit_depths) > 1:
        layers = exit_layers(outputs.exit_scores(rule), threshold, rule.harder_is)
    predicted = outputs.answers(rule)[np.arange(count), layers]
    frame = pd.DataFrame({"index": outputs.idx, "prediction": np.array(task.submission_labels)[predicted]})
    depths = np.array(outputs.exit_depths)[layers]
    return frame.sort_values("index", ignore_index=True), speedup_ratio(depths - 1, outputs.num_layers)
