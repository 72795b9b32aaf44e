"""Decoders: GPT-2, GPT-NeoX (Pythia) and LLaMA kinds. A token sees itself and those before it.

Padding on the right changes no token before it, so no mask of padding is needed; without a mask transformers' attention
is causal. Exits read the last token, through the final norm.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from cosee.models.adapters.rotary import RotaryTables
from cosee.models.backbones import Backbone, layers_mask


class DecoderBackbone(Backbone):
    """A causal encoder; there is a subclass per family.

    Attributes:
        norm_at: name of the encoder's final norm.
        words_at: name of its word embeddings.
    """

    own_poolers = False
    default_pooler = "norm"
    default_exit_state = "last"
    causal = True
    norm_at: ClassVar[str]
    words_at: ClassVar[str]

    def embed(
        self, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Embeddings [B, T, H], and the mask, from which exits know the last token."""
        return getattr(self.encoder, self.words_at)(input_ids), layers_mask(attention_mask)

    @property
    def final_norm(self) -> nn.Module:
        """The norm behind the last layer."""
        return getattr(self.encoder, self.norm_at)


class Gpt2Backbone(DecoderBackbone):
    """GPT-2: learned absolute positions."""

    layers_at, norm_at, words_at = "h", "ln_f", "wte"
    dropouts = ("resid_pdrop", "embd_pdrop", "attn_pdrop")

    def embed(
        self, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Embeddings of words and positions [B, T, H], and the mask."""
        words, mask = super().embed(input_ids, attention_mask, token_type_ids)
        positions = self.encoder.wpe(torch.arange(input_ids.shape[1], device=input_ids.device)[None])
        return self.encoder.drop(words + positions), mask

    def layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Apply one GPT2Block."""
        return self.layers[index](hidden)

    @property
    def inner_size(self) -> int:
        """Width of the feed-forward part."""
        return self.encoder.config.n_inner or 4 * self.hidden_size


class RotaryDecoderBackbone(DecoderBackbone):
    """A decoder whose attention rotates queries and keys by their positions."""

    layers_at = "layers"

    def __init__(self, encoder: nn.Module, depth: int | None = None) -> None:
        """Wrap transformers' model, dropping the layers beyond `depth`."""
        super().__init__(encoder, depth)
        self._rotary = RotaryTables()

    def layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Apply one layer."""
        return self.layers[index](hidden, position_embeddings=self._rotary.of(self.encoder.rotary_emb, hidden))


class GptNeoXBackbone(RotaryDecoderBackbone):
    """GPT-NeoX, of which Pythia is one: attention and feed-forward part side by side."""

    norm_at, words_at = "final_layer_norm", "embed_in"
    dropouts = ("hidden_dropout", "attention_dropout")

    def embed(
        self, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Embeddings [B, T, H] after dropout, and the mask."""
        words, mask = super().embed(input_ids, attention_mask, token_type_ids)
        return self.encoder.emb_dropout(words), mask


class LlamaBackbone(RotaryDecoderBackbone):
    """LLaMA, Qwen2: a gated feed-forward part, and fewer heads of keys and values than of queries."""

    norm_at, words_at = "norm", "embed_tokens"
    dropouts = ("attention_dropout",)

    def layer_flops(self, tokens: float) -> float:
        """Floating-point operations of one layer for an example of `tokens`: projections, attention, feed-forward."""
        config, hidden = self.encoder.config, self.hidden_size
        head = getattr(config, "head_dim", None) or hidden // config.num_attention_heads
        queries, keys = config.num_attention_heads * head, config.num_key_value_heads * head
        projections = 4.0 * hidden * (queries + keys)  # queries and output, keys and values
        return tokens * (projections + 6.0 * hidden * self.inner_size + 4.0 * queries * tokens)
