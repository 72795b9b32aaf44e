"""Losses over all exits that the objectives of several methods are made of."""

from torch import Tensor
from torch.nn import functional as F


def exit_cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy (nats) of every sample at every exit [B, M], of logits [B, M, C] and labels [B]; in float32."""
    expanded = labels[:, None].expand(logits.shape[:2])
    flat = F.cross_entropy(logits.float().flatten(0, 1), expanded.flatten(), reduction="none")
    return flat.view_as(expanded)
