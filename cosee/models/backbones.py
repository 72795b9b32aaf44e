"""Adapters over transformers' own encoders: embed, one layer at a time, pool. No modelling code is copied.

Stepping through `embed` and `layer` gives, bit for bit, the hidden states of the encoder's own forward pass; `states`
leaves out what no exit reads. An exit reads one state of a layer: that of [CLS], or the mean over all tokens, where the
encoder's configuration has `exit_state: mean`, for encoders that were trained for mean pooling.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection

import torch
from torch import Tensor, nn

from cosee.errors import InputError

EXIT_STATES = ("cls", "mean")
"""What an exit may read: the state of [CLS], or the mean of the states of all tokens."""


class Backbone(nn.Module, ABC):
    """An encoder as early exiting sees it; subclasses say where each architecture keeps its layers."""

    def __init__(self, encoder: nn.Module, depth: int | None = None) -> None:
        """Wrap `encoder`; `depth` keeps only the first layers (all if None)."""
        super().__init__()
        full = encoder.config.num_hidden_layers
        if depth is not None and not 1 <= depth <= full:
            raise InputError(f"depth: {depth} layers asked of an encoder that has {full}; expected 1 to {full}.")
        self.encoder = encoder
        self.exit_state = getattr(encoder.config, "exit_state", "cls")
        if self.exit_state not in EXIT_STATES:
            raise InputError(f"exit_state: {self.exit_state!r} is unknown; expected {' or '.join(EXIT_STATES)}.")
        self.num_layers = depth or full
        self.hidden_size: int = encoder.config.hidden_size

    def embed(
        self, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Hidden states [B, T, H] of layer 0 and the attention mask [B, 1, 1, T] (None: nothing is padded).

        The mask is made here because transformers' helper asks the device whether anything is padded, which would stall
        every step on a GPU; the batch knows it from the lengths.
        """
        mask = None if attention_mask is None else attention_mask[:, None, None, :].bool()
        return self.encoder.embeddings(input_ids=input_ids, token_type_ids=token_type_ids), mask

    def truncated(self, depth: int | None) -> "Backbone":
        """A backbone of the first `depth` layers (None: all of them), which takes this one's place.

        It takes the encoder over and may drop its other layers, so this backbone is not to be used any more.

        Raises:
            InputError: there are fewer layers.
        """
        return self if depth is None else type(self)(self.encoder, depth)

    @abstractmethod
    def layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Apply layer `index` (0-based) to hidden states [B, T, H]."""

    @abstractmethod
    def cls_of_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """The [CLS] state [B, H] of `layer(index, hidden, mask)`, without the feed-forward part of other tokens.

        Of the last layer no exit may need more, and that part is two thirds of a layer.
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
    def pool(self, states: Tensor) -> Tensor:
        """The pretrained pooler (dense and tanh) on states [..., H] -> [..., H]."""

    @abstractmethod
    def pooler_parameters(self) -> tuple[Tensor, Tensor]:
        """Weight [H, H] and bias [H] of the pooler."""

    def states(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        token_type_ids: Tensor,
        detached: Collection[int] = (),
    ) -> Tensor:
        """What exits read after every layer [B, M, H]; behind the layers `detached` (0-based) no gradient flows."""
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
        """Floating-point operations of one layer for a row of so many tokens: projections, attention, feed-forward."""
        hidden, inner = self.hidden_size, self.encoder.config.intermediate_size
        return tokens * (8.0 * hidden**2 + 4.0 * hidden * inner + 4.0 * hidden * tokens)


class BertBackbone(Backbone):
    """BERT: a list of layers, each with its own weights."""

    def __init__(self, encoder: nn.Module, depth: int | None = None) -> None:
        """Wrap a `BertModel`, dropping the layers beyond `depth`."""
        super().__init__(encoder, depth)
        encoder.encoder.layer = encoder.encoder.layer[: self.num_layers]

    def layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Apply one BertLayer."""
        return self.encoder.encoder.layer[index](hidden, mask)

    def cls_of_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """A BertLayer's attention for all tokens, the rest of it for the first."""
        layer = self.encoder.encoder.layer[index]
        attended, _ = layer.attention(hidden, mask)
        return layer.feed_forward_chunk(attended[:, 0])

    def pool(self, states: Tensor) -> Tensor:
        """BertPooler without its selection of the first token."""
        return self.encoder.pooler.activation(self.encoder.pooler.dense(states))

    def pooler_parameters(self) -> tuple[Tensor, Tensor]:
        """Those of BertPooler's dense layer."""
        return self.encoder.pooler.dense.weight, self.encoder.pooler.dense.bias


class AlbertBackbone(Backbone):
    """ALBERT: groups of layers that share their weights, after a projection of the small embeddings."""

    def embed(
        self, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Embeddings projected to the hidden size [B, T, H], and the mask."""
        hidden, mask = super().embed(input_ids, attention_mask, token_type_ids)
        return self.encoder.encoder.embedding_hidden_mapping_in(hidden), mask

    def layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Apply the group that the full model would use at this depth."""
        return self._group(index)(hidden, mask)

    def cls_of_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """A group's inner layers, and of the last one the attention for all tokens, the rest for the first."""
        *inner, last = self._group(index).albert_layers
        for layer in inner:
            hidden = layer(hidden, mask)
        attended = last.attention(hidden, mask)[0][:, 0]
        return last.full_layer_layer_norm(last.ff_chunk(attended) + attended)

    def _group(self, index: int) -> nn.Module:
        config = self.encoder.config
        return self.encoder.encoder.albert_layer_groups[index * config.num_hidden_groups // config.num_hidden_layers]

    def pool(self, states: Tensor) -> Tensor:
        """ALBERT's pooler is a linear layer and its activation."""
        return self.encoder.pooler_activation(self.encoder.pooler(states))

    def pooler_parameters(self) -> tuple[Tensor, Tensor]:
        """Those of the linear layer."""
        return self.encoder.pooler.weight, self.encoder.pooler.bias


ADAPTERS: dict[str, type[Backbone]] = {"bert": BertBackbone, "albert": AlbertBackbone}
"""transformers' `model_type` -> adapter. A new architecture is a class above and a line here."""
