"""MPNet: BERT's layers with a bias on the attention between two positions."""

from functools import lru_cache

import torch
from torch import Tensor, nn

from cosee.models.backbones import Backbone


class MPNetBackbone(Backbone):
    """MPNet: BERT's layers with a learned bias on the attention between two positions, the same in every layer.

    Positions are counted from 2 on, and there are no segments.
    """

    attention = "eager"  # the only implementation in transformers that adds the bias to the attention scores
    segments = False

    def layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Apply one MPNetLayer."""
        return self.layers[index](hidden, *self._added(hidden, mask))[0]

    def cls_of_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """An MPNetLayer's attention for all tokens, the rest of it for the first."""
        layer = self.layers[index]
        attended = layer.attention(hidden, *self._added(hidden, mask))[0][:, 0]
        return layer.output(layer.intermediate(attended), attended)

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
