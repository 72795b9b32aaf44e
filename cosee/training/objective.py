"""Objectives: the interface between the training loop and the methods."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor

from cosee.data.batches import Batch, DeviceSplit
from cosee.models.multi_exit import MultiExitModel


class Objective(ABC):
    """The loss minimized in one training run; it may carry state from step to step."""

    @abstractmethod
    def __call__(self, model: MultiExitModel, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss (scalar) of a batch, and scalars for the history, among them `mean_ce`, without synchronization.

        `mean_ce` is the plain mean of the cross-entropies of all exits, by which objectives can be compared. The loop
        detaches the scalars. `step` is the optimizer step of the run, 0-based.
        """

    def begin_stage(self, stage: int, model: MultiExitModel, fit: DeviceSplit) -> None:  # noqa: B027 (most objectives need none)
        """Called before the first step of every stage, but not when a run resumes within one."""

    def end_epoch(self) -> None:  # noqa: B027 (most objectives need none)
        """Called after the last step of every epoch."""

    def state(self) -> dict[str, Tensor]:
        """State to be saved, by name."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:  # noqa: B027 (most objectives need none)
        """Restore the state that `state` returned."""
