"""The exit rules that stand behind one name: a patience each, or a schedule each, fitted on the selection split."""

from weakref import WeakKeyDictionary

from cosee.errors import InputError
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.rules import FAMILIES, RULES, Rule, members

_FITTED: WeakKeyDictionary[ExitOutputs, dict[str, tuple[Rule, ...]]] = WeakKeyDictionary()
"""Rules by outputs that they were fitted to, as several results of one model ask for them."""


def has_members(rule: Rule) -> bool:
    """Whether several rules stand behind a rule, of which those in use are chosen on the selection split."""
    return rule.name in FAMILIES or rule.fit is not None


def members_on(rule: Rule, selection: ExitOutputs) -> tuple[Rule, ...]:
    """The rules among which the selection split chooses: all patiences, all fitted rules, or the rule alone.

    Raises:
        InputError: the rule has to be fitted, and the outputs are of a split without labels.
    """
    if rule.fit is None:
        return members(rule, len(selection.exit_depths))
    fitted = _FITTED.setdefault(selection, {})
    if rule.name not in fitted:
        fitted[rule.name] = rule.fit(selection.logits, selection.labels)
    return fitted[rule.name]


def is_fitted(name: str) -> bool:
    """Whether a name `FAMILY-BUDGET` is that of a fitted rule, which is known only with outputs to fit it to."""
    family = name.rpartition("-")[0]
    return family in RULES and RULES[family].fit is not None


def fitted_member(name: str, selection: ExitOutputs) -> Rule:
    """The fitted rule of a name for which `is_fitted` holds.

    Raises:
        InputError: there is none for this budget.
    """
    rules = {rule.name: rule for rule in members_on(RULES[name.rpartition("-")[0]], selection)}
    if name not in rules:
        raise InputError(f"exit rule {name!r} is unknown; expected one of {', '.join(rules)}.")
    return rules[name]


def representative(rule: Rule, selection: ExitOutputs, target: float) -> Rule:
    """A rule whose scores stand for all behind a name: of fitted ones that for the budget closest to a speed-up."""
    if rule.fit is None:
        return rule
    return min(members_on(rule, selection), key=lambda each: abs(each.thresholds[0] - target))
