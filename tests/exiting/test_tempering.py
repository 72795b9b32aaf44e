"""Rules of exits with temperatures: the rule itself on scaled logits, in simulation and layer by layer."""

import numpy as np
import pytest
import torch
from helpers.models import exits_as_simulated
from helpers.tiny import LAYERS, token_split

from cosee.data.batches import DeviceSplit
from cosee.errors import InputError
from cosee.exiting.online import last_exit
from cosee.exiting.rules import RULES
from cosee.exiting.tempering import tempered
from cosee.models.heads import LinearExits
from cosee.models.loading import load_backbone
from cosee.models.multi_exit import MultiExitModel
from cosee.models.prediction import predict

TEMPERATURES = (0.5, 3.0, 1.0, 0.2)
ANSWERING = {
    name: rule for name, rule in RULES.items() if rule.is_online and not rule.needs_learned_scores and rule.fit is None
}
EACH = pytest.mark.parametrize("rule", ANSWERING.values(), ids=ANSWERING)


def logits_of(num_exits=LAYERS):
    return np.random.default_rng(0).normal(0, 2, (30, num_exits, 3))


@EACH
def test_a_tempered_rule_is_the_rule_on_scaled_logits(rule):
    logits, warm = logits_of(), tempered(rule, TEMPERATURES)
    for m in range(LAYERS + 1):
        scaled = logits[:, :m] / np.array(TEMPERATURES[:m])[:, None]
        np.testing.assert_array_equal(warm.score(logits[:, :m], None), rule.score(scaled, None))
        np.testing.assert_array_equal(warm.answers(logits[:, :m]), rule.answers(scaled))
    with_torch = warm.score(torch.from_numpy(logits), None).numpy()
    np.testing.assert_allclose(with_torch, warm.score(logits, None), rtol=1e-9, atol=1e-12)


@EACH
def test_temperatures_of_one_change_nothing(rule):
    logits, warm = logits_of(), tempered(rule, [1.0] * LAYERS)
    np.testing.assert_array_equal(warm.score(logits, None), rule.score(logits, None))
    np.testing.assert_array_equal(warm.answers(logits), rule.answers(logits))


@pytest.mark.parametrize("name", ["softmax", "pcee", "patience", "geometric", "beem"])
@pytest.mark.parametrize("check_every", [1, 3])
def test_real_exits_are_the_simulated_ones(name, check_every, tiny_bert):
    backbone = load_backbone(tiny_bert)
    heads = LinearExits(LAYERS, backbone.hidden_size, 2, 0.1, torch.Generator().manual_seed(1))
    with torch.no_grad():
        heads.weight.mul_(40)
    model, rule = MultiExitModel(backbone, heads).eval(), tempered(RULES[name], TEMPERATURES)
    split = DeviceSplit(token_split(12), torch.device("cpu"))
    batch, logits = split.batch(np.arange(12)), predict(model, split, 12).logits.astype(np.float64)
    scores, answers = rule.score(logits[:, :-1], None), rule.answers(logits)
    assert len(exits_as_simulated(model, batch, rule, scores, answers, check_every=check_every, atol=1e-4)) > 1
    np.testing.assert_allclose(last_exit(model, batch, rule).numpy(), answers[:, -1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_temperature_is_refused(wrong):
    with pytest.raises(InputError, match="expected finite numbers above 0"):
        tempered(RULES["softmax"], [1.0, wrong])
