"""Outputs of single examples at every operating point, small enough for a page.

As a threshold loosens, an example only ever moves to an earlier exit. So where it exits at each of K operating points
is told by M-1 whole numbers: for each internal exit, the number of operating points at which the example goes beyond
it. The page finds the exit at point k by comparing k with them, exactly, and without exit scores.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cosee.errors import InputError
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import Rule
from cosee.exiting.signals import log_softmax
from cosee.exiting.simulation import exit_layers
from cosee.explorer.pack import Pack

MAX_EXAMPLES = 2000
"""Examples of a split that a page holds; of larger splits it holds every n-th."""

CONFIDENCE_STEPS = 250
"""A confidence is stored in steps of 0.4 points."""


def sampled_examples(num_examples: int, most: int = MAX_EXAMPLES) -> NDArray[np.int64]:
    """Positions of the examples that a page holds: all, or at most `most`, evenly spread [n]."""
    return np.unique(np.linspace(0, num_examples - 1, min(num_examples, most)).round().astype(np.int64))


def exit_steps(outputs: ExitOutputs, rule: Rule, thresholds: ArrayLike) -> NDArray[np.int64]:
    """Number of operating points at which each example goes beyond each internal exit [N, M-1].

    Args:
        outputs: of one model on one split.
        rule: its exit rule.
        thresholds: of the operating points [K], by increasing speed-up.
    """
    layers = exit_layers(outputs.exit_scores(rule), np.atleast_1d(thresholds), rule.harder_is)  # [K, N]
    internal = np.arange(len(outputs.exit_depths) - 1)
    return (layers[:, :, None] > internal).sum(axis=0)


def exits_at(steps: NDArray[np.integer], point: int) -> NDArray[np.int64]:
    """Exit of each example [N], 0-based, at an operating point; what the page computes from `exit_steps`."""
    return (steps > point).sum(axis=1)


def confidences(outputs: ExitOutputs, rule: Rule) -> NDArray[np.int64]:
    """Probability of the class that every exit answers, in steps of 1 / `CONFIDENCE_STEPS` [N, M]."""
    largest = log_softmax(outputs.answer_scores(rule).astype(np.float64)).max(axis=-1)
    return np.rint(CONFIDENCE_STEPS * np.exp(largest)).astype(np.int64)


def model_columns(
    name: str, outputs: ExitOutputs, rule: Rule, points: pd.DataFrame, kept: NDArray[np.int64], pack: Pack
) -> dict[str, Any]:
    """What the page needs of one model of a curve.

    Args:
        name: of the model.
        outputs: on the split.
        rule: exit rule, or the member of its family, that the thresholds belong to.
        points: its rows of the curve, by increasing speed-up.
        kept: positions of the examples that the page holds [n].
        pack: takes the arrays.

    Raises:
        InputError: rows and outputs are not of the same run.
    """
    steps = exit_steps(outputs, rule, points["threshold"])
    _check(name, steps, points["mean_exit_layer"].to_numpy())
    return {
        "model": name,
        "rule": rule.name,
        "steps": pack.add(steps[kept], "u1"),
        "predicted": pack.add(outputs.answers(rule)[kept], "u1"),
        "confidence": pack.add(confidences(outputs, rule)[kept], "u1"),
    }


def _check(name: str, steps: NDArray[np.integer], mean_exit_layers: NDArray[np.float64]) -> None:
    here = [exits_at(steps, point).mean() + 1 for point in range(len(mean_exit_layers))]
    if not np.allclose(here, mean_exit_layers, atol=1e-6):
        raise InputError(
            f"{name}: its trade-off curve does not follow from its stored outputs; build the results again."
        )


def split_columns(outputs: ExitOutputs, rows: pd.DataFrame | None, pack: Pack) -> dict[str, Any]:
    """What all curves on one split of a task share: examples, labels, steps needed, texts.

    Args:
        outputs: of any model on the split.
        rows: columns idx and perhaps text_a, text_b, steps, difficulty of its examples; None: nothing is known.
        pack: takes the arrays.
    """
    kept = sampled_examples(len(outputs.labels))
    known = None if rows is None else rows.set_index("idx").reindex(outputs.idx[kept])
    steps = _steps(outputs, known, kept)
    return {
        "total": len(outputs.labels),
        "count": len(kept),
        "idx": pack.add(outputs.idx[kept], "i4"),
        "labels": pack.add(outputs.labels[kept], "u1"),
        "steps": None if steps is None else pack.add(steps, "u1"),
        "texts": _texts(known),
    }


def _steps(outputs: ExitOutputs, rows: pd.DataFrame | None, kept: NDArray[np.int64]) -> ArrayLike | None:
    """Steps that each example needs: of the outputs, or else of the data, whose older grammar calls them difficulty."""
    found: list[ArrayLike] = [] if outputs.steps is None else [outputs.steps[kept]]
    if rows is not None:
        found += [rows[name] for name in ("steps", "difficulty") if name in rows and rows[name].notna().all()]
    return next((steps for steps in found if (np.asarray(steps) >= 1).all()), None)


def _texts(rows: pd.DataFrame | None) -> Sequence[str] | None:
    """Texts of the examples, the two of a pair in two lines; None if an example is unknown."""
    if rows is None or "text_a" not in rows or rows["text_a"].isna().any():
        return None
    second = rows["text_b"].fillna("") if "text_b" in rows else [""] * len(rows)
    return ["\n".join(filter(None, pair)) for pair in zip(rows["text_a"], second, strict=True)]
