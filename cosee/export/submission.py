"""Answers for the GLUE server, which alone has the labels of the test rows: one per row, at one operating point."""

import numpy as np
import pandas as pd

from cosee.data.tasks import Task
from cosee.errors import InputError
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import Rule
from cosee.exiting.simulation import exit_layers, speedup_ratio


def submission_frame(outputs: ExitOutputs, rule: Rule, threshold: float, task: Task) -> tuple[pd.DataFrame, float]:
    """What a model answers for the rows of a test split, each at the exit that it takes.

    Args:
        outputs: outputs of all exits; a static model has one, and needs neither rule nor threshold.
        rule: exit rule.
        threshold: of the rule's scores, chosen on other rows.
        task: says how the server wants its classes to be called.

    Returns:
        Columns index (row number in the original data set, ascending) and prediction; and the speed-up in layers.

    Raises:
        InputError: the rows are not those of a whole split, numbered from 0: the server would refuse them.
    """
    count = len(outputs.idx)
    if not np.array_equal(np.sort(outputs.idx), np.arange(count)):
        raise InputError(
            f"submission: the {count} rows are not numbered 0 to {count - 1}; expected a whole test split."
        )
    layers = np.zeros(count, dtype=np.int64)
    if len(outputs.exit_depths) > 1:
        layers = exit_layers(outputs.exit_scores(rule), threshold, rule.harder_is)
    predicted = outputs.predicted[np.arange(count), layers]
    frame = pd.DataFrame({"index": outputs.idx, "prediction": np.array(task.submission_labels)[predicted]})
    depths = np.array(outputs.exit_depths)[layers]
    return frame.sort_values("index", ignore_index=True), speedup_ratio(depths - 1, outputs.num_layers)
