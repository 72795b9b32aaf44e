"""Stored outputs of a trained model: logits of every exit for every example of a split.

Everything after prediction (thresholds, curves, DIS, histograms, tables) is a function of these files.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cosee.errors import InputError
from cosee.exiting.rules import Rule
from cosee.io import load_arrays, save_arrays

if TYPE_CHECKING:  # nothing after the logits imports torch
    from cosee.data.tokens import TokenSplit
    from cosee.models.multi_exit import MultiExitModel
    from cosee.models.prediction import Predicted


@dataclass(frozen=True, eq=False)
class ExitOutputs:
    """Outputs of all exits for one split.

    Attributes:
        logits: [N, M, C], float32 or float64.
        labels: label ids [N]; -1 where they are not public.
        idx: example numbers in the original data set [N].
        num_layers: depth of the full backbone, the cost that speed-ups are relative to.
        exit_depths: layer after which each exit sits, 1-based [M]: 1..M, or the single depth k of a truncated model.
        exit_costs: cost of each exit [M] in encoder layers, the exits visited on the way included.
        learned_scores: scores that the method has learned for its exits [N, M]; None if it learns none.
        steps: number of facts that each answer takes [N], in generated data; None elsewhere.

    Raises:
        InputError: the shapes do not fit together.
    """

    logits: NDArray[np.floating]
    labels: NDArray[np.integer]
    idx: NDArray[np.integer]
    num_layers: int
    exit_depths: tuple[int, ...]
    exit_costs: tuple[float, ...]
    learned_scores: NDArray[np.floating] | None = None
    steps: NDArray[np.integer] | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.logits)
        if len(shape) != 3 or {shape[0]} != {len(self.labels), len(self.idx)} or shape[1] != len(self.exit_depths):
            raise InputError(
                f"Logits of shape {shape} do not fit {len(self.labels)} labels, {len(self.idx)} example numbers and "
                f"{len(self.exit_depths)} exits; expected [N, M, C]."
            )
        if self.steps is not None and len(self.steps) != shape[0]:
            raise InputError(f"Steps of {len(self.steps)} examples do not fit logits of shape {shape}.")
        if self.learned_scores is not None and np.shape(self.learned_scores) != shape[:2]:
            raise InputError(
                f"Learned scores of shape {np.shape(self.learned_scores)} do not fit logits of shape {shape}."
            )

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Predicted label ids of all exits [N, M]."""
        return self.logits.argmax(axis=-1)

    def answer_scores(self, rule: Rule | None) -> NDArray[np.floating]:
        """Scores of the classes by which each exit answers [N, M, C]: without a rule, and for most, the logits."""
        if rule is None or rule.answer is None:
            return self.logits
        return rule.answer(self.logits.astype(np.float64))

    def answers(self, rule: Rule | None) -> NDArray[np.int64]:
        """Label ids that each exit answers [N, M]."""
        return self.answer_scores(rule).argmax(axis=-1)

    def exit_scores(self, rule: Rule) -> NDArray[np.float64]:
        """Scores of the internal exits [N, M-1] in float64, as confident scores differ in digits that float32 lacks.

        Raises:
            InputError: the rule reads learned scores, and there are none.
        """
        if rule.needs_learned_scores and self.learned_scores is None:
            raise InputError(
                f"exit rule {rule.name}: reads learned scores, which the model does not have; choose another rule."
            )
        learned = None if self.learned_scores is None else self.learned_scores[:, :-1].astype(np.float64)
        return rule.score(self.logits[:, :-1].astype(np.float64), learned)


def save_outputs(path: str | Path, outputs: ExitOutputs) -> None:
    """Write outputs to an .npz file, whole or not at all."""
    # vars() keeps file and class in step: a field added to the class is a field of the file.
    fields = {name: value for name, value in vars(outputs).items() if value is not None}
    save_arrays(path, {name: np.asarray(value) for name, value in fields.items()})


def load_outputs(path: str | Path) -> ExitOutputs:
    """Read a file of `save_outputs`.

    Raises:
        InputError: the file is missing, truncated, corrupt or of another kind.
    """
    arrays = load_arrays(path)
    try:
        per_exit = {name: tuple(arrays.pop(name).tolist()) for name in ("exit_depths", "exit_costs")}
        outputs = ExitOutputs(**arrays | per_exit | {"num_layers": int(arrays["num_layers"])})
        _check_values(outputs)
        return outputs
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: not a file of exit outputs ({error}); delete it and run the prediction again."
        ) from error


def _check_values(outputs: ExitOutputs) -> None:
    """Check types and values that no prediction gives.

    Raises:
        InputError: there is no example, an array is of another type, or a label or a cost is impossible.
    """
    count, _, classes = outputs.logits.shape
    if not count:
        raise InputError("it has no examples")
    known = [] if outputs.steps is None else [outputs.steps]
    kinds = [array.dtype.kind for array in (outputs.logits, outputs.labels, outputs.idx, *known)]
    if kinds[0] != "f" or not set(kinds[1:]) <= {"i", "u"}:
        raise InputError("its arrays are of other types")
    if not -1 <= outputs.labels.min() <= outputs.labels.max() < classes:
        raise InputError(f"it has labels from {outputs.labels.min()} to {outputs.labels.max()} of {classes} classes")
    depths, costs = np.asarray(outputs.exit_depths), np.asarray(outputs.exit_costs)
    if not 1 <= depths.min() <= depths.max() <= outputs.num_layers or (np.diff(depths) <= 0).any():
        raise InputError(f"its exits {outputs.exit_depths} are none of {outputs.num_layers} layers")
    if len(costs) != len(depths) or not (np.isfinite(costs) & (costs > 0)).all():
        raise InputError(f"its {len(depths)} exits have the costs {outputs.exit_costs}")


def exit_outputs(model: "MultiExitModel", predicted: "Predicted", rows: "TokenSplit", num_layers: int) -> ExitOutputs:
    """Outputs for all examples of a split, with labels and costs; `num_layers` is the depth of the full backbone."""
    costs = model.exit_costs(float(rows.lengths.mean()))
    return ExitOutputs(
        predicted.logits,
        rows.labels,
        rows.idx,
        num_layers,
        model.exit_depths,
        costs,
        predicted.learned_scores,
        rows.steps,
    )
