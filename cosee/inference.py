"""Early exit for real: layer by layer, a sample stops where its signal says so, and later layers see only the rest.

Gives the predictions and exit layers that `cosee.exits.exit_layers` simulates from stored logits.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from cosee.batches import Batch
from cosee.model import MultiExitModel
from cosee.signals import Signal


@torch.inference_mode()
def early_exit(
    model: MultiExitModel,
    batch: Batch,
    signal: Signal,
    threshold: float,
    on_layer: Callable[[int, int], None] = lambda layer, rows: None,
) -> tuple[Tensor, Tensor]:
    """Predict a batch, each row at the first exit whose signal passes the threshold.

    Rows that are done leave the batch (row compaction), so that the work saved is time saved; with one row the
    computation simply stops.

    Args:
        model: a model in eval mode with an exit after every layer.
        batch: input rows; labels are not used.
        signal: exit signal.
        threshold: of the signal; strict comparison, as in training and in the sweep.
        on_layer: called before every layer with its index (0-based) and the number of rows that it computes.

    Returns:
        Logits of the exit taken [B, C] and exit layers [B], 0-based.
    """
    hidden, mask = model.backbone.embed(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    rows = torch.arange(len(batch), device=hidden.device)  # position in the batch of every row still computed
    logits = hidden.new_empty(len(batch), model.exits.bias.shape[-1], dtype=torch.float32)
    exits = torch.full_like(rows, model.num_exits - 1)
    for layer in range(model.num_exits):
        on_layer(layer, len(rows))
        hidden = model.backbone.layer(layer, hidden, mask)
        here = model.exits.at(layer, hidden[:, 0], model.backbone).float()
        if layer == model.num_exits - 1:
            logits[rows] = here
            break
        score = signal.score(here)
        done = score < threshold if signal.harder_is == "larger" else score > threshold
        if not done.any():
            continue
        logits[rows[done]], exits[rows[done]] = here[done], layer
        if done.all():
            break
        rows, hidden = rows[~done], hidden[~done]
        mask = None if mask is None else mask[~done]
    return logits, exits
