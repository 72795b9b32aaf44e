"""The levels of risk that calibration examples certify for one model, by `ltt`, each with its fastest threshold.

A level holds with the confidence if it was chosen without a look at what it gives.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.risk import losses
from cosee.evaluation.risk_procedures import examples_needed, given_points, smallest_levels, swept_points
from cosee.exiting.rules import Rule
from cosee.exiting.simulation import exit_layers, speedup_ratio

MAX_LEVELS = 200
"""Levels that are kept for a model and a loss; fewer are as safe, and only their thresholds may be slower."""


class CertifiedLevel(NamedTuple):
    """A level that is certified.

    Attributes:
        level: smallest level for which the threshold is certified.
        threshold: the fastest such threshold; None: no early exit.
        speedup: speed-up on the calibration examples, in layers.
    """

    level: float
    threshold: float | None
    speedup: float


def certified_levels(outputs: ExitOutputs, rule: Rule, kind: str, confidence: float) -> list[CertifiedLevel]:
    """Levels below 1 by increasing size, `MAX_LEVELS` at most.

    Args:
        outputs: of the calibration examples.
        rule: exit rule, online.
        kind: loss, one of `cosee.evaluation.risk.LOSSES`.
        confidence: 1 - δ.
    """
    scores, loss = outputs.exit_scores(rule), losses(outputs.answers(rule), outputs.labels, kind)
    if rule.thresholds is None:
        points = swept_points(scores, loss, rule.harder_is)
    else:
        points = given_points([(scores, loss)], rule.thresholds, rule.harder_is)
    levels = smallest_levels(points, confidence)
    fastest = np.flatnonzero(np.append(levels[1:] > levels[:-1], True) & (levels < 1))
    if len(fastest) > MAX_LEVELS:
        fastest = fastest[np.unique(np.linspace(0, len(fastest) - 1, MAX_LEVELS).round().astype(int))]
    exits = exit_layers(scores, points.thresholds[fastest], rule.harder_is)
    speedups = speedup_ratio(exits, outputs.num_layers)
    return [
        CertifiedLevel(
            float(levels[index]),
            None if rule.thresholds is None and speedup == 1 else float(points.thresholds[index]),
            float(speedup),
        )
        for index, speedup in zip(fastest, speedups, strict=True)
    ]


def within(levels: Sequence[CertifiedLevel], level: float) -> CertifiedLevel | None:
    """The fastest entry that is certified for a level; None if there is none."""
    found = [each for each in levels if each.level <= level]
    return found[-1] if found else None


def refusal(level: float, confidence: float, num_examples: int, levels: Sequence[CertifiedLevel]) -> str:
    """The sentence that refuses a level, with the number of examples that would be needed."""
    needed = examples_needed(level, confidence)
    smallest = f"the smallest certified level is {levels[0].level:.4f}" if levels else "no level is certified"
    if num_examples < needed:
        return (
            f"a risk of {level:g} needs {needed:,.0f} calibration examples or more with confidence {confidence:g}, and "
            f"there are {num_examples:,}; {smallest}."
        )
    return (
        f"a risk of {level:g} is certified for no threshold with confidence {confidence:g} on {num_examples:,} "
        f"calibration examples, as the slowest has too many losses there; {smallest}."
    )
