"""What all data frames of results share: the identity of a run, its columns, and the answers and scores they count.

A frame is built from stored outputs, by one function per kind of file: trade-off curves (`curve_frames`), scores at
thresholds (`point_frames`), measures of every exit (`exit_frames`). Every function takes the identity of a run
(`RunId`), its outputs on one split and the split's name, and returns a long frame; frames can be concatenated over
runs, splits and exit rules. Layers are 1-based in these frames, scores lie in 0..1.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosee.errors import InputError
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import Rule

NO_RULE = "none"
"""Value of the column `exit_rule` in rows without an exit rule: static models, the oracle."""

RANDOM, ORACLE, STATIC = CONTROLS = ("random", "oracle", "static")
"""The controls, which stand in the column `variant` too: exits at random, by an oracle, and models of k layers."""

IDENTITY = ("task", "backbone", "variant", "seed", "split", "model")
"""Columns that every frame of results begins with."""
CURVE = (*IDENTITY, "exit_rule", "threshold", "speedup", "score")
"""Columns of a trade-off curve that tables read."""
TARGET = (*IDENTITY, "exit_rule", "target_speedup", "speedup", "score")
"""Columns of scores at target speed-ups that tables read."""

Thresholds = Iterable[tuple[float, float]]
"""Pairs of a target speed-up (NaN for a threshold that was given) and a threshold."""


@dataclass(frozen=True)
class RunId:
    """Identity of a run, which every row of a result carries.

    Attributes:
        task: key of `TASKS`.
        backbone: key of the backbone.
        variant: key of the variant, or one of `CONTROLS`.
        seed: seed of the run.
        model: name of the run: a variant may have several models, one per operating point.
    """

    task: str
    backbone: str
    variant: str
    seed: int
    model: str


def answers_and_labels(
    outputs: ExitOutputs, split: str, rule: Rule | None = None
) -> tuple[NDArray[np.int64], NDArray[np.integer]]:
    """Label ids that all exits answer [N, M], by a rule if one is given, and labels [N]."""
    if (outputs.labels < 0).any():
        raise InputError(f"Split {split!r} has examples without a label; it can be predicted, but not evaluated.")
    if not np.isfinite(outputs.logits).all():
        raise InputError(f"The logits of split {split!r} contain NaN or inf: training diverged. Choose another run.")
    return outputs.answers(rule), outputs.labels


def internal_scores(outputs: ExitOutputs, rule: Rule) -> NDArray[np.float64]:
    """Scores of the internal exits [N, M-1] of a model with an exit after every layer."""
    if outputs.exit_depths != tuple(range(1, outputs.num_layers + 1)):
        raise InputError(
            f"The model has exits after layers {outputs.exit_depths} of {outputs.num_layers}; exit rules are evaluated "
            "on models with an exit after every layer."
        )
    return outputs.exit_scores(rule)


def rule_name(rule: Rule | None) -> str:
    """Value of the column `exit_rule`."""
    return NO_RULE if rule is None else rule.family


def identified(frame: pd.DataFrame, run: RunId, split: str, exit_rule: str | None = None) -> pd.DataFrame:
    """The frame after the columns task, backbone, variant, (exit_rule,) seed, split, model."""
    identity = {"task": run.task, "backbone": run.backbone, "variant": run.variant}
    identity |= {} if exit_rule is None else {"exit_rule": exit_rule}
    identity |= {"seed": run.seed, "split": split, "model": run.model}
    return pd.concat([pd.DataFrame(identity, index=frame.index), frame], axis=1)
