"""Exit rules that read logits divided by one temperature per exit, so that confidences of exits mean the same."""

from collections.abc import Sequence
from dataclasses import replace

from array_api_compat import array_namespace

from cosee.errors import InputError
from cosee.exiting.rules import Rule
from cosee.exiting.signals import Array


def tempered(rule: Rule, temperatures: Sequence[float]) -> Rule:
    """A rule for a model whose exits have these temperatures: its scores and its answer read logits / temperature.

    A temperature changes no exit's own prediction, but the exits that examples take, and the answers of ensembles. The
    thresholds are those of the new scores: they have to be sought again.

    Args:
        rule: any rule; learned scores stay as they are.
        temperatures: one for each of the M exits, above 0 (`cosee.evaluation.temperature`).

    Raises:
        InputError: a temperature is not a number above 0, or the rule is one that is fitted.
    """
    if not all(0 < temperature < float("inf") for temperature in temperatures):
        raise InputError(f"temperatures: got {', '.join(map(str, temperatures))}; expected finite numbers above 0.")
    if rule.fit is not None:
        raise InputError(f"temperatures: the exit rule {rule.name} is fitted to logits as they are; leave them out.")

    def scaled(logits: Array) -> Array:
        """Logits [N, m, C] of the first m exits, each divided by its temperature."""
        xp = array_namespace(logits)
        divisors = xp.asarray(list(temperatures[: logits.shape[1]]), dtype=logits.dtype, device=logits.device)
        return logits / divisors[:, None]

    return replace(
        rule,
        score=lambda logits, scores: rule.score(scaled(logits), scores),
        answer=lambda logits: rule.answers(scaled(logits)),
        lookback=None,  # which exit is which is known by counting from the first
    )
