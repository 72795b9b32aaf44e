"""Outputs of every exit for a split, computed once; results for all thresholds are functions of them."""

from typing import NamedTuple

import numpy as np
import torch

from cosee.data.batches import DeviceSplit, evaluation_order
from cosee.models.multi_exit import MultiExitModel


class Predicted(NamedTuple):
    """Logits of all exits [N, M, C], and learned scores [N, M], if the method has them; float32."""

    logits: np.ndarray
    learned_scores: np.ndarray | None = None


@torch.inference_mode()
def predict(model: MultiExitModel, split: DeviceSplit, batch_size: int) -> Predicted:
    """Outputs of all exits in the order of the examples, dropout off; the model's mode is restored afterwards.

    Examples of similar length share a batch, the longest first: later batches then reuse the memory of the first one,
    while a GPU's allocator would reserve more for each batch that is longer than the last. Always float32, so that a
    change of batch size changes logits by rounding only.
    """
    was_training = model.training
    model.eval()
    order = list(evaluation_order(split.lengths, batch_size))[::-1]
    outputs = [model.outputs(split.batch(rows)) for rows in order]
    model.train(was_training)
    sorted_back = np.argsort(np.concatenate(order))
    logits, learned_scores = ([part for part in parts if part is not None] for parts in zip(*outputs, strict=True))
    both = (
        torch.cat(parts).float().cpu().numpy()[sorted_back] if parts else None for parts in (logits, learned_scores)
    )
    return Predicted(*both)


def nan_outputs(num_examples: int, model: MultiExitModel) -> Predicted:
    """NaN for all examples and exits, stored in place of the outputs of a diverged model."""
    return Predicted(np.full((num_examples, model.num_exits, model.exits.num_classes), np.nan, dtype=np.float32))
