"""Tiny models, and thresholds between their scores."""

import numpy as np
from helpers.tiny import HIDDEN, LAYERS

from cosee.models.heads import LinearExits
from cosee.models.loading import load_backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.models.randomness import torch_generator


def between(scores: np.ndarray) -> list[float]:
    """Five thresholds over the range of the scores, none near a score: rounding differs between batch shapes."""
    values = np.unique(scores)
    gaps = np.diff(values)
    places = [part[np.argmax(gaps[part])] for part in np.array_split(np.arange(len(gaps)), 5) if len(part)]
    return [float((values[place] + values[place + 1]) / 2) for place in places]


def make_model(folder, num_classes=2, depths=range(1, LAYERS + 1), dropout=0.0, seed=0):
    depths = list(depths)
    heads = LinearExits(len(depths), HIDDEN, num_classes, dropout, torch_generator(seed, "heads"))
    return MultiExitModel(load_backbone(folder), heads, depths).eval()
