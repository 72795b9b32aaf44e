"""Ensembles of exits by their definition: one example, one exit and one number at a time."""

from math import exp, prod


def probabilities(logits):
    total = sum(exp(x - max(logits)) for x in logits)
    return [exp(x - max(logits)) / total for x in logits]


def mean_of(exits):
    """Mean probabilities of the first m exits, for each m."""
    each = [probabilities(logits) for logits in exits]
    return [[sum(p[c] for p in each[:m]) / m for c in range(len(each[0]))] for m in range(1, len(each) + 1)]


def geometric_of(exits):
    """Geometric means of the probabilities of the first m exits, scaled to sum to one, for each m."""
    each = [probabilities(logits) for logits in exits]
    means = [[prod(p[c] ** (1 / m) for p in each[:m]) for c in range(len(each[0]))] for m in range(1, len(each) + 1)]
    return [[p / sum(mean) for p in mean] for mean in means]


def majority_of(exits):
    """Votes of the first m exits for each class, with their mean probability as one vote more, for each m."""
    predicted = [logits.index(max(logits)) for logits in exits]
    votes = [[predicted[:m].count(c) for c in range(len(exits[0]))] for m in range(1, len(exits) + 1)]
    together = [[v + p for v, p in zip(*each, strict=True)] for each in zip(votes, mean_of(exits), strict=True)]
    return [[v / sum(each) for v in each] for each in together]
