"""Exit rules: one score per exit from the outputs of the exits so far, compared with a threshold.

A rule may count, compare neighboring exits or read learned scores; like a signal of one exit it ends in a comparison
of a score with a threshold. A rule may also change the answer: an ensemble answers by all exits so far. So every rule
is swept, evaluated and used online by the same code. Score and answer of an exit depend on this exit and those before
it alone, never on later ones.

Written for torch tensors and NumPy arrays alike, through the array API.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn

from cosee.errors import InputError
from cosee.exiting.ensembles import agreed_confidence, arithmetic_mean, geometric_mean, majority, most_votes
from cosee.exiting.scores import Score, agreements, consecutive, divergences, gated, halted, learned, sampled
from cosee.exiting.signals import SIGNALS, Array, Orientation, Signal
from cosee.plugins import Registry, instance_of

if TYPE_CHECKING:
    from cosee.exiting.schedules import Schedule

Answer = Callable[[Array], Array]
"""Logits [N, m, C] of the first m exits -> scores of the classes [N, m, C], of which the highest is the answer.

Like logits they are logarithms: their softmax says how sure the answer is.
"""


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
        lookback: number of earlier exits that a score depends on; None: all of them. An answer may depend on all.
        answer: from the logits of the first m exits to the scores of the classes by which each of them answers; None:
            the logits themselves.
        family: name under which results are filed; that of the rule, but for the members of `FAMILIES` and fitted ones.
        fit: for a rule that has to be fitted: logits [N, M, C] and labels [N] of the selection split -> fitted rules,
            one per budget, by which its family exits in its place (`cosee.evaluation.members`).
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
    answer: Answer | None = None
    family: str = ""
    fit: "Callable[[Array, Array], tuple[Rule, ...]] | None" = None

    def __post_init__(self) -> None:
        if not self.family:
            object.__setattr__(self, "family", self.name)

    @property
    def is_adjustable(self) -> bool:
        """Whether a threshold, or the choice of a member of its family, sets the speed-up at test time."""
        return self.thresholds is None or self.family != self.name

    def answers(self, logits: Array) -> Array:
        """Scores of the classes by which every exit answers, from the logits of the first m exits [N, m, C]."""
        return logits if self.answer is None else self.answer(logits)


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


def ensemble_rule(name: str, label: str, answer: Answer, signal: Signal) -> Rule:
    """Rule that answers by an ensemble of the exits so far, at the first exit whose signal of that answer passes."""
    return Rule(
        name,
        label,
        lambda logits, scores: signal.score(answer(logits)),
        signal.harder_is,
        lambda num_classes, num_exits: signal.range(num_classes),
        answer=answer,
    )


SCHEDULED = "eenet"
"""Name of the rule whose fitted members are schedules."""


def scheduled(schedule: "Schedule") -> Rule:
    """Rule that exits by a schedule (EENet, Ilhan et al. 2024): by scorers and a threshold per exit.

    Its score is the speed-up that it was fitted for plus the distance of an exit's score from its threshold; so the
    speed-up is the one threshold, and tells the schedules of a model apart.
    """
    # numpy and scipy, which fitting takes, are nothing that a look at the names of rules should need
    from cosee.exiting.assignment import CLOSED
    from cosee.exiting.schedules import margins

    speedup = schedule.speedup
    return Rule(
        f"{SCHEDULED}-{speedup:g}",
        f"schedule for {speedup:g}x",
        lambda logits, scores: speedup + margins(logits, schedule),
        "smaller",
        lambda num_classes, num_exits: (speedup - CLOSED, speedup + 1),
        thresholds=(speedup,),
        family=SCHEDULED,
    )


def _schedules(logits: Array, labels: Array) -> tuple[Rule, ...]:
    from cosee.exiting.schedules import fit_schedules

    return tuple(scheduled(each) for each in fit_schedules(logits, labels))


def _unfitted(logits: Array, scores: Array | None) -> NoReturn:
    raise InputError(
        f"exit rule {SCHEDULED}: its schedules have to be fitted on the selection split first; use it where the "
        "outputs of that split are given."
    )


def _unit(num_classes: int, num_exits: int) -> tuple[float, float]:
    return 0.0, 1.0


def _signed_unit(num_classes: int, num_exits: int) -> tuple[float, float]:
    return -1.0, 1.0


def _agreed_range(num_classes: int, num_exits: int) -> tuple[float, float]:
    return 1 / num_classes, num_exits * (num_exits + 1) / 2


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


RULES: Registry[Rule] = Registry(
    "exit rule",
    {
        rule.name: rule
        for rule in (
            *(signal_rule(signal) for signal in SIGNALS.own.values()),
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
            ensemble_rule("geometric", "geometric ensemble", geometric_mean, SIGNALS["softmax"]),
            ensemble_rule("mean", "mean probability", arithmetic_mean, SIGNALS["softmax"]),
            Rule(
                "voting", "votes", most_votes, "smaller", lambda num_classes, num_exits: (0, num_exits), answer=majority
            ),
            Rule("beem", "agreed confidence", agreed_confidence, "smaller", _agreed_range),
            Rule(
                SCHEDULED,
                "learned schedule",
                _unfitted,
                "smaller",
                lambda num_classes, num_exits: (1, num_exits),
                fit=_schedules,
            ),
        )
    },
    {"cosee.rules": instance_of(Rule), "cosee.signals": lambda kind, entry: signal_rule(SIGNALS[entry.name])},
)
"""The exit rules by name. A new one is a function and a line here, or comes with an installed package.

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
