"""Exit rules of which several stand behind one name: a patience or a schedule, chosen on the selection split."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from cosee.evaluation.budget import on_frontier
from cosee.evaluation.curve_frames import selection_curve
from cosee.evaluation.members import members_on
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import Rule

TOLERANCE = 0.02
"""Largest distance from the cost of a target at which a patience is considered, as a share of the encoder's layers."""


@dataclass(frozen=True)
class Choice:
    """Use of one member of a family of rules.

    Attributes:
        rule: the member.
        points: pairs (target speed-up, threshold) for which it was chosen.
        curve: the member with the only thresholds at which it contributes to the trade-off curve of the family; None if
            it does not.
    """

    rule: Rule
    points: list[tuple[float, float]]
    curve: Rule | None


def choose_members(selection: ExitOutputs, rule: Rule, task: str, targets: Iterable[float]) -> list[Choice]:
    """For every target the patience and threshold that are best on the selection split; and the family's curve.

    For each target and each patience the operating point nearest in cost is looked up. Of those that come as near as
    any does, or within `TOLERANCE`, the one with the highest score is taken; of equals the smaller patience. The curve
    of the family consists of full depth and of the operating points on the frontier of the selection split: what they
    realize on another split owes nothing to the labels of that split. Fitted rules are all on the curve.

    Args:
        selection: outputs of one model on the selection split.
        rule: head of a family, such as `pcee`; a rule without a patience is a family of its own.
        task: key of `TASKS`.
        targets: speed-ups.
    """
    rules = {each.name: each for each in members_on(rule, selection)}
    curve = selection_curve(selection, task, rule)
    cost = 1 / curve["speedup"]
    points: dict[str, list[tuple[float, float]]] = {name: [] for name in rules}
    for target in targets:
        miss = (cost - 1 / target).abs()
        nearest = miss.groupby(curve["rule"], sort=False).idxmin()  # of equally near ones the slower
        considered = nearest[miss[nearest].to_numpy() <= max(miss.min(), TOLERANCE)]
        best = curve.loc[considered.iloc[int(np.argmax(curve["score"][considered]))]]
        points[best["rule"]].append((float(target), float(best["threshold"])))
    kept = curve if rule.fit is not None else on_frontier(curve)
    knots = kept.groupby("rule")["threshold"].agg(tuple).to_dict()
    first = next(iter(rules))
    low, high = rules[first].range(selection.logits.shape[-1], len(selection.exit_depths))
    never = low if rule.harder_is == "larger" else high  # full depth on any split, whatever its scores are
    knots[first] = (never, *knots.get(first, ()))
    return [
        Choice(each, points[name], replace(each, thresholds=knots[name]) if name in knots else None)
        for name, each in rules.items()
    ]
