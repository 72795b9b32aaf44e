"""The exit layer as a random variable: halting distributions, their prior, and their divergence.

PonderNet (Banino et al. 2021) and PALBERT (Balagansky & Gavrilov 2022). Everything is in log space, where the product
of many small probabilities neither underflows nor has an infinite gradient.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def log_halting_distribution(lambdas: Tensor, last_takes_rest: bool) -> Tensor:
    """Logarithm of p_m = lambda_m * prod_{j<m} (1 - lambda_j), the probability of halting at exit m [B, M].

    Args:
        lambdas: probabilities lambda_m of halting at an exit, given no halt before it [B, M]; clamped to a distance of
            the floating-point precision from 0 and 1.
        last_takes_rest: whether the last exit takes all the remaining probability, so that p sums to 1; if not, the
            tail prod_j (1 - lambda_j) is missing.
    """
    precision = torch.finfo(lambdas.dtype).eps
    lambdas = lambdas.clamp(precision, 1 - precision)
    stayed = F.pad(torch.log1p(-lambdas).cumsum(dim=-1)[:, :-1], (1, 0))  # before each exit
    log_p = stayed + lambdas.log()
    return torch.cat([log_p[:, :-1], stayed[:, -1:]], dim=-1) if last_takes_rest else log_p


def log_geometric_prior(lambda_p: float, like: Tensor) -> Tensor:
    """Logarithm of the geometric distribution with parameter `lambda_p`, truncated to the exits of `like` [B, M].

    It is the halting distribution of a constant lambda whose last exit takes the remainder, so that it sums to 1.
    """
    return log_halting_distribution(torch.full_like(like, lambda_p), last_takes_rest=True)


def kl_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q) in nats of log-probabilities [B, M] -> [B]; can be negative only where p sums to less than 1."""
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)
