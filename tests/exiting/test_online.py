"""Executed early exit against the simulation: skipped layers are not computed, and nothing else changes."""

import numpy as np
import pytest
import torch
from helpers.models import between
from helpers.objectives import NoWaiting
from helpers.tiny import LAYERS, token_split

from cosee.data.batches import DeviceSplit
from cosee.errors import InputError
from cosee.exiting import online
from cosee.exiting.online import early_exit, last_exit, to_numpy
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers
from cosee.models.heads import LinearExits
from cosee.models.loading import load_backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.models.prediction import predict

ROWS = 12


@pytest.fixture(
    scope="module", params=["tiny_bert", "tiny_albert", "tiny_albert_groups", "tiny_bert_mean", "tiny_mpnet"]
)
def model(request):
    """A multi-exit model in eval mode whose heads are far from zero, so that exits differ."""
    backbone = load_backbone(request.getfixturevalue(request.param))
    heads = LinearExits(LAYERS, backbone.hidden_size, 2, 0.1, torch.Generator().manual_seed(1))
    with torch.no_grad():
        heads.weight.mul_(40)
    return MultiExitModel(backbone, heads).eval()


ANSWERING = {name: rule for name, rule in RULES.items() if not rule.needs_learned_scores and rule.fit is None}


@pytest.mark.parametrize("rule", ANSWERING.values(), ids=ANSWERING)
@pytest.mark.parametrize(("batch_size", "check_every"), [(1, 1), (5, 1), (ROWS, 1), (5, 2), (ROWS, 3), (ROWS, 12)])
def test_real_exits_are_the_simulated_ones(model, rule, batch_size, check_every):
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    logits = predict(model, split, 8).logits
    scores = rule.score(logits[:, :-1].astype(np.float64), None)
    answers = rule.answers(logits.astype(np.float64))
    taken = set()
    for threshold in between(scores):
        simulated = exit_layers(scores, threshold, rule.harder_is)
        for begin in range(0, ROWS, batch_size):
            rows = np.arange(begin, min(begin + batch_size, ROWS))
            real, layers = early_exit(model, split.batch(rows), rule, threshold, check_every=check_every)
            assert layers.tolist() == simulated[rows].tolist()
            np.testing.assert_allclose(real.numpy(), answers[rows, simulated[rows]], rtol=1e-4, atol=1e-5)
        taken |= set(simulated.tolist())
    assert len(taken) > 1  # otherwise the thresholds tell nothing


@pytest.mark.parametrize("check_every", [1, 3])
def test_real_exits_are_those_of_a_fitted_schedule(model, check_every):
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    logits, taken = predict(model, split, 8).logits, set()
    for rule in RULES["eenet"].fit(logits, np.arange(ROWS) % 2):
        scores = rule.score(logits[:, :-1].astype(np.float64), None)
        simulated = exit_layers(scores, rule.thresholds[0], rule.harder_is)
        batch = split.batch(np.arange(ROWS))
        real, layers = early_exit(model, batch, rule, rule.thresholds[0], check_every=check_every)
        assert layers.tolist() == simulated.tolist()
        np.testing.assert_allclose(real.numpy(), logits[np.arange(ROWS), simulated], rtol=1e-4, atol=1e-5)
        taken |= set(simulated.tolist())
    assert len(taken) > 1


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


def test_padding_leaves_with_the_rows_that_needed_it(model, monkeypatch):
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    rule, batch, widths, step = RULES["entropy"], split.batch(np.arange(ROWS)), [], model.backbone.layer
    monkeypatch.setattr(model.backbone, "layer", lambda i, h, mask: widths.append(h.shape[1]) or step(i, h, mask))
    narrowest = max(split.lengths)
    for threshold in between(rule.score(predict(model, split, 8).logits[:, :-1].astype(np.float64), None)):
        widths.clear()
        _, layers = early_exit(model, batch, rule, threshold)
        assert widths == [int(split.lengths[(layers >= layer).numpy()].max()) for layer in range(len(widths))]
        narrowest = min(narrowest, *widths)
    assert narrowest < max(split.lengths)


@pytest.mark.parametrize("check_every", [1, 2, 3])
def test_the_host_waits_for_the_device_only_where_it_asks_who_is_done(model, check_every, monkeypatch):
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    batch, rule = split.batch(np.arange(ROWS)), RULES["pcee"]
    taken, reached, waited = set(), [], set()
    monkeypatch.setattr(online, "to_numpy", lambda *values: waited.add(reached[-1]) or to_numpy(*values))
    for threshold in between(rule.score(predict(model, split, 8).logits[:, :-1].astype(np.float64), None)):
        reached.clear()
        waited.clear()
        with NoWaiting():
            layers = early_exit(model, batch, rule, threshold, lambda layer, _: reached.append(layer), check_every)[1]
        assert waited == {layer for layer in reached if (layer + 1) % check_every == 0 or layer == LAYERS - 1}
        taken |= set(layers.tolist())
    assert len(taken) > 1


def test_one_row_stops_at_its_exit(model):
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    computed = []
    early_exit(model, split.batch(np.array([0])), RULES["softmax"], 0.5, lambda layer, _: computed.append(layer))
    assert computed == [0]  # two classes: the larger probability surpasses one half at once


def test_a_threshold_that_never_fires_is_the_whole_model(model):
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    batch = split.batch(np.arange(ROWS))
    real, layers = early_exit(model, batch, RULES["energy"], 0.0)
    assert layers.tolist() == [LAYERS - 1] * ROWS
    np.testing.assert_allclose(real.numpy(), predict(model, split, ROWS).logits[:, -1], rtol=1e-4, atol=1e-5)
    assert last_exit(model, batch).equal(real)


@pytest.mark.parametrize("name", ["geometric", "mean", "voting"])
def test_the_whole_model_answers_by_all_exits_if_the_rule_does(model, name):
    batch = DeviceSplit(token_split(ROWS), torch.device("cpu")).batch(np.arange(ROWS))
    logits = predict(model, DeviceSplit(token_split(ROWS), torch.device("cpu")), ROWS).logits
    expected = RULES[name].answers(logits.astype(np.float64))[:, -1]
    np.testing.assert_allclose(last_exit(model, batch, RULES[name]).numpy(), expected, rtol=1e-4, atol=1e-5)
    assert last_exit(model, batch, RULES["beem"]).equal(last_exit(model, batch))


def test_confident_scores_are_told_apart_as_in_the_simulation(tiny_bert):
    backbone = load_backbone(tiny_bert)
    heads = LinearExits(LAYERS, backbone.hidden_size, 2, 0.1, torch.Generator().manual_seed(1))
    with torch.no_grad():
        heads.bias[:, 1] = 20  # a probability of 1 but for some 1e-9, which float32 cannot say
    sure = MultiExitModel(backbone, heads).eval()
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    logits, rule = predict(sure, split, 8).logits, RULES["softmax"]
    assert (rule.score(logits, None) == 1).all()
    scores = rule.score(logits[:, :-1].astype(np.float64), None)
    threshold = between(scores[:, :1])[2]  # some examples exit at the first, others do not
    simulated = exit_layers(scores, threshold, rule.harder_is)
    assert len(set(simulated)) > 1
    _, layers = early_exit(sure, split.batch(np.arange(ROWS)), rule, threshold)
    assert layers.tolist() == simulated.tolist()


def test_a_rule_that_needs_the_whole_split_is_refused(model):
    split = DeviceSplit(token_split(ROWS), torch.device("cpu"))
    with pytest.raises(InputError, match="is offline-only"):
        early_exit(model, split.batch(np.arange(ROWS)), RULES["sampled"], 0.0)
