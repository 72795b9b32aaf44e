"""Exit rules: one score per exit from the outputs of the exits so far, compared with a threshold.

A rule may count, compare neighboring exits or read learned scores; like a signal of one exit it ends in a comparison
of a score with a threshold. So every rule is swept, evaluated and used online by the same code. The score of an exit
depends on this exit and those before it alone, never on later ones.

Written for torch tensors and NumPy arrays alike, through the array API.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, log
from types import MappingProxyType

from array_api_compat import array_namespace

from cosee.errors import InputError
from cosee.exiting.signals import SIGNALS, Array, Orientation, Signal, log_softmax

Score = Callable[[Array, Array | None], Array]
"""Logits [N, m, C] and learned scores [N, m] (or None) of the first m exits -> exit scores [N, m]."""

GOLDEN = (5**0.5 - 1) / 2
"""The inverse golden ratio, whose multiples modulo 1 cover [0, 1) most evenly."""


@dataclass(frozen=True)
class Rule:
    """An exit rule and its orientation.

    Attributes:
        name: configuration name; that of a signal for the rule "exit at the first exit whose signal passes".
        label: name as printed in figures.
        score: from the outputs of the first m exits to the scores of the first m exits.
        harder_is: "larger": exit where the score falls below the threshold; "smaller": where it surpasses it.
        range: number of classes C and of exits M -> lowest and highest useful threshold: the range of the finite
            scores (infinite ones never pass).
        thresholds: fixed thresholds of the method; None: any.
        needs_learned_scores: whether the rule reads learned scores.
        is_online: whether an example's score depends on this example alone, so that it can exit before others.
        lookback: number of earlier exits that a score depends on; None: all of them.
    """

    name: str
    label: str
    score: Score
    harder_is: Orientation
    range: Callable[[int, int], tuple[float, float]]
    thresholds: tuple[float, ...] | None = None
    needs_learned_scores: bool = False
    is_online: bool = True
    lookback: int | None = None


def signal_rule(signal: Signal) -> Rule:
    """Rule that exits at the first exit whose signal passes the threshold."""
    return Rule(
        signal.name,
        signal.label,
        lambda logits, scores: signal.score(logits),
        signal.harder_is,
        lambda num_classes, num_exits: signal.range(num_classes),
        lookback=0,
    )


def agreements(logits: Array, scores: Array | None = None) -> Array:
    """Number of consecutive exits, up to each, that agree with the exit before them [N, m]; minus infinity for none.

    PABEE (Zhou et al. 2020) exits when the count reaches its patience P, at exit P+1 at the earliest. P is 1 or more:
    no threshold lets an example exit where the prediction has just changed. As the comparison is strict, a threshold of
    P - 1 is a patience of P.
    """
    xp = array_namespace(logits)
    predicted = xp.argmax(logits, axis=-1)
    counts = xp.zeros_like(logits[..., 0])
    for m in range(1, counts.shape[1]):
        counts[:, m] = (predicted[:, m] == predicted[:, m - 1]) * (counts[:, m - 1] + 1)
    return xp.where(counts > 0, counts, -inf)


def divergences(logits: Array, scores: Array | None = None) -> Array:
    """Jensen-Shannon divergence of each exit's prediction from the one before, over log 2: 0 to 1 [N, m].

    Infinity at the first exit. F-PABEE (Gao et al. 2023).
    """
    xp, log_p = array_namespace(logits), log_softmax(logits)
    before, here = log_p[:, :-1], log_p[:, 1:]
    middle = xp.logaddexp(before, here) - log(2)
    divergence = xp.exp(before) * (before - middle) + xp.exp(here) * (here - middle)
    divergence = xp.clip(xp.sum(divergence, axis=-1) / (2 * log(2)), min=0)  # rounding may give tiny negative values
    return xp.concat([xp.full_like(logits[:, :1, 0], inf), divergence], axis=1)


def consecutive(score: Score, patience: int) -> Score:
    """Hardest of the last `patience` scores, for a score where harder is larger; infinity before there are as many.

    It lies below a threshold if and only if the last `patience` scores all do: the counter of PCEE-BERT (Zhang et al.
    2022) and F-PABEE.
    """

    def hardest(logits: Array, scores: Array | None = None) -> Array:
        values = score(logits, scores)
        xp, length = array_namespace(values), values.shape[1]
        padded = xp.concat([xp.full_like(values[:, :1], inf)] * (patience - 1) + [values], axis=1)
        return xp.max(xp.stack([padded[:, i : i + length] for i in range(patience)]), axis=0)

    return hardest


def learned(logits: Array, scores: Array | None) -> Array:
    """Learned scores of the method, unchanged [N, m]."""
    return scores


def halted(logits: Array, scores: Array | None) -> Array:
    """Probability of having halted by each exit [N, m], from conditional halting probabilities.

    1 - prod_j (1 - lambda_j): the cumulative distribution that PALBERT's Q-exit (Balagansky & Gavrilov 2022) compares
    with a quantile.
    """
    return 1 - array_namespace(scores).cumulative_prod(1 - scores, axis=1)


def sampled(logits: Array, scores: Array | None) -> Array:
    """Probability of having halted by each exit minus the example's own number u in [0, 1); above 0 once halted [N, m].

    PonderNet (Banino et al. 2021) flips a coin with probability lambda at every exit. One uniform number per example
    gives the same distribution of exits (inverse-transform sampling). The numbers are multiples of the golden ratio
    modulo 1: they cover [0, 1) more evenly than random ones and are the same every time, which reduces the variance of
    results.

    The n-th example has the n-th number, so the examples must be those of a whole split.
    """
    xp = array_namespace(scores)
    numbers = xp.arange(1, scores.shape[0] + 1, dtype=xp.float64, device=scores.device)
    return halted(logits, scores) - (numbers * GOLDEN % 1)[:, None]


def _unit(num_classes: int, num_exits: int) -> tuple[float, float]:
    return 0.0, 1.0


def _signed_unit(num_classes: int, num_exits: int) -> tuple[float, float]:
    return -1.0, 1.0


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            *(signal_rule(signal) for signal in SIGNALS.values()),
            Rule("patience", "patience", agreements, "smaller", lambda num_classes, num_exits: (0, num_exits - 1)),
            Rule(
                "pcee",
                "entropy, twice in a row",
                consecutive(signal_rule(SIGNALS["entropy"]).score, 2),
                "larger",
                _unit,
                lookback=1,
            ),
            Rule("fpabee", "divergence, twice in a row", consecutive(divergences, 2), "larger", _unit, lookback=2),
            Rule("uncertainty", "learned uncertainty", learned, "larger", _unit, needs_learned_scores=True, lookback=0),
            Rule("quantile", "halting quantile", halted, "smaller", _unit, needs_learned_scores=True),
            Rule(
                "sampled",
                "sampled exit",
                sampled,
                "smaller",
                _signed_unit,
                thresholds=(0.0,),
                needs_learned_scores=True,
                is_online=False,
            ),
            Rule(
                "policy", "policy", learned, "smaller", _unit, thresholds=(0.5,), needs_learned_scores=True, lookback=0
            ),
        )
    }
)
"""The exit rules by name. A new one is a function and a line here."""


def check_readable(rule: Rule, learns_scores: bool, where: str) -> None:
    """Refuse a rule that reads learned scores for a method that learns none.

    Raises:
        InputError: the rule reads learned scores; the message begins with `where`.
    """
    if rule.needs_learned_scores and not learns_scores:
        raise InputError(f"{where}: learns no scores, which the exit rule {rule.name} reads; choose another rule.")


def check_threshold(threshold: float, rule: Rule, num_classes: int, num_exits: int) -> None:
    """Refuse a threshold outside the range of the scores.

    Raises:
        InputError: the threshold is NaN or outside the range of the rule for C = `num_classes`, M = `num_exits`.
    """
    low, high = rule.range(num_classes, num_exits)
    # "Just beyond the highest score" is a valid threshold (everything exits), hence the last digit is free.
    if not low - 1e-12 <= threshold <= high + 1e-12:
        raise InputError(
            f"threshold {threshold} for the exit rule {rule.name}: with {num_classes} classes its scores lie between "
            f"{low:.4g} and {high:.4g}; choose a threshold in that range."
        )
