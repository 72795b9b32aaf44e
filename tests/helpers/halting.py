"""Helpers for tests of halting methods."""

import math

import numpy as np
import torch
from helpers.objectives import M

from cosee.models.heads import Outputs


class FakeModel:
    """A model whose logits [N, M, C] and lambdas [N, M] are given."""

    def __init__(self, logits, lambdas):
        self.given = Outputs(logits, lambdas)

    def outputs(self, batch):
        return self.given


def random_lambdas(seed=0, samples=8):
    return torch.rand(samples, M, generator=torch.Generator().manual_seed(seed))


def loss_by_loops(logits, lambdas, labels, lambda_p, kl, last_takes_rest):
    """One sample and one exit at a time, in probabilities: expected cross-entropy, divergence, mean exit, mass."""
    total = np.zeros(4)
    for row, probabilities, label in zip(logits.double().tolist(), lambdas.double().tolist(), labels, strict=True):
        stay = prior_stay = 1.0
        for m, (f, probability) in enumerate(zip(row, probabilities, strict=True)):
            last = m == M - 1
            p = stay if last and last_takes_rest else stay * probability
            prior = prior_stay if last else prior_stay * lambda_p
            stay, prior_stay = stay * (1 - probability), prior_stay * (1 - lambda_p)
            cross_entropy = math.log(sum(math.exp(x) for x in f)) - f[label]
            divergence = p * math.log(p / prior) if kl == "paper" else prior * math.log(prior / p)
            total += [p * cross_entropy, divergence, p * (m + 1), p]
    return total / len(logits)
