"""Heads of the exits: modules that turn states into logits, and into learned scores if the method has them.

The state of an example is that of [CLS] or the mean over tokens, as the backbone is configured. Most heads read it
through the pooler that all exits share, which need not be a pretrained one: `cosee.models.poolers`.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cosee.models.backbones import Backbone

HEAD_STD = 0.02
"""Standard deviation of a fresh head's weights: BERT's own initialization."""


class Outputs(NamedTuple):
    """Logits of all exits [B, M, C] (of one exit: [B, C]), and learned scores [B, M] ([B]), if the method has them."""

    logits: Tensor
    learned_scores: Tensor | None = None


class Exits(nn.Module, ABC):
    """The heads of all exits of a model. A method with other than linear heads defines a subclass in its module.

    Attributes:
        lookback: whether an exit needs the carry of the exits before it.
    """

    lookback = False

    def __init__(self, num_exits: int, num_classes: int) -> None:
        """Set the numbers of exits and classes."""
        super().__init__()
        self.num_exits = num_exits
        self.num_classes = num_classes

    @abstractmethod
    def forward(self, states: Tensor, backbone: Backbone) -> Outputs:
        """All exits at once: states [B, M, H] -> logits [B, M, C] and perhaps learned scores [B, M]."""

    @abstractmethod
    def forward_exit(
        self, index: int, state: Tensor, backbone: Backbone, carry: Tensor | None
    ) -> tuple[Outputs, Tensor | None]:
        """One exit while the layers are being computed; equal to `forward` at that exit.

        Args:
            index: number of the exit, 0-based; exits are visited in order.
            state: its state [B, H].
            backbone: the encoder, for its pooler.
            carry: second result of the exit before, with examples first [B, ...]; None at the first exit.

        Returns:
            Logits [B, C] with learned scores [B] or None, and the carry for the next exit (None: without lookback).
        """

    @abstractmethod
    def flops(self, index: int, backbone: Backbone) -> float:
        """Floating-point operations of visiting one exit with one example; an addition counts as one.

        Args:
            index: number of the exit, 0-based.
            backbone: the encoder, for its pooler.
        """


def linear_flops(inputs: int, outputs: int) -> float:
    """Floating-point operations of a linear layer on one vector."""
    return 2.0 * inputs * outputs


def fresh_heads(num_exits: int, num_classes: int, hidden_size: int, generator: torch.Generator | None) -> Tensor:
    """Head weights [M, C, H] from N(0, 0.02); the same for every method with one generator (None: meta device)."""
    return torch.empty(num_exits, num_classes, hidden_size).normal_(0, HEAD_STD, generator=generator)


class LinearExits(Exits):
    """One linear head per exit on the shared pooler (paper, Section 4.3; Table 4).

    The heads are one tensor, so that all exits are one matrix product; M-1 heads beyond the final one add
    (M-1) * (H*C + C) parameters to the plain fine-tuned backbone.
    """

    def __init__(
        self, num_exits: int, hidden_size: int, num_classes: int, dropout: float, generator: torch.Generator | None
    ) -> None:
        """Draw the weights with `generator`; biases are zero."""
        super().__init__(num_exits, num_classes)
        self.weight = nn.Parameter(fresh_heads(num_exits, num_classes, hidden_size, generator))
        self.bias = nn.Parameter(torch.zeros(num_exits, num_classes))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, backbone: Backbone) -> Outputs:
        """Logits of all exits."""
        pooled = self.dropout(backbone.pool(states))
        return Outputs(torch.einsum("bmh,mch->bmc", pooled, self.weight) + self.bias)

    def forward_exit(self, index: int, state: Tensor, backbone: Backbone, carry: Tensor | None) -> tuple[Outputs, None]:
        """Logits of one exit."""
        pooled = self.dropout(backbone.pool(state))
        return Outputs(F.linear(pooled, self.weight[index], self.bias[index])), None

    def flops(self, index: int, backbone: Backbone) -> float:
        """The pooler and one head."""
        return backbone.pool_flops() + linear_flops(self.weight.shape[-1], self.num_classes)


class SplitExits(Exits):
    """Linear heads on the shared pooler; those of the internal exits are separate from that of the last exit.

    All parameters of the internal exits are named `internal_*`, so that a stage may train only these.
    """

    def __init__(self, backbone: Backbone, num_classes: int, dropout: float, generator: torch.Generator) -> None:
        """An exit after every layer of `backbone`; the heads are drawn with `generator`."""
        super().__init__(backbone.num_layers, num_classes)
        heads = fresh_heads(self.num_exits, num_classes, backbone.hidden_size, generator)
        self.internal_weight = nn.Parameter(heads[:-1].clone())
        self.internal_bias = nn.Parameter(torch.zeros(self.num_exits - 1, num_classes))
        self.final_weight = nn.Parameter(heads[-1].clone())
        self.final_bias = nn.Parameter(torch.zeros(num_classes))
        self.dropout = nn.Dropout(dropout)

    def pool(self, states: Tensor, backbone: Backbone) -> Tensor:
        """Pooled states of all exits [B, M, H], after dropout."""
        return self.dropout(backbone.pool(states))

    def pool_at(self, index: int, state: Tensor, backbone: Backbone) -> Tensor:
        """Pooled state of one exit [B, H], after dropout."""
        return self.dropout(backbone.pool(state))

    def classify(self, pooled: Tensor) -> Tensor:
        """Logits [B, M, C] of pooled states [B, M, H]."""
        internal = torch.einsum("bmh,mch->bmc", pooled[:, :-1], self.internal_weight) + self.internal_bias
        return torch.cat([internal, F.linear(pooled[:, -1:], self.final_weight, self.final_bias)], dim=1)

    def classify_at(self, index: int, pooled: Tensor) -> Tensor:
        """Logits [B, C] of one exit's pooled state [B, H]."""
        if index == self.num_exits - 1:
            return F.linear(pooled, self.final_weight, self.final_bias)
        return F.linear(pooled, self.internal_weight[index], self.internal_bias[index])

    def forward(self, states: Tensor, backbone: Backbone) -> Outputs:
        """Logits of all exits."""
        return Outputs(self.classify(self.pool(states, backbone)))

    def forward_exit(
        self, index: int, state: Tensor, backbone: Backbone, carry: Tensor | None
    ) -> tuple[Outputs, Tensor | None]:
        """Logits of one exit."""
        return Outputs(self.classify_at(index, self.pool_at(index, state, backbone))), None

    def flops(self, index: int, backbone: Backbone) -> float:
        """The pooler and a head."""
        return backbone.pool_flops() + linear_flops(self.final_weight.shape[-1], self.num_classes)


