"""Exit signals: one number per exit that says how hard an example still is (paper, Section 3.5).

Each signal is written once, for torch tensors and NumPy arrays alike, through the array API: training differentiates
the same formula that the sweep evaluates in float64. Every signal stays finite and keeps a correct gradient for
saturated logits, for which the released code's softmax-then-log gives 0 * log 0 = NaN.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from types import ModuleType
from typing import Any, Literal

from array_api_compat import array_namespace

from cosee.plugins import Registry, instance_of

Array = Any
"""A floating torch.Tensor or numpy.ndarray."""

Orientation = Literal["larger", "smaller"]
"""Values of a signal that mean a harder example; "falls below" (Eq. 7) and "surpasses" (Eq. 8) are one code path."""


@dataclass(frozen=True)
class Signal:
    """An exit signal and its orientation.

    Attributes:
        name: configuration name, also the first part of `results/<task>/<name>_tradeoff.csv`.
        label: name as printed in figures.
        score: logits [..., C] -> scores [...].
        harder_is: "larger" if a larger score means a harder example (exit below the threshold), else "smaller".
        range: number of classes C -> lowest and highest possible score.
    """

    name: str
    label: str
    score: Callable[[Array], Array]
    harder_is: Orientation
    range: Callable[[int], tuple[float, float]]


def _largest(xp: ModuleType, logits: Array) -> Array:
    """Largest logit [..., 1] of logits [..., C], by which exponents are shifted.

    Detached: the shift cancels, and so does its gradient, which saves half of a signal's backward pass.
    """
    fixed = logits.detach() if hasattr(logits, "detach") else logits
    return xp.max(fixed, axis=-1, keepdims=True)


def log_softmax(logits: Array) -> Array:
    """Log-probabilities [..., C] of logits [..., C], without overflow."""
    xp = array_namespace(logits)
    shifted = logits - _largest(xp, logits)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))


def energy(logits: Array) -> Array:
    """Energy score -log sum_i exp(f_i) of logits [..., C] (Eq. 10) -> [...]; lower means easier."""
    xp = array_namespace(logits)
    top = _largest(xp, logits)
    return -(top[..., 0] + xp.log(xp.sum(xp.exp(logits - top), axis=-1)))


def normalized_energy(logits: Array) -> Array:
    """Energy squashed to (0, 1): 1 / (1 + exp(-E)) = 1 / (1 + sum_i exp(f_i)) (Eq. 11); lower means easier.

    Equal to the softmax probability of one more class whose logit is 0, and computed as such: no exponent is positive.
    """
    xp = array_namespace(logits)
    top = _largest(xp, logits)
    top = top * (top > 0)  # at least 0; a tenth of the time of `clip`, which matters to early exit
    zero = xp.exp(-top[..., 0])
    return zero / (zero + xp.sum(xp.exp(logits - top), axis=-1))


def normalized_entropy(logits: Array) -> Array:
    """Entropy of the prediction divided by log C, 0 if certain, 1 if uniform; lower means easier."""
    xp, log_p = array_namespace(logits), log_softmax(logits)
    return -xp.sum(xp.exp(log_p) * log_p, axis=-1) / log(logits.shape[-1])


def softmax_score(logits: Array) -> Array:
    """Probability of the predicted class, in [1/C, 1]; higher means easier."""
    xp = array_namespace(logits)
    return 1 / xp.sum(xp.exp(logits - xp.max(logits, axis=-1, keepdims=True)), axis=-1)


SIGNALS: Registry[Signal] = Registry(
    "exit signal",
    {
        signal.name: signal
        for signal in (
            Signal("energy", "normalized energy", normalized_energy, "larger", lambda num_classes: (0.0, 1.0)),
            Signal("entropy", "normalized entropy", normalized_entropy, "larger", lambda num_classes: (0.0, 1.0)),
            Signal("softmax", "softmax score", softmax_score, "smaller", lambda num_classes: (1 / num_classes, 1.0)),
        )
    },
    {"cosee.signals": instance_of(Signal)},
)
"""The exit signals by name. A new one is a function and a line here, or comes with an installed package."""
