"""Early exit against the known depth of examples: mean exit layer, accuracy and premature exits by steps needed.

Generated examples record how many steps their answers take (`ExitOutputs.steps`). Symbols: N examples, M exits.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from cosee.errors import InputError
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import Rule


def frame_by_steps(outputs: ExitOutputs, exits: NDArray[np.integer], rule: Rule | None = None) -> pd.DataFrame:
    """What an exit rule does with examples of each number of steps.

    Args:
        outputs: of all exits, with steps and labels.
        exits: exit that the rule takes, 0-based [N].
        rule: the rule, if it changes answers.

    Returns:
        One row per number of steps: steps, examples, mean_exit_layer, accuracy, and premature: the share of examples
        that are wrong at the exit taken and right at the last one.

    Raises:
        InputError: the examples have no known steps, or there is not one exit per example.
    """
    steps = _known_steps(outputs)
    exits = np.asarray(exits)
    if exits.shape != steps.shape:
        raise InputError(f"Exits of shape {exits.shape} do not fit {len(steps)} examples; expected one per example.")
    right = outputs.answers(rule) == outputs.labels[:, None]
    taken = right[np.arange(len(exits)), exits]
    found = pd.DataFrame(
        {
            "steps": steps,
            "mean_exit_layer": np.asarray(outputs.exit_depths)[exits].astype(np.float64),
            "accuracy": taken.astype(np.float64),
            "premature": (right[:, -1] & ~taken).astype(np.float64),
        }
    )
    means = found.groupby("steps").mean()
    means.insert(0, "examples", found.groupby("steps").size())
    return means.reset_index()


def rank_correlation(exits: NDArray[np.integer], steps: NDArray[np.integer]) -> float:
    """Spearman's rank correlation of exits and steps, tied ranks averaged; NaN if either is the same for all."""
    ranks = [rankdata(values) for values in (exits, steps)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def oracle_depth(right: NDArray[np.bool_], depths: Sequence[int]) -> NDArray[np.float64]:
    """The first number of layers from which on models of the first k layers are right.

    Args:
        right: whether the model of each depth is right about each example [K, N].
        depths: k of each model, rising [K].

    Returns:
        The smallest depth such that this model and all deeper ones are right; NaN where the deepest one is wrong [N].

    Raises:
        InputError: depths do not rise, or are not as many as models.
    """
    right, layers = np.asarray(right, dtype=bool), np.asarray(depths, dtype=np.float64)
    if len(right) != len(layers) or (np.diff(layers) <= 0).any():
        raise InputError(f"depths: {list(depths)} do not fit {len(right)} models; expected one each, rising.")
    from_here = np.logical_and.accumulate(right[::-1], axis=0)[::-1]
    return np.where(from_here[-1], layers[from_here.argmax(axis=0)], np.nan)


def _known_steps(outputs: ExitOutputs) -> NDArray[np.integer]:
    if outputs.steps is None or (outputs.steps <= 0).any():
        raise InputError("steps: the examples do not record how many steps they need; expected generated data.")
    return outputs.steps
