"""ModernBERT: normalized before every sublayer, rotary positions, and attention within a window in most layers."""

from functools import lru_cache

import torch
from torch import Tensor, nn

from cosee.models.adapters.rotary import RotaryTables
from cosee.models.backbones import Backbone


class ModernBertBackbone(Backbone):
    """ModernBERT: neither positions nor segments in the embeddings; exits read through its final norm."""

    layers_at = "layers"
    own_poolers = False
    default_pooler = "norm"
    segments = False
    dropouts = ("attention_dropout", "embedding_dropout", "mlp_dropout")

    def __init__(self, encoder: nn.Module, depth: int | None = None) -> None:
        """Wrap a `ModernBertModel`, dropping the layers beyond `depth`."""
        super().__init__(encoder, depth)
        self._rotary = {kind: RotaryTables() for kind in set(encoder.config.layer_types)}

    def layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Apply one ModernBertEncoderLayer."""
        return self.layers[index](hidden, **self._attended(index, hidden, mask))

    def cls_of_layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """A layer's attention for all tokens, the rest of it for the first."""
        layer = self.layers[index]
        attended, _ = layer.attn(layer.attn_norm(hidden), **self._attended(index, hidden, mask))
        first = (hidden + attended)[:, 0]
        return first + layer.mlp(layer.mlp_norm(first))

    @property
    def final_norm(self) -> nn.Module:
        """The norm behind the last layer."""
        return self.encoder.final_norm

    def layer_flops(self, tokens: float) -> float:
        """Floating-point operations of one layer; the feed-forward part is gated, so it has three products.

        A window saves nothing up to as many tokens as it spans (129 in ModernBERT-base), so it is not counted.
        """
        hidden, inner = self.hidden_size, self.inner_size
        return tokens * (8.0 * hidden**2 + 6.0 * hidden * inner + 4.0 * hidden * tokens)

    def _attended(self, index: int, hidden: Tensor, mask: Tensor | None) -> dict[str, object]:
        """What a layer's attention reads besides the states: its mask and its rotary tables."""
        kind = self.layers[index].attention_type
        tokens, reach = hidden.shape[1], self.encoder.config.sliding_window
        if kind == "sliding_attention" and tokens > reach + 1:
            near, self_only = _window(tokens, reach, hidden.device)
            mask = near if mask is None else (mask & near) | self_only  # else padding might attend to nothing at all
        tables = self._rotary[kind].of(self.encoder.rotary_emb, hidden, layer_type=kind)
        return {"attention_mask": mask, "position_embeddings": tables}


@lru_cache(maxsize=512)
def _window(tokens: int, reach: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Pairs of positions at most `reach` apart, and those of a position with itself; both [1, 1, T, T]."""
    with torch.inference_mode(False):  # else training could not use a tensor cached by an evaluation
        position = torch.arange(tokens, device=device)
        distance = (position[:, None] - position[None, :]).abs()[None, None]
        return distance <= reach, distance == 0
