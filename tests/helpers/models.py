"""Tiny models, thresholds between their scores, and their exits beside the simulated ones."""

import numpy as np
from helpers.tiny import HIDDEN, LAYERS

from cosee.data.batches import Batch
from cosee.exiting.online import early_exit
from cosee.exiting.rules import Rule
from cosee.exiting.simulation import exit_layers
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


def exits_as_simulated(
    model: MultiExitModel,
    batch: Batch,
    rule: Rule,
    scores: np.ndarray,
    answers: np.ndarray,
    *,
    check_every: int = 1,
    rtol: float = 1e-4,
    atol: float = 1e-5,
) -> set[int]:
    """Exits that a batch really takes at some thresholds, each checked with its answer against the simulation.

    Args:
        model: in evaluation mode.
        batch: examples.
        rule: exit rule.
        scores: of their internal exits [B, M-1].
        answers: logits of their exits, or what the rule makes of them [B, M, C].
        check_every: layers between two exit tests.
        rtol: relative tolerance of the answers.
        atol: absolute tolerance of the answers.
    """
    taken: set[int] = set()
    for threshold in between(scores):
        simulated = exit_layers(scores, threshold, rule.harder_is)
        real, layers = early_exit(model, batch, rule, threshold, check_every=check_every)
        assert layers.tolist() == simulated.tolist()
        np.testing.assert_allclose(real.numpy(), answers[np.arange(len(answers)), simulated], rtol=rtol, atol=atol)
        taken |= set(simulated.tolist())
    return taken
