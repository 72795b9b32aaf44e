"""Logits of every exit for a split: computed once, all thresholds are then functions of them."""

import numpy as np
import torch

from cosee.batches import DeviceSplit, evaluation_order
from cosee.model import MultiExitModel


@torch.inference_mode()
def predict_logits(model: MultiExitModel, split: DeviceSplit, batch_size: int) -> np.ndarray:
    """Logits [N, M, C] in float32, in the order of the rows, dropout off; the model is left in its former mode.

    Rows of like length share a batch. Always float32: a change of batch size then moves logits by rounding only.
    """
    was_training = model.training
    model.eval()
    order = list(evaluation_order(split.lengths, batch_size))
    logits = torch.cat([model(split.batch(rows)).float() for rows in order]).cpu().numpy()
    model.train(was_training)
    unsorted = np.empty_like(logits)
    unsorted[np.concatenate(order)] = logits
    return unsorted
