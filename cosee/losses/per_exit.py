"""Losses over all exits that several methods use in their objectives."""

from torch import Tensor
from torch.nn import functional as F


def exit_cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy (nats) of every example at every exit [B, M], of logits [B, M, C] and labels [B]; in float32."""
    expanded = labels[:, None].expand(logits.shape[:2])
    flat = F.cross_entropy(logits.float().flatten(0, 1), expanded.flatten(), reduction="none")
    return flat.view_as(expanded)


def weighted_mean(losses: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean, a scalar, of the losses of exits [M] with weights [M] of any scale."""
    return (weights * losses).sum() / weights.sum()


def mutual_distillation(logits: Tensor, temperature: float) -> Tensor:
    """Distillation of every exit (student i) from every other (teacher j) [B, M, M], of logits [B, M, C].

    T^2 KL(p_j || p_i) in nats between softened predictions (Hinton et al. 2015), in float32. Teachers are constants: no
    gradient flows into them. The diagonal, i = j, is 0.
    """
    student = F.log_softmax(logits.float() / temperature, dim=-1)[:, :, None]
    teacher = student.detach().transpose(1, 2)
    return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=-1)
