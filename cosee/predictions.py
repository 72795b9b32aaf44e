"""What a trained model leaves behind: the logits of every exit for every row of a split.

Everything after prediction (thresholds, curves, DIS, histograms, tables) is a function of this file.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosee.errors import InputError
from cosee.io import load_arrays, save_arrays
from cosee.signals import Signal


@dataclass(frozen=True, eq=False)
class Predictions:
    """Logits of all exits for one split.

    Attributes:
        logits: [N, M, C], float32 or float64.
        labels: label ids [N]; -1 where they are not public.
        idx: row numbers in the original data set [N].
        num_layers: depth of the full backbone, the cost that speed-ups are relative to.
        exit_depths: layer after which each exit sits, 1-based [M]: 1..M, or the single depth k of a truncated model.

    Raises:
        InputError: if the shapes do not fit together.
    """

    logits: NDArray[np.floating]
    labels: NDArray[np.integer]
    idx: NDArray[np.integer]
    num_layers: int
    exit_depths: tuple[int, ...]

    def __post_init__(self) -> None:
        shape = np.shape(self.logits)
        if len(shape) != 3 or {shape[0]} != {len(self.labels), len(self.idx)} or shape[1] != len(self.exit_depths):
            raise InputError(
                f"logits of shape {shape} do not fit {len(self.labels)} labels, {len(self.idx)} row numbers and "
                f"{len(self.exit_depths)} exits; they must be [N, M, C]"
            )

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Predicted label ids of all exits [N, M]."""
        return self.logits.argmax(axis=-1)

    def scores(self, signal: Signal) -> NDArray[np.float64]:
        """Exit signal of the internal exits [N, M-1], in float64: confident scores differ in digits float32 lacks."""
        return signal.score(self.logits[:, :-1].astype(np.float64))


def save_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write predictions to an .npz file, whole or not at all."""
    # vars() keeps file and class in step: a field added to the class is a field of the file.
    save_arrays(path, {name: np.asarray(value) for name, value in vars(predictions).items()})


def load_predictions(path: str | Path) -> Predictions:
    """Read what `save_predictions` wrote.

    Raises:
        InputError: the file is missing, truncated, corrupt or of another kind.
    """
    arrays = load_arrays(path)
    try:
        depths, num_layers = arrays.pop("exit_depths"), arrays.pop("num_layers")
        return Predictions(**arrays, num_layers=int(num_layers), exit_depths=tuple(depths.tolist()))
    except (KeyError, TypeError, InputError) as error:
        raise InputError(f"{path}: holds no predictions ({error}); delete it and run the prediction again.") from error
