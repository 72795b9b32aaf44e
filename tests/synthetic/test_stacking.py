"""Progressive stacking: duplication of layers, the stages' depths and steps, and batches of similar length."""

from itertools import islice

import pytest
import torch
from torch import nn

from cosee.synthetic.stacking import STAGES, duplicated, endless_batches, first_depth, train_stacked


@pytest.mark.parametrize("num_layers", [1, 2, 3, 4, 12])
def test_layers_are_followed_by_their_copies(num_layers):
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(first_depth(num_layers)))
    for part, _ in STAGES:
        for index, layer in enumerate(layers):
            nn.init.constant_(layer.weight, index)
        before, layers = len(layers), duplicated(layers, max(1, num_layers // part))
        origin = [int(layer.weight[0, 0]) for layer in layers]
        assert origin == sorted(origin) and set(origin) == set(range(before))
    assert len(layers) == num_layers
    assert len({layer.weight.data_ptr() for layer in layers}) == num_layers  # each learns on its own


def test_the_model_deepens_at_the_beginning_of_every_stage():
    model, depths, seen = nn.Linear(3, 1), [], []
    inputs = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))

    def next_loss():
        seen.append(depths[-1])
        return (model(inputs) - 1).square().mean()

    losses = train_stacked(model, depths.append, next_loss, num_layers=8, steps=100, learning_rate=0.1)
    assert depths == [2, 4, 8]
    assert seen == [2] * 85 + [4] * 8 + [8] * 7
    assert len(losses) == 100 and losses[-1] < 0.5 * losses[0]


def test_every_pass_has_each_text_once_and_the_longest_texts_share_batches():
    lengths = torch.arange(1, 65)[torch.randperm(64, generator=torch.Generator().manual_seed(1))]
    batches = endless_batches(lengths, 4, torch.Generator().manual_seed(0))
    first, second = list(islice(batches, 16)), list(islice(batches, 16))
    for passed in (first, second):
        assert torch.cat(passed).sort().values.tolist() == list(range(64))
        assert all(lengths[rows].max() - lengths[rows].min() == 3 for rows in passed)  # 64 texts are one pool
    assert not all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
