"""DeBERTa-v2 and -v3: attention to content and to relative positions, which are embedded once for all layers."""

from functools import lru_cache

import torch
from torch import Tensor
from transformers.models.deberta_v2.modeling_deberta_v2 import build_relative_position

from cosee.models.backbones import Backbone, layers_mask


class DebertaBackbone(Backbone):
    """DeBERTa: BERT's layers, whose attention also reads embeddings of the distance between two positions."""

    attention = "eager"  # the only implementation in transformers
    own_poolers = False
    default_pooler = "fresh"

    def embed(
        self, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Embeddings [B, T, H], zero at padding, and the mask; segments only if the encoder knows them."""
        if self.encoder.config.type_vocab_size < 2:
            token_type_ids = torch.zeros_like(token_type_ids)
        embedded = self.encoder.embeddings(input_ids=input_ids, token_type_ids=token_type_ids, mask=attention_mask)
        return embedded, layers_mask(attention_mask)

    def layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Apply one DebertaV2Layer, the first of some encoders with the convolution beside it."""
        output = self.layers[index](hidden, **self._attended(hidden, mask))[0]
        convolution = self.encoder.encoder.conv
        if index > 0 or convolution is None:
            return output
        inside = hidden.new_ones(hidden.shape[:2]) if mask is None else mask[:, 0, 0].to(hidden.dtype)
        return convolution(hidden, output, inside)

    def cls_of_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """A DebertaV2Layer's attention for all tokens, the rest of it for the first."""
        if index == 0 and self.encoder.encoder.conv is not None:
            return super().cls_of_layer(index, hidden, mask)
        layer = self.layers[index]
        attended = layer.attention(hidden, **self._attended(hidden, mask))[0][:, 0]
        return layer.output(layer.intermediate(attended), attended)

    def layer_flops(self, tokens: float) -> float:
        """Floating-point operations of one layer: BERT's, and the attention between contents and distances.

        Distances are projected once per layer for the whole batch, which is left out: it is no work per example.
        """
        config = self.encoder.config
        kinds = len(getattr(config, "pos_att_type", None) or ()) if config.relative_attention else 0
        distances = 2 * (config.position_buckets if config.position_buckets > 0 else self._farthest())
        return super().layer_flops(tokens) + kinds * 2.0 * self.hidden_size * tokens * distances

    def _farthest(self) -> int:
        """Largest distance that the encoder tells from others."""
        config = self.encoder.config
        return config.max_relative_positions if config.max_relative_positions > 0 else config.max_position_embeddings

    def _attended(self, hidden: Tensor, mask: Tensor | None) -> dict[str, Tensor | None]:
        """What a layer's attention reads besides the states: pairs of tokens that are not padding, and distances.

        The table of distances is cached by T; their embeddings are looked up in every layer, as they are trained.
        """
        encoder, config = self.encoder.encoder, self.encoder.config
        tokens = hidden.shape[1]
        if mask is None:
            mask = torch.ones(1, 1, 1, tokens, dtype=torch.bool, device=hidden.device)
        relative = None
        if config.relative_attention:
            relative = _distances(tokens, config.position_buckets, self._farthest(), hidden.device)
        return {
            "attention_mask": mask & mask.transpose(-1, -2),
            "relative_pos": relative,
            "rel_embeddings": encoder.get_rel_embedding(),
        }


@lru_cache(maxsize=512)
def _distances(tokens: int, buckets: int, farthest: int, device: torch.device) -> Tensor:
    """Distance of every pair of positions [1, T, T], far ones in logarithmic buckets."""
    with torch.inference_mode(False):  # else training could not use a tensor cached by an evaluation
        position = torch.empty(1, tokens, 1, device=device)
        return build_relative_position(position, position, bucket_size=buckets, max_position=farthest)
