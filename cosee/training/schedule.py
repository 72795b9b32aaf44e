"""The schedule of a run: the stages of a method, and the numbering of batches, optimizer steps and epochs."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

from cosee.errors import InputError


def everything(name: str) -> bool:
    """Train every parameter, whatever its name."""
    return True


@dataclass(frozen=True)
class Stage:
    """A part of a training run with its own parameters, optimizer and learning-rate schedule.

    Attributes:
        share: of the run's optimizer steps; the shares of all stages add up to 1.
        rate: factor on the run's peak learning rate.
        trains: parameter name -> whether it is trained in this stage; the others do not change at all.
    """

    share: float = 1.0
    rate: float = 1.0
    trains: Callable[[str], bool] = everything


@dataclass(frozen=True)
class Schedule:
    """The order of a run's batches, optimizer steps, epochs and stages; all indices are 0-based.

    Attributes:
        batches_per_epoch: forward passes per epoch.
        epochs: passes over the fit split, all stages together: a method with stages trains no longer than others.
        accumulation: forward passes per optimizer step.
        stages: parts of the run.

    Raises:
        InputError: a stage gets no step, as there are fewer than stages, or shares below 0.
    """

    batches_per_epoch: int
    epochs: int
    accumulation: int = 1
    stages: tuple[Stage, ...] = (Stage(),)

    def __post_init__(self) -> None:
        for stage in range(len(self.stages)):
            begin, end = self.bounds(stage)
            if begin >= end:
                raise InputError(
                    f"training: stage {stage + 1} of {len(self.stages)} gets none of the {self.total_steps} steps; "
                    "train for more epochs or increase its share."
                )

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch."""
        return -(-self.batches_per_epoch // self.accumulation)

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the run."""
        return self.steps_per_epoch * self.epochs

    def step(self, epoch: int, batch: int) -> int:
        """The optimizer step that a batch of an epoch belongs to."""
        return epoch * self.steps_per_epoch + batch // self.accumulation

    def bounds(self, stage: int) -> tuple[int, int]:
        """First optimizer step of a stage, and the one after its last.

        Shares are rounded to whole steps; where that leaves a stage none, it takes one of a neighbor.
        """
        shares = [0.0, *accumulate(stage.share for stage in self.stages)]
        edges = [round(share * self.total_steps) for share in shares]
        if self.total_steps >= len(self.stages) and sorted(shares) == shares:
            for index in range(1, len(edges)):
                edges[index] = max(edges[index], edges[index - 1] + 1)
            for index in range(len(edges)):
                edges[index] = min(edges[index], self.total_steps - (len(self.stages) - index))
        return edges[stage], edges[stage + 1]

    def stage(self, step: int) -> int:
        """The stage that an optimizer step belongs to."""
        return next(stage for stage in range(len(self.stages)) if step < self.bounds(stage)[1])

    def rate(self, step: int, warmup: float) -> float:
        """Factor on the learning rate: in every stage a linear rise over a share `warmup`, then a linear fall."""
        stage = self.stage(step)
        begin, end = self.bounds(stage)
        step, steps = step - begin, end - begin
        rising = round(warmup * steps)
        factor = (step + 1) / rising if step < rising else (steps - step) / max(1, steps - rising)
        return self.stages[stage].rate * factor
