"""Position of a run in progress, and its history: one row of scalars per optimizer step."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cosee.errors import DivergedError
from cosee.training.schedule import Schedule
from cosee.training.settings import TrainingSettings


@dataclass
class Position:
    """Position of a run in progress: everything besides weights and optimizer that is needed to resume it."""

    epoch: int = 0
    batch: int = 0  # finished batches of this epoch
    stage: int = -1  # the one whose optimizer is in use; -1 before the first step
    seconds: float = 0.0  # spent in this run before the last save


def history_rows(
    pending_scalars: list[dict[str, Tensor]],
    order: list[np.ndarray],
    position: Position,
    schedule: Schedule,
    settings: TrainingSettings,
) -> list[dict[str, Any]]:
    """History rows, one per optimizer step, of the scalars of the last batches, copied to the host all at once.

    Raises:
        DivergedError: a loss among them is not a finite number.
    """
    if not pending_scalars:
        return []
    names = list(pending_scalars[0])
    on_device = torch.stack([torch.stack([batch[name].float() for name in names]) for batch in pending_scalars])
    values = on_device.cpu().numpy()  # the only synchronization
    first = position.batch - len(pending_scalars)
    bad = np.flatnonzero(~np.isfinite(values[:, names.index("loss")]))
    if len(bad):
        index = first + int(bad[0])
        step = schedule.step(position.epoch, index) + 1
        shown = ", ".join(map(str, order[index][:8])) + (", …" if len(order[index]) > 8 else "")
        raise DivergedError(
            f"training: the loss of step {step} (epoch {position.epoch + 1}, batch {index + 1} of {len(order)}, "
            f"examples {shown}) is not a finite number; "
            "lower the learning rate, or check these examples of the fit split."
        )
    rows = []
    for begin in range(0, len(values), settings.accumulation):
        step = schedule.step(position.epoch, first + begin)
        rate = settings.learning_rate * schedule.rate(step, settings.warmup)
        means = values[begin : begin + settings.accumulation].mean(axis=0).astype(float)
        scalars = dict(zip(names, means.tolist(), strict=True))
        rows.append({"step": step + 1, "epoch": position.epoch + 1, "lr": rate, **scalars})
    return rows
