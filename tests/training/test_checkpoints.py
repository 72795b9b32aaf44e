import numpy as np
import torch
from torch import nn

from cosee.training.checkpoints import Checkpoints, improved


def test_every_rule_keeps_its_own_best_checkpoint_and_of_equals_the_earlier():
    epochs = [{"patience": 0.7, "pcee": np.nan}, {"patience": 0.7, "pcee": 0.5}, {"patience": 0.6, "pcee": 0.8}]
    best, chosen = {}, {}
    for epoch, scores in enumerate(epochs):
        for rule in improved(best, scores):
            best[rule], chosen[rule] = scores[rule], epoch
    assert chosen == {"patience": 0, "pcee": 2}
    assert improved({}, {"pcee": np.nan}) == []


def test_weights_are_kept_once_for_each_epoch_that_a_rule_needs():
    model, checkpoints, weights = nn.Linear(2, 1), Checkpoints(), []
    needed = [["patience", "pcee"], ["pcee"], [], ["pcee"], ["patience"]]
    expected = [{0}, {0, 1}, {0, 1}, {0, 3}, {3, 4}]
    for epoch, (rules, epochs) in enumerate(zip(needed, expected, strict=True)):
        with torch.no_grad():
            model.weight += 1
        weights.append(model.weight.detach().clone())
        checkpoints.keep(model, epoch, {"patience": epoch / 10, "pcee": epoch / 5}, rules)
        assert checkpoints.weights.keys() == epochs
        assert all(torch.equal(kept["weight"], weights[each]) for each, kept in checkpoints.weights.items())
    assert checkpoints.epoch == {"patience": 4, "pcee": 3} and checkpoints.score == {"patience": 0.4, "pcee": 0.6}
    assert checkpoints.rules_by_epoch() == {4: ["patience"], 3: ["pcee"]}
