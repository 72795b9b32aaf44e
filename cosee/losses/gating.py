"""Gates and exits that are learned together (JEI-DNN, Regol et al. 2024): features, targets, exact gates, head losses.

A gate decides from four numbers of an exit's logits whether to exit there. Given those numbers it is a logistic
regression with five unknowns, so the best gates are computed rather than approached by gradient steps.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

NUM_FEATURES = 4
"""Numbers of an exit's logits that its gate reads."""

RIDGE = 1e-4
"""Weight of the squared norm of a gate's parameters, which keeps gates finite where all targets are equal."""

HeadWeights = Literal["paper", "released", "none"]
"""Weights of the exits in the loss of the heads: see `head_loss`."""


def gate_features(logits: Tensor) -> Tensor:
    """What gates read of logits [..., C]: four features [..., 4] in float32, without gradient.

    The largest probability, the entropy in nats, the gap between the two largest probabilities, and the entropy of
    p^2 / sum p^2. With two classes all of them are functions of one number.
    """
    log_p = F.log_softmax(logits.detach().float(), dim=-1)
    log_escort = F.log_softmax(2 * log_p, dim=-1)
    first, second = log_p.exp().topk(2, dim=-1).values.unbind(dim=-1)
    return torch.stack([first, _entropy(log_p), first - second, _entropy(log_escort)], dim=-1)


def _entropy(log_p: Tensor) -> Tensor:
    return -(log_p.exp() * log_p).sum(dim=-1)


def exit_probabilities(gates: Tensor) -> Tensor:
    """Probability of exiting at every exit [B, M], of the gates [B, M-1]: they take their parts of a stick of length 1.

    P_l = max(0, min(g_l, 1 - sum_{j<l} g_j)); the last exit takes the rest.
    """
    taken_until = gates.cumsum(dim=-1).clamp(max=1)
    return torch.cat([taken_until, torch.ones_like(gates[:, :1])], dim=-1).diff(
        dim=-1, prepend=torch.zeros_like(gates[:, :1])
    )


def best_exits(cross_entropy: Tensor, costs: Tensor, price: float) -> Tensor:
    """Exit of least cross-entropy plus price times cost, the last one included [N], 0-based; of equals the earliest.

    Args:
        cross_entropy: of every exit [N, M], in nats.
        costs: of every exit as a share of that of the last one [M].
        price: lambda, in nats for the whole encoder.
    """
    return (cross_entropy + price * costs).argmin(dim=-1)


def gate_targets(best: Tensor, num_exits: int) -> Tensor:
    """Whether each gate should let an example exit [N, M-1]: 1 from its best exit [N] on, 0 before; float32."""
    return (torch.arange(num_exits - 1, device=best.device) >= best[:, None]).float()


def positive_weights(best: Tensor, num_exits: int, largest: float) -> Tensor:
    """Weight of each gate's positive targets [M-1]: min((N - n_l) / n_l, largest), all above 0.

    As in the released code n_l counts the examples whose best exit is exactly l, although the targets are cumulative.
    A count of 0 or N is taken for 1 or N - 1.
    """
    counts = (best[:, None] == torch.arange(num_exits - 1, device=best.device)).sum(dim=0).float()
    others = (len(best) - counts).clamp(min=1)
    return (others / counts.clamp(min=1)).clamp(max=largest)


def gate_loss(log_odds: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Binary cross-entropy of every gate with its targets [M-1], mean over examples.

    Args:
        log_odds: of exiting at the internal exits [B, M-1].
        targets: of the gates [B, M-1].
        weights: of the positive targets of each gate [M-1].
    """
    return F.binary_cross_entropy_with_logits(log_odds, targets, pos_weight=weights, reduction="none").mean(dim=0)


def solve_gates(
    features: Tensor, targets: Tensor, weights: Tensor, start: Tensor | None = None, steps: int = 100
) -> tuple[Tensor, Tensor]:
    """The gates with the least `gate_loss` plus RIDGE / 2 times their squared norm: Newton's method in float64.

    The objective of each gate is strictly convex, so its minimum does not depend on the start.

    Args:
        features: of every internal exit [N, M-1, 4].
        targets: of the gates [N, M-1].
        weights: of the positive targets [M-1].
        start: parameters to start from [M-1, 5], the bias last; None: zeros.
        steps: at most so many.

    Returns:
        Weights [M-1, 4] and biases [M-1] in float64.
    """
    inputs = F.pad(features.double(), (0, 1), value=1.0).transpose(0, 1)  # [M-1, N, 5]
    targets, weights = targets.double().T, weights.double()[:, None]
    size = inputs.shape[-1]
    parameters = inputs.new_zeros(len(inputs), size) if start is None else start.double().clone()
    identity = RIDGE * torch.eye(size, dtype=torch.float64, device=inputs.device)

    def objective(at: Tensor) -> Tensor:
        log_odds = torch.einsum("mnk,mk->mn", inputs, at)
        losses = gate_loss(log_odds.T, targets.T, weights[:, 0])
        return losses + RIDGE / 2 * at.square().sum(dim=-1)

    for _ in range(steps):
        probability = torch.einsum("mnk,mk->mn", inputs, parameters).sigmoid()
        positive, negative = weights * targets, 1 - targets
        slope = (negative * probability - positive * (1 - probability)) / inputs.shape[1]
        gradient = torch.einsum("mn,mnk->mk", slope, inputs) + RIDGE * parameters
        if gradient.norm(dim=-1).max() < 1e-10:
            break
        curvature = (positive + negative) * probability * (1 - probability) / inputs.shape[1]
        hessian = torch.einsum("mnk,mn,mnj->mkj", inputs, curvature, inputs) + identity
        step = torch.linalg.solve(hessian, gradient)
        # Halve the steps of gates that it does not improve; near the minimum rounding hides the improvement.
        before, decrease = objective(parameters), (gradient * step).sum(dim=-1)
        length = torch.ones_like(before)
        for _ in range(40):
            after = objective(parameters - length[:, None] * step)
            fails = after > before - 1e-4 * length * decrease + 1e-13
            if not fails.any():
                break
            length = torch.where(fails, length / 2, length)
        parameters = parameters - length[:, None] * step
    return parameters[:, :-1], parameters[:, -1]


def head_loss(cross_entropy: Tensor, probabilities: Tensor, weights: HeadWeights) -> Tensor:
    """Loss of the heads under given gates, a scalar: the mean over examples and exits of r P_l CE_l.

    The ratio r = sum_l CE_l / sum_l P_l CE_l of an example brings its loss back to the scale of the unweighted one.

    Args:
        cross_entropy: of E exits [B, E].
        probabilities: of exiting there [B, E], without gradient.
        weights: "paper": the ratio is a constant, so exits learn from the examples that they get; "released": as the
            released code has it, gradient flows through the ratio, which cancels the weights exactly; "none": no
            weights, r P_l = 1.
    """
    if weights == "none":
        return cross_entropy.mean()
    weighted = probabilities * cross_entropy
    ratio = cross_entropy.sum(dim=-1, keepdim=True) / weighted.sum(dim=-1, keepdim=True).clamp(min=1e-12)
    return (weighted * (ratio if weights == "released" else ratio.detach())).mean()
