"""Settings of a training run that do not depend on its method."""

from dataclasses import dataclass
from typing import Literal

from cosee.errors import InputError
from cosee.ranges import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, check_ranges


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training run that do not depend on its method.

    Attributes:
        learning_rate: peak rate of AdamW.
        head_factor: learning rate of what is trained from scratch, the heads and a fresh pooler, in multiples of that
            of the encoder.
        batch_size: examples per optimizer step.
        epochs: passes over the fit split.
        warmup: share of the steps with a linearly rising rate; the rate then falls linearly to 0.
        weight_decay: on all weights but biases and those of norms.
        clip: largest gradient norm.
        accumulation: forward passes per optimizer step, of equal size.
        precision: "fp32", or "bf16" for autocast in the encoder; heads and losses are fp32 in either.
        checkpoint: "best" keeps the epoch with the highest selection score, "last" the final weights.
        eval_batch_size: examples per batch in evaluation.
        save_minutes: time between two saves of the state from which a killed run resumes.

    Raises:
        InputError: a setting is out of its range, or accumulation does not divide the batch size.
    """

    learning_rate: PositiveFloat
    batch_size: PositiveInt
    epochs: PositiveInt
    warmup: Fraction = 0.0
    head_factor: PositiveFloat = 1.0
    weight_decay: NonNegativeFloat = 0.0
    clip: PositiveFloat = 1.0
    accumulation: PositiveInt = 1
    precision: Literal["fp32", "bf16"] = "fp32"
    checkpoint: Literal["best", "last"] = "best"
    eval_batch_size: PositiveInt = 64
    save_minutes: NonNegativeFloat = 5.0

    def __post_init__(self) -> None:
        check_ranges(TrainingSettings, vars(self), "training")
        if self.batch_size % self.accumulation:
            raise InputError(
                f"training: a batch of {self.batch_size} examples cannot be split into {self.accumulation} passes of "
                "equal size; choose an accumulation that divides batch_size."
            )
