"""Tables of rotary position embeddings, which depend on the number of tokens alone."""

from collections.abc import Callable

import torch
from torch import Tensor

Tables = tuple[Tensor, Tensor]
"""Cosines and sines [1, T, D] of D features per head."""


class RotaryTables:
    """The tables of the length used last, so that the layers of a batch share them."""

    def __init__(self) -> None:
        """Nothing is stored yet."""
        self._key: tuple[object, ...] | None = None
        self._tables: Tables | None = None

    def of(self, rotary: Callable[..., Tables], hidden: Tensor, **kind: str) -> Tables:
        """Tables for hidden states [B, T, H].

        Args:
            rotary: the encoder's module that makes them.
            hidden: gives T, device and type.
            kind: of the layer, for encoders that have several tables.
        """
        key = (hidden.shape[1], hidden.device, hidden.dtype, *kind.values())
        if key != self._key:
            with torch.inference_mode(False), torch.no_grad():  # training could not use a tensor of inference mode
                position = torch.arange(hidden.shape[1], device=hidden.device)[None]
                like = torch.empty(0, dtype=hidden.dtype, device=hidden.device)
                self._key, self._tables = key, rotary(like, position_ids=position, **kind)
        return self._tables
