"""The interface of encoders for early exiting: embed, one layer at a time, the state of an exit, its pooler.

Stepping through `embed` and `layer` gives the hidden states of the encoder's own forward pass; `states` skips
everything that no exit reads. An exit reads one state of a layer, by `exit_state` in the encoder's configuration: that
of [CLS], the mean over all tokens (for encoders trained with mean pooling), or that of the last token (for decoders,
whose first token has seen no other). The `pooler`, one of `cosee.models.poolers.POOLERS`, transforms that state before
it reaches a head.

Padding is on the right. Between two layers, examples that exit are cut out of `hidden` [B, T, H] and `mask`
[B, 1, 1, T], together with padding that only they needed, so an adapter derives what else a layer needs (causal or
sliding masks, rotary tables, biases of positions) from T and the mask inside `layer`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from operator import attrgetter
from typing import ClassVar

import torch
from torch import Tensor, nn

from cosee.errors import InputError
from cosee.models import poolers
from cosee.models.poolers import POOLERS

EXIT_STATES = ("cls", "mean", "last")
"""The states that an exit may read: that of the first token ([CLS]), the mean over all tokens, that of the last."""


def pooler_policy(config: object, default: str) -> str:
    """The pooler policy in an encoder's configuration.

    Args:
        config: transformers configuration.
        default: policy of the encoder's adapter, for configurations that name none.

    Raises:
        InputError: it is not one of `POOLERS`.
    """
    policy = getattr(config, "pooler", default)
    if policy not in POOLERS:
        raise InputError(f"pooler: {policy!r} is unknown; expected {_either(POOLERS)}.")
    return policy


class Backbone(nn.Module, ABC):
    """An encoder with access to its single layers; there is a subclass per family of architectures.

    Attributes:
        attention: implementation of attention, as transformers names it; None: the family has no choice.
        layers_at: where the encoder keeps the list of its layers; None: the adapter finds them otherwise.
        own_poolers: whether transformers' model of this family has a pooler.
        default_pooler: policy of encoders whose configuration names none, one of `POOLERS`.
        default_exit_state: state that exits read if the configuration names none.
        causal: whether a token sees only those before it, so that exits cannot read the first.
        segments: whether the encoder's embeddings take the number of a token's text.
        dropouts: names of the shares of dropout in the configuration.
        encoder: transformers' model, without a pooler unless exits read its own.
        exit_state: one of `EXIT_STATES`.
        pooler: one of `POOLERS`.
        fresh: the dense layer of a fresh pooler; None under the other policies.
    """

    attention: ClassVar[str | None] = "sdpa"
    layers_at: ClassVar[str | None] = "encoder.layer"
    own_poolers: ClassVar[bool] = True
    default_pooler: ClassVar[str] = "pretrained"
    default_exit_state: ClassVar[str] = "cls"
    causal: ClassVar[bool] = False
    segments: ClassVar[bool] = True
    dropouts: ClassVar[tuple[str, ...]] = ("hidden_dropout_prob", "attention_probs_dropout_prob")

    def __init__(self, encoder: nn.Module, depth: int | None = None) -> None:
        """Wrap `encoder`; `depth` keeps only the first layers (all if None).

        Raises:
            InputError: the encoder has fewer layers, or its configuration names an unknown or unsuitable state.
        """
        super().__init__()
        full = encoder.config.num_hidden_layers
        if depth is not None and not 1 <= depth <= full:
            raise InputError(f"depth: {depth} layers requested, but the encoder has {full}; expected 1 to {full}.")
        self.encoder = encoder
        self.exit_state = getattr(encoder.config, "exit_state", self.default_exit_state)
        states = EXIT_STATES[1:] if self.causal else EXIT_STATES
        if self.exit_state not in EXIT_STATES:
            raise InputError(f"exit_state: {self.exit_state!r} is unknown; expected {_either(EXIT_STATES)}.")
        if self.exit_state not in states:
            raise InputError(
                f"exit_state: {self.exit_state!r} is the state of a token that sees no other in encoders of type "
                f"{encoder.config.model_type!r}; expected {_either(states)}."
            )
        self.num_layers = depth or full
        self.hidden_size: int = encoder.config.hidden_size
        self.pooler = pooler_policy(encoder.config, self.default_pooler)
        self.fresh = poolers.undrawn_pooler(self.hidden_size) if self.pooler == "fresh" else None
        if self.layers_at is not None:
            *holder, name = self.layers_at.split(".")
            setattr(attrgetter(".".join(holder))(encoder) if holder else encoder, name, self.layers[: self.num_layers])

    @property
    def layers(self) -> nn.ModuleList:
        """The encoder's list of layers."""
        return attrgetter(self.layers_at)(self.encoder)

    def embed(
        self, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Hidden states [B, T, H] of layer 0, and the mask [B, 1, 1, T] (None: nothing is padded)."""
        segments = {"token_type_ids": token_type_ids} if self.segments else {}
        return self.encoder.embeddings(input_ids=input_ids, **segments), layers_mask(attention_mask)

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

    def cls_of_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """The [CLS] state [B, H] of `layer(index, hidden, mask)`.

        No exit reads more of the last layer, so adapters omit the feed-forward part of the other tokens, which is two
        thirds of a layer.
        """
        return self.layer(index, hidden, mask)[:, 0]

    def state(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """The state [B, H] that an exit reads, of hidden states [B, T, H] and the mask [B, 1, 1, T] of `embed`."""
        if self.exit_state == "cls":
            return hidden[:, 0]
        if self.exit_state == "last":
            if mask is None:
                return hidden[:, -1]
            return hidden[torch.arange(len(hidden), device=hidden.device), last_positions(mask)]
        if mask is None:
            return hidden.mean(dim=1)
        weights = mask[:, 0, 0, :, None].to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1)

    def own_pooler(self) -> tuple[nn.Linear, Callable[[Tensor], Tensor]]:
        """The dense layer of the encoder's own pooler and its activation (tanh), without the choice of a token."""
        return self.encoder.pooler.dense, self.encoder.pooler.activation

    @property
    def final_norm(self) -> nn.Module | None:
        """The norm behind the last layer of an encoder whose layers do not normalize their output; else None.

        Without it the states grow with depth, so exits of every layer read through it, like the last layer's output.
        """
        return None

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
            return self.fresh(self.unpooled(states)).tanh()
        return self.unpooled(states)

    def unpooled(self, states: Tensor) -> Tensor:
        """The input of exits that have poolers of their own [..., H]: the states, normalized unless it is "none".

        Encoders with a final norm apply it, others standardize, and only under "norm".
        """
        if self.final_norm is not None and self.pooler != "none":
            return self.final_norm(states)
        if self.pooler == "norm":
            return poolers.standardized(states, getattr(self.encoder.config, "layer_norm_eps", poolers.EPS))
        return states

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
        """Floating-point operations of `pool` on one state: a matrix product, and a mean, a variance and a scaling."""
        normalized = self.pooler == "norm" or (self.final_norm is not None and self.pooler != "none")
        product = 2.0 * self.hidden_size**2 if self.dense is not None else 0.0
        return product + (5.0 * self.hidden_size if normalized else 0.0)

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
        first = self.exit_state == "cls"
        states.append(
            self.cls_of_layer(last, hidden, mask) if first else self.state(self.layer(last, hidden, mask), mask)
        )
        return torch.stack(states, dim=1)

    @property
    def inner_size(self) -> int:
        """Width of the feed-forward part."""
        return self.encoder.config.intermediate_size

    def layer_flops(self, tokens: float) -> float:
        """Floating-point operations of one layer for an example of `tokens`: projections, attention, feed-forward."""
        hidden, inner = self.hidden_size, self.inner_size
        return tokens * (8.0 * hidden**2 + 4.0 * hidden * inner + 4.0 * hidden * tokens)


def layers_mask(attention_mask: Tensor | None) -> Tensor | None:
    """The mask that layers read [B, 1, 1, T], of a batch's own [B, T]; None if nothing is padded.

    It is not made by transformers' helper, which checks on the device whether anything is padded and so synchronizes
    host and GPU in every step; the batch knows it from the lengths.
    """
    return None if attention_mask is None else attention_mask[:, None, None, :].bool()


def last_positions(mask: Tensor) -> Tensor:
    """Position of the last token of every example [B], of an attention mask [B, 1, 1, T]."""
    return (mask[:, 0, 0] * torch.arange(mask.shape[-1], device=mask.device)).amax(dim=-1)


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
