"""Mamba and Mamba-2: a recurrent state instead of attention, so that nothing grows with the square of the length.

A token's state depends on those before it alone, so padding on the right changes nothing; on the left it would.
Without their CUDA kernels, Mamba scans token by token in Python and Mamba-2 in chunks of `chunk_size`, to a multiple of
which every example is padded: a small `chunk_size` in the configuration is faster for short texts.
"""

from torch import Tensor

from cosee.models.adapters.decoders import DecoderBackbone


class MambaBackbone(DecoderBackbone):
    """Mamba."""

    attention = None
    layers_at, norm_at, words_at = "layers", "norm_f", "embeddings"
    dropouts = ()

    def layer(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Apply one block."""
        return self.layers[index](hidden)

    @property
    def inner_size(self) -> int:
        """Channels E of the recurrence."""
        return int(self.encoder.config.expand * self.hidden_size)

    def layer_flops(self, tokens: float) -> float:
        """Floating-point operations of one block: projections, convolution, and the scan as a recurrence."""
        config, inner = self.encoder.config, self.inner_size
        state, rank = config.state_size, int(config.time_step_rank)
        projections = 6.0 * self.hidden_size * inner + 2.0 * inner * (rank + 2 * state) + 2.0 * rank * inner
        return tokens * (projections + 2.0 * config.conv_kernel * inner + 9.0 * inner * state)


class Mamba2Backbone(MambaBackbone):
    """Mamba-2: one decay per head, and the recurrence's inputs and outputs shared by groups of heads."""

    def layer_flops(self, tokens: float) -> float:
        """Floating-point operations of one block: projections, convolution, and the scan as a recurrence.

        Per token and entry of the state [E, N]: a decay, an outer product with its step, a sum, and a product that
        reads it. In chunks the scan takes more.
        """
        config, inner = self.encoder.config, self.inner_size
        shared = 2 * config.n_groups * config.state_size
        projections = 2.0 * self.hidden_size * (2 * inner + shared + config.num_heads) + 2.0 * inner * self.hidden_size
        convolution = 2.0 * config.conv_kernel * (inner + shared)
        return tokens * (projections + convolution + 6.0 * inner * config.state_size)