class PooledExits(SplitExits):
    """A head and a pooler for every internal exit; the last exit uses the backbone's pooler.

    The internal poolers start as copies of the backbone's (DeeBERT, Xin et al. 2020; BERxiT, Xin et al. 2021). If the
    backbone has none (`pooler: norm` or `none`), the last exit has none either; the internal ones, which define these
    methods, are then drawn at random and read the same states as the last exit's head.
    """

    def __init__(self, backbone: Backbone, num_classes: int, dropout: float, generator: torch.Generator) -> None:
        """An exit after every layer of `backbone`; the heads are drawn with `generator`."""
        super().__init__(backbone, num_classes, dropout, generator)
        weight, bias = backbone.copied_poolers(self.num_exits - 1, generator)
        self.internal_pooler_weight, self.internal_pooler_bias = nn.Parameter(weight), nn.Parameter(bias)

    def pool(self, states: Tensor, backbone: Backbone) -> Tensor:
        """Pooled states of all exits [B, M, H], after dropout."""
        unpooled = backbone.unpooled(states[:, :-1])
        internal = torch.einsum("bmh,mkh->bmk", unpooled, self.internal_pooler_weight) + self.internal_pooler_bias
        return self.dropout(torch.cat([internal.tanh(), backbone.pool(states[:, -1:])], dim=1))

    def pool_at(self, index: int, state: Tensor, backbone: Backbone) -> Tensor:
        """Pooled state of one exit [B, H], after dropout."""
        if index == self.num_exits - 1:
            return self.dropout(backbone.pool(state))
        unpooled = backbone.unpooled(state)
        pooled = F.linear(unpooled, self.internal_pooler_weight[index], self.internal_pooler_bias[index])
        return self.dropout(pooled.tanh())

    def flops(self, index: int, backbone: Backbone) -> float:
        """A pooler (of its own, except at the last exit) and a head."""
        if index == self.num_exits - 1:
            return super().flops(index, backbone)
        hidden = self.final_weight.shape[-1]
        return linear_flops(hidden, hidden) + linear_flops(hidden, self.num_classes)
