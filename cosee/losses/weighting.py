"""Sample weighting mechanism (SWM): simulated exit layers, and the loss weights around them (Eq. 2-5).

All functions are vectorized over examples, exits and thresholds and run on the device of their inputs without
synchronization. Exit layers are 0-based: M-1 is the last exit.
"""

import torch
from torch import Tensor

from cosee.exiting.signals import Orientation


@torch.no_grad()
def simulate_exits(signal: Tensor, thresholds: Tensor, harder_is: Orientation) -> Tensor:
    """First exit whose signal passes each threshold, M-1 if none does.

    Thresholding has no gradient, so the exit layers, and the loss weights made of them, are constants of the step.

    Args:
        signal: exit signals of the internal exits [B, M-1].
        thresholds: K thresholds [K].
        harder_is: "larger": an example exits where its signal falls below the threshold; "smaller": where it surpasses
            it.

    Returns:
        Exit layers [K, B], int64, 0-based.
    """
    easy = (
        signal[None] < thresholds[:, None, None] if harder_is == "larger" else signal[None] > thresholds[:, None, None]
    )
    # A column of True stands for the last exit; argmax gives the first True of each row.
    last = torch.ones_like(easy[..., :1])
    return torch.cat([easy, last], dim=-1).to(torch.uint8).argmax(dim=-1)


@torch.no_grad()
def sample_weights(exit_layers: Tensor, num_layers: int, beta: float | Tensor) -> Tensor:
    """Loss weights of every example at every exit, averaged over the thresholds (Eq. 3, 5).

    For one threshold the weight of exit m is softmax_m(-beta * |m - m*|), where m* is the exit layer. The mean over
    thresholds may be taken here rather than over the K losses (Eq. 5): cross-entropy does not depend on the threshold.

    Args:
        exit_layers: exit layers m* [K, B], 0-based.
        num_layers: M.
        beta: decay factor beta_t of the step; 0 gives 1/M everywhere, large values approach one-hot weights.

    Returns:
        Weights [B, M]; each row sums to 1.
    """
    layers = torch.arange(num_layers, dtype=torch.float32, device=exit_layers.device)
    table = torch.softmax(-beta * (layers[:, None] - layers).abs(), dim=-1)  # [M, M]: a row per exit layer
    return table[exit_layers].mean(dim=0)


def batch_mean_weights(weights: Tensor) -> Tensor:
    """Weights without consistency: every example gets the mean over the batch, so each exit keeps its total weight.

    Args:
        weights: weights of every example [N, M].

    Returns:
        Weights [N, M] with equal rows; each row sums to 1 where the given ones do.
    """
    return weights.mean(dim=0, keepdim=True).expand_as(weights)


def weighted_cross_entropy(cross_entropy: Tensor, weights: Tensor) -> Tensor:
    """Loss of Eq. 2 and 5: mean over examples of the weighted sum over exits; [B, M], [B, M] -> scalar."""
    return (weights * cross_entropy).sum(dim=1).mean()
