"""Poolers between a state and the head of an exit: the encoder's own, a fresh one, a norm, or none.

A pooler (BERT's: dense and tanh, on the state of [CLS]) is useful if pre-training has trained it, as in BERT and
ALBERT. Many encoders have one that was never trained: sentence-transformers tunes the mean over tokens, and the poolers
of its encoders still hold their random initialization. That of all-MiniLM-L6-v2 makes features so small that heads
hardly learn, the shallow ones least. `has_untrained_pooler` finds such poolers; `POOLERS` lists the alternatives.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

POOLERS = ("pretrained", "fresh", "norm", "none", "untrained")
"""Input of an exit's head, made from a state [H]:

- pretrained: the encoder's own pooler;
- fresh: a dense layer and tanh, drawn from the seed of the run (`draw`), the same for every method with that seed;
- norm: the state after the encoder's final norm or, if its layers normalize their output themselves, standardized to
  mean 0 and variance 1 over its features, without parameters;
- none: the state;
- untrained: the encoder's own pooler although it was never trained; only to demonstrate the effect.

Encoders with a final norm apply it under every policy but none.
"""

EPS = 1e-12
"""Added to the variance of standardized states where an encoder's configuration names nothing; DistilBERT's value."""

OWN = ("pretrained", "untrained")
"""Under these policies exits read the encoder's own pooler."""


def has_untrained_pooler(encoder: nn.Module) -> bool:
    """Whether an encoder has a pooler whose biases are all exactly zero: as drawn, and never trained."""
    biases = [bias for name, bias in encoder.named_parameters() if name.startswith("pooler") and name.endswith("bias")]
    return bool(biases) and not any(bool(bias.any()) for bias in biases)


def undrawn_pooler(hidden_size: int) -> nn.Linear:
    """A dense layer H -> H of NaN weights, so that a model built without `draw` cannot go unnoticed."""
    dense = nn.utils.skip_init(nn.Linear, hidden_size, hidden_size, device=torch.get_default_device())
    nn.init.constant_(dense.weight, torch.nan)
    nn.init.zeros_(dense.bias)
    return dense


def draw(weight: Tensor, generator: torch.Generator | None) -> None:
    """Fill pooler weights [..., H, H] from N(0, 1/sqrt(H)): the scale at which a layer preserves its input's variance.

    Args:
        weight: filled in place, on the CPU.
        generator: None: the weights are on the meta device.
    """
    with torch.no_grad():
        weight.normal_(0, weight.shape[-1] ** -0.5, generator=generator)


def standardized(states: Tensor, eps: float) -> Tensor:
    """States [..., H] with mean 0 and variance 1 over the features: layer normalization without parameters."""
    return F.layer_norm(states, states.shape[-1:], eps=eps)
