"""Early exit for real: layer by layer, a sample stops where its exit rule says so, and later layers see only the rest.

Gives the predictions and exit layers that `cosee.exits.exit_layers` simulates from stored logits.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from cosee.batches import Batch
from cosee.errors import InputError
from cosee.model import MultiExitModel
from cosee.rules import Rule


@torch.inference_mode()
def early_exit(
    model: MultiExitModel,
    batch: Batch,
    rule: Rule,
    threshold: float,
    on_layer: Callable[[int, int], None] = lambda layer, rows: None,
) -> tuple[Tensor, Tensor]:
    """Predict a batch, each row at the first exit whose score passes the threshold.

    Rows that are done leave the batch (row compaction), so that the work saved is time saved; with one row the
    computation simply stops.

    Args:
        model: a model in eval mode with an exit after every layer.
        batch: input rows; labels are not used.
        rule: exit rule.
        threshold: of the rule's score; strict comparison, as in training and in the sweep.
        on_layer: called before every layer with its index (0-based) and the number of rows that it computes.

    Returns:
        Logits of the exit taken [B, C] and exit layers [B], 0-based.

    Raises:
        InputError: the rule cannot be decided row by row.
    """
    if not rule.is_online:
        raise InputError(f"exit rule {rule.name}: serves to evaluate whole splits alone; choose one for single rows.")
    hidden, mask = model.backbone.embed(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    rows = torch.arange(len(batch), device=hidden.device)  # position in the batch of every row still computed
    logits = hidden.new_empty(len(batch), model.exits.num_classes, dtype=torch.float32)
    exits = torch.full_like(rows, model.num_exits - 1)
    past = hidden.new_empty(len(batch), 0, model.exits.num_classes, dtype=torch.float32)  # logits so far [B, m, C]
    learnt = hidden.new_empty(len(batch), 0, dtype=torch.float32)  # scores so far [B, m]
    memory = None
    for layer in range(model.num_exits):
        on_layer(layer, len(rows))
        hidden = model.backbone.layer(layer, hidden, mask)
        here, memory = model.exits.at(layer, hidden[:, 0], model.backbone, memory)
        if layer == model.num_exits - 1:
            logits[rows] = here.logits.float()
            break
        past = torch.cat([past, here.logits.float()[:, None]], dim=1)
        if here.scores is not None:
            learnt = torch.cat([learnt, here.scores.float()[:, None]], dim=1)
        # In float64 like `Predictions.scores`: rounding would make ties of confident scores.
        score = rule.score(past.double(), learnt.double())[:, -1]
        done = score < threshold if rule.harder_is == "larger" else score > threshold
        if not done.any():
            continue
        logits[rows[done]], exits[rows[done]] = past[done, -1], layer
        if done.all():
            break
        rows, hidden, past, learnt = rows[~done], hidden[~done], past[~done], learnt[~done]
        mask = None if mask is None else mask[~done]
        memory = None if memory is None else memory[~done]
    return logits, exits
