"""Adapters over transformers' own encoders, one class per architecture. No modeling code is copied."""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn

from cosee.models.backbones import Backbone
from cosee.plugins import Registry, subclass_of


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

    def own_pooler(self) -> tuple[nn.Linear, Callable[[Tensor], Tensor]]:
        """BertPooler without its selection of the first token."""
        return self.encoder.pooler.dense, self.encoder.pooler.activation


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

    def own_pooler(self) -> tuple[nn.Linear, Callable[[Tensor], Tensor]]:
        """ALBERT's pooler is a linear layer and its activation."""
        return self.encoder.pooler, self.encoder.pooler_activation


class MPNetBackbone(Backbone):
    """MPNet: BERT's layers with a learned bias on the attention between two positions, the same in every layer."""

    attention = "eager"  # the only implementation in transformers that adds the bias to the attention scores

    def __init__(self, encoder: nn.Module, depth: int | None = None) -> None:
        """Wrap an `MPNetModel`, dropping the layers beyond `depth`."""
        super().__init__(encoder, depth)
        encoder.encoder.layer = encoder.encoder.layer[: self.num_layers]

    def embed(
        self, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Embeddings [B, T, H] and the mask; positions are counted from 2 on, and there are no segments."""
        mask = None if attention_mask is None else attention_mask[:, None, None, :].bool()
        return self.encoder.embeddings(input_ids=input_ids), mask

    def layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Apply one MPNetLayer."""
        return self.encoder.encoder.layer[index](hidden, *self._added(hidden, mask))[0]

    def cls_of_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """An MPNetLayer's attention for all tokens, the rest of it for the first."""
        layer = self.encoder.encoder.layer[index]
        attended = layer.attention(hidden, *self._added(hidden, mask))[0][:, 0]
        return layer.output(layer.intermediate(attended), attended)

    def own_pooler(self) -> tuple[nn.Linear, Callable[[Tensor], Tensor]]:
        """MPNetPooler without its selection of the first token."""
        return self.encoder.pooler.dense, self.encoder.pooler.activation

    def _added(self, hidden: Tensor, mask: Tensor | None) -> tuple[Tensor | None, Tensor]:
        """Terms added to the attention scores: the mask [B, 1, 1, T] as numbers, and the bias [1, heads, T, T].

        The bias depends on T only, not on the layer; it is looked up again in every layer, because T may shrink when
        long examples exit. The table of buckets is cached.
        """
        encoder = self.encoder.encoder
        bias = encoder.relative_attention_bias(_buckets(type(encoder), hidden.shape[1], hidden.device))
        if mask is not None:
            mask = torch.zeros_like(mask, dtype=hidden.dtype).masked_fill(~mask, torch.finfo(hidden.dtype).min)
        return mask, bias.permute(2, 0, 1)[None]


@lru_cache(maxsize=512)
def _buckets(encoder: type[nn.Module], tokens: int, device: torch.device) -> Tensor:
    """Index into MPNet's table of biases for every pair of positions [T, T]; `encoder` is the class that defines it."""
    with torch.inference_mode(False):  # else training could not use a tensor cached by an evaluation
        position = torch.arange(tokens, device=device)
        return encoder.relative_position_bucket(position[None, :] - position[:, None])


ADAPTERS: Registry[type[Backbone]] = Registry(
    "adapter",
    {"bert": BertBackbone, "albert": AlbertBackbone, "mpnet": MPNetBackbone},
    {"cosee.adapters": subclass_of(Backbone)},
)
"""transformers' `model_type` -> adapter. A new architecture is a class above and a line here, or a package's."""
