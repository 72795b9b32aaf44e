"""Online signal calibration (OSC): separate the exit signals of easy and of hard examples (Eq. 6-8)."""

from typing import Literal

import torch
from torch import Tensor

from cosee.exiting.signals import Orientation


def signal_calibration_loss(
    signal: Tensor,
    correct: Tensor,
    margin: float,
    harder_is: Orientation,
    average: Literal["present", "all"] = "present",
) -> Tensor:
    """Hinge on the distance between the mean signal of easy and of hard examples, averaged over the internal exits.

    An example is easy at an exit that predicts it correctly, hard at one that does not, so the partition differs
    between exits. An exit with only easy or only hard examples in the batch contributes nothing. The gradient flows
    through the signal means into the heads and the backbone.

    Args:
        signal: exit signals [B, M-1].
        correct: whether each exit is right [B, M-1], bool.
        margin: epsilon of Eq. 7, in units of the signal.
        harder_is: "larger" is Eq. 7 (energy, entropy), "smaller" is Eq. 8 (softmax score).
        average: "present" divides by the number of exits with both easy and hard examples, as the released code does;
            "all" divides by M-1, as printed in Eq. 6.

    Returns:
        Scalar loss, >= 0; 0 if no exit has both easy and hard examples.
    """
    kinds = torch.stack([correct, ~correct]).to(signal.dtype)  # [2, B, M-1]: easy, hard
    counts = kinds.sum(dim=1)
    easy, hard = (signal * kinds).sum(dim=1) / counts.clamp(min=1)
    gap = easy - hard if harder_is == "larger" else hard - easy
    present = (counts.amin(dim=0) > 0).to(signal.dtype)
    hinge = torch.relu(gap + margin) * present
    return hinge.sum() / (present.sum().clamp(min=1) if average == "present" else signal.shape[1])
