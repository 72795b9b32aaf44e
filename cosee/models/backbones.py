"""The interface of encoders for early exiting: embed, one layer at a time, the state of an exit, its pooler.

Stepping through `embed` and `layer` gives, bit for bit, the hidden states of the encoder's own forward pass; `states`
skips everything that no exit reads. An exit reads one state of a layer: that of [CLS], or the mean over all tokens if
the encoder's configuration has `exit_state: mean` (for encoders trained with mean pooling). The `pooler`, one of
`cosee.models.poolers.POOLERS`, transforms that state before it reaches a head.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn

from cosee.errors import InputError
from cosee.models import poolers
from cosee.models.poolers import POOLERS

EXIT_STATES = ("cls", "mean")
"""The states that an exit may read: that of [CLS], or the mean over all tokens."""


def pooler_policy(config: object) -> str:
    """The pooler policy in an encoder's configuration, "pretrained" by default.

    Raises:
        InputError: it is not one of `POOLERS`.
    """
    policy = getattr(config, "pooler", "pretrained")
    if policy not in POOLERS:
        raise InputError(f"pooler: {policy!r} is unknown; expected {', '.join(POOLERS[:-1])} or {POOLERS[-1]}.")
    return policy


class Backbone(nn.Module, ABC):
    """An encoder with access to its single layers; there is a subclass per architecture.

    Attributes:
        attention: implementation of attention, as transformers names it.
        encoder: transformers' model, without a pooler unless exits read its own.
        exit_state: one of `EXIT_STATES`.
        pooler: one of `POOLERS`.
        fresh: the dense layer of a fresh pooler; None under the other policies.
    """

    attention = "sdpa"

    def __init__(self, encoder: nn.Module, depth: int | None = None) -> None:
        """Wrap `encoder`; `depth` keeps only the first layers (all if None)."""
        super().__init__()
        full = encoder.config.num_hidden_layers
        if depth is not None and not 1 <= depth <= full:
            raise InputError(f"depth: {depth} layers requested, but the encoder has {full}; expected 1 to {full}.")
        self.encoder = encoder
        self.exit_state = getattr(encoder.config, "exit_state", "cls")
        if self.exit_state not in EXIT_STATES:
            raise InputError(f"exit_state: {self.exit_state!r} is unknown; expected {' or '.join(EXIT_STATES)}.")
        self.num_layers = depth or full
        self.hidden_size: int = encoder.config.hidden_size
        self.pooler = pooler_policy(encoder.config)
        self.fresh = poolers.undrawn_pooler(self.hidden_size) if self.pooler == "fresh" else None

    def embed(
        self, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Hidden states [B, T, H] of layer 0 and the attention mask [B, 1, 1, T] (None: nothing is padded).

        The mask is made here because transformers' helper checks on the device whether anything is padded, which
        synchronizes host and GPU in every step; the batch knows it from the lengths.
        """
        mask = None if attention_mask is None else attention_mask[:, None, None, :].bool()
        return self.encoder.embeddings(input_ids=input_ids, token_type_ids=token_type_ids), mask

    def truncated(self, depth: int | None) -> "Backbone":
        """A backbone of the first `depth` layers (None: all of them), which replaces this one.

        Both share the encoder, whose other layers may be dropped: do not use this backbone afterwards.

        Raises:
            InputError: there are fewer layers.
        """
        if depth is None:
            return self
        short = type(self)(self.encoder, depth)
        short.fresh = self.fresh
        return short

    @abstractmethod
    def layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Apply layer `index` (0-based) to hidden states [B, T, H]."""

    @abstractmethod
    def cls_of_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """The [CLS] state [B, H] of `layer(index, hidden, mask)`, without the feed-forward part of other tokens.

        No exit reads more of the last layer, and the omitted part is two thirds of a layer.
        """

    def state(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """The state [B, H] that an exit reads, of hidden states [B, T, H] and the mask [B, 1, 1, T] of `embed`."""
        if self.exit_state == "cls":
            return hidden[:, 0]
        if mask is None:
            return hidden.mean(dim=1)
        weights = mask[:, 0, 0, :, None].to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1)

    @abstractmethod
    def own_pooler(self) -> tuple[nn.Linear, Callable[[Tensor], Tensor]]:
        """The dense layer of the encoder's own pooler and its activation (tanh)."""

    @property
    def dense(self) -> nn.Linear | None:
        """The dense layer of the pooler that exits share; None where there is no pooler."""
        return self.own_pooler()[0] if self.pooler in poolers.OWN else self.fresh

    def draw_pooler(self, generator: torch.Generator) -> None:
        """Draw the weights of a fresh pooler; under the other policies nothing is random."""
        if self.fresh is not None:
            poolers.draw(self.fresh.weight, generator)

    def pool(self, states: Tensor) -> Tensor:
        """The input of heads, from states [..., H] -> [..., H]: see `POOLERS`."""
        if self.pooler in poolers.OWN:
            dense, activation = self.own_pooler()
            return activation(dense(states))
        if self.fresh is not None:
            return self.fresh(states).tanh()
        return self.unpooled(states)

    def unpooled(self, states: Tensor) -> Tensor:
        """The input of exits that have poolers of their own [..., H]: the states, standardized under "norm"."""
        return poolers.standardized(states, self.encoder.config.layer_norm_eps) if self.pooler == "norm" else states

    def copied_poolers(self, count: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Initial weights [count, H, H] and biases [count, H] of poolers that belong to single exits.

        They are copies of the shared pooler or, if there is none, independent draws like that of a fresh pooler.

        Args:
            count: number of poolers.
            generator: only used if poolers are drawn; None on the meta device.
        """
        if self.dense is not None:
            weight, bias = self.dense.weight.detach(), self.dense.bias.detach()
            return weight.repeat(count, 1, 1), bias.repeat(count, 1)
        weight = torch.empty(count, self.hidden_size, self.hidden_size)
        poolers.draw(weight, generator)
        return weight, torch.zeros(count, self.hidden_size)

    def pool_flops(self) -> float:
        """Floating-point operations of `pool` on one state: a matrix product, or a mean, a variance and a scaling."""
        if self.dense is not None:
            return 2.0 * self.hidden_size**2
        return 5.0 * self.hidden_size if self.pooler == "norm" else 0.0

    def states(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        token_type_ids: Tensor,
        detached: Collection[int] = (),
    ) -> Tensor:
        """States that exits read after every layer [B, M, H]; no gradient flows back through the layers `detached`.

        `detached` are 0-based; their own states pass gradients on, only the input of the next layer does not.
        """
        hidden, mask = self.embed(input_ids, attention_mask, token_type_ids)
        states = []
        for index in range(self.num_layers - 1):
            hidden = self.layer(index, hidden, mask)
            states.append(self.state(hidden, mask))
            if index in detached:
                hidden = hidden.detach()
        last = self.num_layers - 1
        whole = self.exit_state == "mean"
        states.append(
            self.state(self.layer(last, hidden, mask), mask) if whole else self.cls_of_layer(last, hidden, mask)
        )
        return torch.stack(states, dim=1)

    def layer_flops(self, tokens: float) -> float:
        """Floating-point operations of one layer for an example of `tokens`: projections, attention, feed-forward."""
        hidden, inner = self.hidden_size, self.encoder.config.intermediate_size
        return tokens * (8.0 * hidden**2 + 4.0 * hidden * inner + 4.0 * hidden * tokens)
