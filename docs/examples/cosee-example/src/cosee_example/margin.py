"""An exit rule: exit where the ensemble's two best classes lie far apart, and answer by the ensemble.

Like all that is read after training it imports no torch.
"""

from array_api_compat import array_namespace

from cosee.exiting.ensembles import arithmetic_mean
from cosee.exiting.rules import Rule
from cosee.exiting.signals import Array, log_softmax


def margin(logits: Array, scores: Array | None = None) -> Array:
    """Mean probability of the best class minus that of the second best: logits [N, m, C] -> scores [N, m]."""
    xp = array_namespace(logits)
    ascending = xp.sort(xp.exp(log_softmax(arithmetic_mean(logits))), axis=-1)
    return ascending[..., -1] - ascending[..., -2]


RULE = Rule(
    "margin", "margin", margin, "smaller", range=lambda num_classes, num_exits: (0.0, 1.0), answer=arithmetic_mean
)
