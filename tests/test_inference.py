"""The saved layers are really not computed, and nothing else changes: real early exit against the simulation."""

import numpy as np
import pytest
import torch
from tiny import LAYERS, token_split

from cosee.backbone import load_backbone
from cosee.batches import DeviceSplit
from cosee.errors import InputError
from cosee.exits import exit_layers
from cosee.heads import LinearExits
from cosee.inference import early_exit
from cosee.model import MultiExitModel
from cosee.prediction import predict
from cosee.rules import RULES

ROWS = 12


@pytest.fixture(scope="module", params=["tiny_bert", "tiny_albert", "tiny_albert_groups"])
def model(request):
    """A multi-exit model in eval mode whose heads are far from zero, so that exits differ."""
    backbone = load_backbone(request.getfixturevalue(request.param))
    heads = LinearExits(LAYERS, backbone.hidden_size, 2, 0.1, torch.Generator().manual_seed(1))
    with torch.no_grad():
        heads.weight.mul_(40)
    return MultiExitModel(backbone, heads, range(1, LAYERS + 1)).eval()


ANSWERING = {name: rule for name, rule in RULES.items() if not rule.needs_scores}


def between(scores: np.ndarray) -> list[float]:
    """Five thresholds over the range of the scores, none near a score: rounding differs between batch shapes."""
    values = np.unique(scores)
    gaps = np.diff(values)
    places = [part[np.argmax(gaps[part])] for part in np.array_split(np.arange(len(gaps)), 5) if len(part)]
    return [float((values[place] + values[place + 1]) / 2) for place in places]


@pytest.mark.parametrize("rule", ANSWERING.values(), ids=ANSWERING)
@pytest.mark.parametrize("batch_size", [1, 5, ROWS])
def test_real_exits_are_the_simulated_ones(model, rule, batch_size):
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    logits = predict(model, split, 8).logits
    scores = rule.score(logits[:, :-1].astype(np.float64), None)
    taken = set()
    for threshold in between(scores):
        simulated = exit_layers(scores, threshold, rule.harder_is)
        for begin in range(0, ROWS, batch_size):
            rows = np.arange(begin, min(begin + batch_size, ROWS))
            real, layers = early_exit(model, split.batch(rows), rule, threshold)
            assert layers.tolist() == simulated[rows].tolist()
            np.testing.assert_allclose(real.numpy(), logits[rows, simulated[rows]], rtol=1e-4, atol=1e-5)
        taken |= set(simulated.tolist())
    assert len(taken) > 1  # otherwise the thresholds tell nothing


def test_finished_rows_leave_the_batch(model):
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    rule = RULES["entropy"]
    scores = rule.score(predict(model, split, 8).logits[:, :-1].astype(np.float64), None)
    threshold = float(np.median(scores))
    computed, batch = [], split.batch(np.arange(ROWS))
    _, layers = early_exit(model, batch, rule, threshold, lambda _, rows: computed.append(rows))
    expected = [int((layers >= layer).sum()) for layer in range(LAYERS)]
    assert computed == [rows for rows in expected if rows]
    assert sum(computed) < ROWS * LAYERS


def test_one_row_stops_at_its_exit(model):
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    computed = []
    early_exit(model, split.batch(np.array([0])), RULES["softmax"], 0.5, lambda layer, _: computed.append(layer))
    assert computed == [0]  # two classes: the larger probability surpasses one half at once


def test_a_threshold_that_never_fires_is_the_whole_model(model):
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    real, layers = early_exit(model, split.batch(np.arange(ROWS)), RULES["energy"], 0.0)
    assert layers.tolist() == [LAYERS - 1] * ROWS
    np.testing.assert_allclose(real.numpy(), predict(model, split, ROWS).logits[:, -1], rtol=1e-4, atol=1e-5)


def test_confident_scores_are_told_apart_as_in_the_simulation(tiny_bert):
    backbone = load_backbone(tiny_bert)
    heads = LinearExits(LAYERS, backbone.hidden_size, 2, 0.1, torch.Generator().manual_seed(1))
    with torch.no_grad():
        heads.bias[:, 1] = 20  # a probability of 1 but for some 1e-9, which float32 cannot say
    sure = MultiExitModel(backbone, heads, range(1, LAYERS + 1)).eval()
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    logits, rule = predict(sure, split, 8).logits, RULES["softmax"]
    assert (rule.score(logits, None) == 1).all()
    scores = rule.score(logits[:, :-1].astype(np.float64), None)
    threshold = between(scores[:, :1])[2]  # some leave at the first exit, others do not
    simulated = exit_layers(scores, threshold, rule.harder_is)
    assert len(set(simulated)) > 1
    _, layers = early_exit(sure, split.batch(np.arange(ROWS)), rule, threshold)
    assert layers.tolist() == simulated.tolist()


def test_a_rule_that_needs_the_whole_split_is_refused(model):
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    with pytest.raises(InputError, match="exit rule sampled: serves to evaluate whole splits alone"):
        early_exit(model, split.batch(np.arange(ROWS)), RULES["sampled"], 0.0)
