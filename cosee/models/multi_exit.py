"""The multi-exit model: a backbone and one head per exit."""

from collections.abc import Collection, Sequence
from contextlib import nullcontext
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from cosee.data.batches import Batch
from cosee.models.backbones import Backbone
from cosee.models.heads import Exits, LinearExits, Outputs
from cosee.models.loading import empty_backbone


class MultiExitModel(nn.Module):
    """A backbone with an exit after all or some of its layers.

    Attributes:
        backbone: the encoder adapter.
        exits: module that turns states into logits.
        exit_depths: 1-based depth of every exit, ascending; the last one is the depth of the backbone.
        mixed_precision: whether the encoder computes in bfloat16 while it is trained (autocast). Heads, and with them
            losses, signals and thresholds, are float32 always: bfloat16 resolves an energy to 0.4 percent only.
    """

    def __init__(self, backbone: Backbone, exits: Exits, exit_depths: Sequence[int] | None = None) -> None:
        """Join a backbone and its exits; with `exit_depths=None` there is one after every layer."""
        super().__init__()
        self.backbone = backbone
        self.exits = exits
        self.exit_depths = tuple(range(1, backbone.num_layers + 1) if exit_depths is None else exit_depths)
        self.mixed_precision = False

    @property
    def num_exits(self) -> int:
        """M, the number of exits."""
        return len(self.exit_depths)

    def forward(self, batch: Batch) -> Tensor:
        """Logits of every exit [B, M, C]."""
        return self.outputs(batch).logits

    def outputs(self, batch: Batch, detached: Collection[int] = ()) -> Outputs:
        """Logits of every exit [B, M, C], and learned scores [B, M], if the method has them.

        Args:
            batch: input examples.
            detached: 0-based layers into which no gradient flows back from later layers.
        """
        return self.exits(self.states(batch, detached), self.backbone)

    def states(self, batch: Batch, detached: Collection[int] = ()) -> Tensor:
        """The state that every exit reads [B, M, H], in float32: of [CLS], or the mean over tokens."""
        device = batch.input_ids.device.type
        mixed = self.mixed_precision and self.training
        # torch's fused attention for CPUs has a slow backward pass in bfloat16, which takes back most of what it gains
        plain = mixed and device == "cpu"
        with (
            torch.autocast(device, torch.bfloat16) if mixed else nullcontext(),
            sdpa_kernel(SDPBackend.MATH) if plain else nullcontext(),
        ):
            states = self.backbone.states(batch.input_ids, batch.attention_mask, batch.token_type_ids, detached)
        states = states.float()
        if self.num_exits < self.backbone.num_layers:
            states = torch.stack([states[:, depth - 1] for depth in self.exit_depths], dim=1)
        return states

    def exit_costs(self, tokens: float) -> tuple[float, ...]:
        """Cost of exiting at every exit [M], in encoder layers: layers executed, plus the exits visited on the way.

        Counting only layers (Eq. 12) is fair among linear heads, which cost less than 0.1 % of a layer of BERT-base;
        the cost of larger heads is included here.

        Args:
            tokens: mean length of the examples, on which the cost of a layer depends.
        """
        visits = accumulate(self.exits.flops(index, self.backbone) for index in range(self.num_exits))
        layer = self.backbone.layer_flops(tokens)
        return tuple(depth + visited / layer for depth, visited in zip(self.exit_depths, visits, strict=True))


def count_parameters(module: nn.Module) -> int:
    """Number of parameters, shared ones counted once."""
    return sum(parameter.numel() for parameter in module.parameters())


def parameter_counts_of(encoder: dict[str, Any], num_classes: int, plain: str, multi_exit: str) -> list[dict[str, Any]]:
    """Parameters of a fine-tuned encoder with one classifier, and those that an exit after every layer adds (Table 4).

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
