"""The best checkpoint of each exit rule: an epoch that is best for one rule need not be best for another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

from torch import Tensor, nn


def improved(best: Mapping[str, float], scores: Mapping[str, float]) -> list[str]:
    """Exit rules by which a checkpoint is better than their best so far, in the order of `scores`.

    Args:
        best: exit rule -> criterion of its best checkpoint so far; a rule without one is missing.
        scores: exit rule -> criterion of this checkpoint; NaN is never better.
    """
    return [rule for rule, score in scores.items() if score > best.get(rule, -inf)]


@dataclass
class Checkpoints:
    """Best checkpoint of each exit rule so far; of equally good epochs the earlier.

    Attributes:
        score: exit rule -> criterion of its checkpoint.
        epoch: exit rule -> epoch of its checkpoint, 0-based.
        weights: epoch -> weights by name, once for each epoch that is that of a rule.
    """

    score: dict[str, float] = field(default_factory=dict)
    epoch: dict[str, int] = field(default_factory=dict)
    weights: dict[int, dict[str, Tensor]] = field(default_factory=dict)

    def keep(self, model: nn.Module, epoch: int, scores: Mapping[str, float], rules: Iterable[str]) -> None:
        """Make an epoch the checkpoint of some exit rules, and drop the weights that no rule needs any longer."""
        rules = list(rules)
        if not rules:
            return
        self.score |= {rule: scores[rule] for rule in rules}
        self.epoch |= dict.fromkeys(rules, epoch)
        self.weights = {kept: weights for kept, weights in self.weights.items() if kept in self.epoch.values()}
        self.weights[epoch] = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def rules_by_epoch(self) -> dict[int, list[str]]:
        """Epoch -> the exit rules whose checkpoint it is."""
        found: dict[int, list[str]] = {}
        for rule, epoch in self.epoch.items():
            found.setdefault(epoch, []).append(rule)
        return found
