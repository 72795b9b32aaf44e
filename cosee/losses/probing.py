"""Targets, class weights and loss of probes that judge whether an exit's answer is safe (LYNX, DYNAMAX)."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

ProbeTarget = Literal["right", "same"]
"""What makes the answer of an exit safe: it is right, or it is that of the last exit, which needs no label."""


def safe_answers(logits: Tensor, labels: Tensor, target: ProbeTarget) -> Tensor:
    """Whether the answer of each internal exit is safe [B, M-1], of logits [B, M, C] and labels [B]; bool."""
    predicted = logits.argmax(dim=-1)
    return predicted[:, :-1] == (labels[:, None] if target == "right" else predicted[:, -1:])


def balanced_weights(positives: Tensor, total: int) -> Tensor:
    """Weights of negative and positive targets of each probe [2, A]: N / (2 n), so that both classes weigh the same.

    Args:
        positives: number of examples with a positive target, per probe [A].
        total: N; a class without examples is given the weight of a class of one.
    """
    counts = torch.stack([total - positives, positives])
    return total / (2 * counts.clamp(min=1))


def probe_loss(log_odds: Tensor, safe: Tensor, weights: Tensor, counted: Tensor) -> Tensor:
    """Weighted binary cross-entropy, a scalar: mean over probes and over the examples that count; 0 if there is none.

    Args:
        log_odds: of a safe answer [B, A].
        safe: whether it is [B, A].
        weights: of negative and positive targets [2, A].
        counted: 1 for examples that count, else 0 [B].
    """
    losses = F.binary_cross_entropy_with_logits(log_odds, safe.float(), reduction="none")
    return masked_mean((losses * torch.where(safe, weights[1], weights[0])).mean(dim=-1), counted)


def masked_mean(losses: Tensor, counted: Tensor) -> Tensor:
    """Mean of the losses of examples [B] over those that count [B], 1 or 0; 0 if there is none."""
    return (losses * counted).sum() / counted.sum().clamp(min=1)
