"""BERT and the encoders that share its layers: a list of layers, each with its own weights."""

from typing import ClassVar

import torch
from torch import Tensor

from cosee.models.backbones import Backbone


class BertBackbone(Backbone):
    """BERT, ERNIE: normalized after every sublayer, absolute positions, segments where the encoder knows two."""

    def embed(
        self, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Embeddings [B, T, H], projected where theirs is another size (ELECTRA), and the mask.

        RoBERTa has one segment, and counts positions from 2 on, over tokens that are not its padding token.
        """
        if self.encoder.config.type_vocab_size < 2:
            token_type_ids = torch.zeros_like(token_type_ids)
        hidden, mask = super().embed(input_ids, attention_mask, token_type_ids)
        project = getattr(self.encoder, "embeddings_project", None)
        return hidden if project is None else project(hidden), mask

    def layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Apply one layer."""
        return self.layers[index](hidden, mask)

    def cls_of_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """A layer's attention for all tokens, the rest of it for the first."""
        layer = self.layers[index]
        attended, _ = layer.attention(hidden, mask)
        return layer.feed_forward_chunk(attended[:, 0])


class RobertaBackbone(BertBackbone):
    """RoBERTa, CamemBERT, XLM-R: published without the weights of a pooler, for which transformers has a place."""

    default_pooler = "fresh"


class ElectraBackbone(BertBackbone):
    """ELECTRA: without a pooler."""

    own_poolers = False
    default_pooler = "fresh"


class DistilBertBackbone(Backbone):
    """DistilBERT: BERT's layers under other names, without segments and pooler."""

    layers_at: ClassVar[str] = "transformer.layer"
    own_poolers = False
    default_pooler = "fresh"
    segments = False
    dropouts = ("dropout", "attention_dropout")

    def layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Apply one TransformerBlock."""
        return self.layers[index](hidden, mask)

    def cls_of_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """A TransformerBlock's attention for all tokens, the rest of it for the first."""
        layer = self.layers[index]
        attended = layer.attention(hidden, attention_mask=mask)[0][:, 0]
        attended = layer.sa_layer_norm(attended + hidden[:, 0])
        return layer.output_layer_norm(layer.ffn(attended) + attended)

    @property
    def inner_size(self) -> int:
        """Width of the feed-forward part."""
        return self.encoder.config.hidden_dim
