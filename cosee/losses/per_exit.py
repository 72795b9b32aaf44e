"""Losses over all exits that the objectives of several methods are made of."""

from torch import Tensor
from torch.nn import functional as F


def exit_cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy (nats) of every sample at every exit [B, M], of logits [B, M, C] and labels [B]; in float32."""
    expanded = labels[:, None].expand(logits.shape[:2])
    flat = F.cross_entropy(logits.float().flatten(0, 1), expanded.flatten(), reduction="none")
    return flat.view_as(expanded)


def weighted_mean(losses: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean, a scalar, of the losses of exits [M] with weights [M] of any scale."""
    return (weights * losses).sum() / weights.sum()


def mutual_distillation(logits: Tensor, temperature: float) -> Tensor:
    """How far every exit (student i) is from every exit (teacher j) on every sample [B, i, j], of logits [B, M, C].

    T^2 KL(p_j || p_i) in nats between softened predictions (Hinton et al. 2015), in float32. Teachers are constants: an
    exit learns from the others without drawing them towards itself. An exit is no teacher of its own: 0 for i = j.
    """
    student = F.log_softmax(logits.float() / temperature, dim=-1)[:, :, None]
    teacher = student.detach().transpose(1, 2)
    return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=-1)
