"""Exit rules: one score per exit from the outputs of the exits so far, compared with a threshold.

A rule may count, compare neighboring exits or read learned scores; like a signal of one exit it ends in a comparison
of a score with a threshold. So every rule is swept, evaluated and used online by the same code. The score of an exit
depends on this exit and those before it alone, never on later ones.

Written for torch tensors and NumPy arrays alike, through the array API.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
        family: name under which results are filed; that of the rule, but for the members of `FAMILIES`.
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
    family: str = ""

    def __post_init__(self) -> None:
        if not self.family:
            object.__setattr__(self, "family", self.name)


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


def gated(logits: Array, scores: Array | None) -> Array:
    """Probability of exiting at each exit, if none before was taken [N, m], of gates that share a stick of length 1.

    JEI-DNN (Regol et al. 2024): the stick's parts P_l = max(0, min(g_l, 1 - sum_{j<l} g_j)) are the probabilities of
    exiting, so gates of 0.4 and 0.4 exit at the second exit, with 0.4 / 0.6, although none of them is above one half.
    Once the stick is used up the value is 1.
    """
    xp = array_namespace(scores)
    until = xp.clip(xp.cumulative_sum(scores, axis=1), max=1)
    before = xp.concat([xp.zeros_like(until[:, :1]), until[:, :-1]], axis=1)
    left = 1 - before
    return xp.where(left > 0, (until - before) / xp.where(left > 0, left, 1), 1.0)


def _unit(num_classes: int, num_exits: int) -> tuple[float, float]:
    return 0.0, 1.0


def _signed_unit(num_classes: int, num_exits: int) -> tuple[float, float]:
    return -1.0, 1.0


def pcee(patience: int) -> Rule:
    """Exit where the entropy was low at `patience` exits in a row: PCEE-BERT (Zhang et al. 2022)."""
    score, label = consecutive(signal_rule(SIGNALS["entropy"]).score, patience), f"entropy, {patience} in a row"
    return Rule(f"pcee-{patience}", label, score, "larger", _unit, lookback=patience - 1, family="pcee")


def fpabee(patience: int) -> Rule:
    """Exit where the divergence was small at `patience` exits in a row: F-PABEE (Gao et al. 2023)."""
    score, label = consecutive(divergences, patience), f"divergence, {patience} in a row"
    return Rule(f"fpabee-{patience}", label, score, "larger", _unit, lookback=patience, family="fpabee")


FAMILIES: Mapping[str, Callable[[int], Rule]] = MappingProxyType({"pcee": pcee, "fpabee": fpabee})
"""Rules with a patience beside their threshold, which both papers tune: name -> patience -> rule `NAME-PATIENCE`."""


def member(name: str) -> Rule | None:
    """The rule `NAME-PATIENCE` of a family; None if the name is no such one."""
    family, _, patience = name.rpartition("-")
    return FAMILIES[family](int(patience)) if family in FAMILIES and patience.isdecimal() and int(patience) else None


def members(rule: Rule, num_exits: int) -> tuple[Rule, ...]:
    """The rules among which selection chooses under a name: every patience that M exits have room for, or the rule."""
    if rule.name not in FAMILIES:
        return (rule,)
    make = FAMILIES[rule.name]
    most = max(1, num_exits - 1 - (make(1).lookback or 0))  # the last internal exit is exit M-1
    return tuple(make(patience) for patience in range(1, most + 1))


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            *(signal_rule(signal) for signal in SIGNALS.values()),
            Rule("patience", "patience", agreements, "smaller", lambda num_classes, num_exits: (0, num_exits - 1)),
            *(replace(make(2), name=name) for name, make in FAMILIES.items()),
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
            Rule("safe", "learned safety", learned, "smaller", _unit, needs_learned_scores=True, lookback=0),
            Rule("gate", "learned gates", gated, "smaller", _unit, needs_learned_scores=True),
            Rule("jeidnn", "gates at one half", gated, "smaller", _unit, thresholds=(0.5,), needs_learned_scores=True),
        )
    }
)
"""The exit rules by name. A new one is a function and a line here.

`pcee` and `fpabee` alone have the patience 2 of the released scripts; where a threshold is chosen, so is the patience.
"""


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
