"""ALBERT: one layer, or a few, applied again and again."""

from collections.abc import Callable

from torch import Tensor, nn

from cosee.models.backbones import Backbone


class AlbertBackbone(Backbone):
    """ALBERT: groups of layers that share their weights, after a projection of the small embeddings."""

    layers_at = None

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
