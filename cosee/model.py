"""The multi-exit model: a backbone and one head per exit."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cosee.backbone import Backbone, empty_backbone
from cosee.batches import Batch

HEAD_STD = 0.02
"""Standard deviation of a fresh head's weights: BERT's own initialisation."""


class LinearExits(nn.Module):
    """One linear head per exit on the shared pretrained pooler (paper, Section 4.3; Table 4).

    The heads are one tensor, so that all exits are one matrix product; M-1 heads beyond the final one add
    (M-1) * (H*C + C) parameters to the plain fine-tuned backbone.
    """

    def __init__(
        self, num_exits: int, hidden_size: int, num_classes: int, dropout: float, generator: torch.Generator | None
    ) -> None:
        """Draw weights from N(0, 0.02) with `generator` (None only on the meta device); biases are zero."""
        super().__init__()
        self.weight = nn.Parameter(
            torch.empty(num_exits, num_classes, hidden_size).normal_(0, HEAD_STD, generator=generator)
        )
        self.bias = nn.Parameter(torch.zeros(num_exits, num_classes))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, backbone: Backbone) -> Tensor:
        """[CLS] states of all exits [B, M, H] -> logits [B, M, C]."""
        pooled = self.dropout(backbone.pool(states))
        return torch.einsum("bmh,mch->bmc", pooled, self.weight) + self.bias

    def at(self, exit_index: int, state: Tensor, backbone: Backbone) -> Tensor:
        """The same for one exit alone: [CLS] state [B, H] -> logits [B, C]."""
        pooled = self.dropout(backbone.pool(state))
        return nn.functional.linear(pooled, self.weight[exit_index], self.bias[exit_index])


class MultiExitModel(nn.Module):
    """A backbone whose layers, all or some of them, end in an exit.

    Attributes:
        backbone: the encoder adapter.
        exits: module that turns [CLS] states into logits.
        exit_depths: 1-based depth of every exit, ascending; the last one is the depth of the backbone.
    """

    def __init__(self, backbone: Backbone, exits: LinearExits, exit_depths: Sequence[int]) -> None:
        """Join a backbone and its exits."""
        super().__init__()
        self.backbone = backbone
        self.exits = exits
        self.exit_depths = tuple(exit_depths)

    @property
    def num_exits(self) -> int:
        """M, the number of exits."""
        return len(self.exit_depths)

    def forward(self, batch: Batch) -> Tensor:
        """Logits of every exit [B, M, C]."""
        states = self.backbone.cls_states(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        if self.num_exits < self.backbone.num_layers:
            states = torch.stack([states[:, depth - 1] for depth in self.exit_depths], dim=1)
        return self.exits(states, self.backbone)


def count_parameters(module: nn.Module) -> int:
    """Number of parameters, shared ones counted once."""
    return sum(parameter.numel() for parameter in module.parameters())


def parameter_counts_of(encoder: dict[str, Any], num_classes: int, plain: str, multi_exit: str) -> list[dict[str, Any]]:
    """Parameters of a fine-tuned encoder with one classifier, and what an exit after every layer adds (Table 4).

    Counted on the meta device, without weights.

    Args:
        encoder: transformers configuration; `{"model_type": "bert"}` is BERT-base.
        num_classes: C.
        plain: name for the model with one exit.
        multi_exit: name for the model with all exits.

    Returns:
        A row per model: model, num_classes, params, extra_params (beyond the plain model, None for itself).
    """
    with torch.device("meta"):
        backbone = empty_backbone(encoder)
        heads = [LinearExits(m, backbone.hidden_size, num_classes, 0.0, None) for m in (1, backbone.num_layers)]
    one, all_exits = (count_parameters(backbone) + count_parameters(exits) for exits in heads)
    rows = [(plain, one, None), (multi_exit, all_exits, all_exits - one)]
    return [{"model": m, "num_classes": num_classes, "params": n, "extra_params": extra} for m, n, extra in rows]
