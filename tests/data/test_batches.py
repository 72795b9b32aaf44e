import numpy as np
import pytest
import torch
from helpers.tiny import PAD, token_split

from cosee.data.batches import POOL_BATCHES, DeviceSplit, evaluation_order, training_order

CPU = torch.device("cpu")


def padded_by_loops(split, rows, pad_id):
    """Ids, mask and token types of the given rows, padded to the longest, one row at a time."""
    longest = max(int(split.offsets[n + 1] - split.offsets[n]) for n in rows)
    ids, mask, types = [], [], []
    for n in rows:
        row = split.ids[split.offsets[n] : split.offsets[n + 1]].tolist()
        padding = longest - len(row)
        ids.append(row + [pad_id] * padding)
        mask.append([True] * len(row) + [False] * padding)
        types.append([int(i >= split.second[n]) for i in range(len(row))] + [0] * padding)
    return torch.tensor(ids), torch.tensor(mask), torch.tensor(types)


@pytest.mark.parametrize("pad_id", [PAD, 7])
def test_a_batch_equals_naive_padding(pad_id):
    split = token_split(50)
    on_device = DeviceSplit(split, CPU, pad_id)
    for rows in (np.array([0, 49, 7, 7]), np.arange(50), np.array([49]), np.array([3, 2])):
        batch = on_device.batch(rows)
        ids, mask, types = padded_by_loops(split, rows, pad_id)
        assert torch.equal(batch.input_ids, ids)
        assert torch.equal(batch.token_type_ids, types)
        assert (batch.attention_mask is None and mask.all()) or torch.equal(batch.attention_mask, mask)
        assert batch.labels.tolist() == split.labels[rows].tolist()
        assert len(batch) == len(rows)
    assert len(on_device) == 50


def test_the_mask_is_left_out_exactly_where_nothing_is_padded():
    split = token_split(60)
    on_device = DeviceSplit(split, CPU)
    same = np.flatnonzero(split.lengths == split.lengths[0])
    assert len(same) > 1 and on_device.batch(same).attention_mask is None
    assert (
        on_device.batch(np.array([0, int(np.flatnonzero(split.lengths != split.lengths[0])[0])])).attention_mask
        is not None
    )


def test_dtypes_are_those_that_encoders_and_losses_take():
    batch = DeviceSplit(token_split(5), CPU).batch(np.arange(5))
    assert {batch.input_ids.dtype, batch.token_type_ids.dtype, batch.labels.dtype} == {torch.int64}
    assert batch.attention_mask.dtype == torch.bool


@pytest.mark.parametrize(("rows", "batch_size"), [(1, 8), (8, 8), (100, 8), (1000, 16), (8 * POOL_BATCHES + 1, 8)])
def test_every_row_comes_once_an_epoch(rows, batch_size):
    lengths = np.random.default_rng(0).integers(4, 100, rows)
    order = training_order(lengths, batch_size, np.random.default_rng(1))
    assert sorted(np.concatenate(order)) == list(range(rows))
    assert len(order) == -(-rows // batch_size)
    sizes = sorted(len(batch) for batch in order)
    assert sizes[-1] <= batch_size and set(sizes[1:]) <= {batch_size}


def test_epochs_differ_and_can_be_drawn_again():
    lengths = np.random.default_rng(0).integers(4, 100, 300)
    first, again, other = (training_order(lengths, 16, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert {tuple(sorted(batch)) for batch in first} != {tuple(sorted(batch)) for batch in other}


def test_batches_come_in_random_order_of_length():
    lengths = np.random.default_rng(0).integers(4, 100, 16 * POOL_BATCHES)
    means = [lengths[batch].mean() for batch in training_order(lengths, 16, np.random.default_rng(1))]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.5


def test_little_is_padded_even_where_lengths_are_skewed():
    lengths = np.minimum(128, np.random.default_rng(0).lognormal(3, 0.8, 20_000)).astype(int) + 3

    def padding(order):
        return 1 - lengths.sum() / sum(lengths[batch].max() * len(batch) for batch in order)

    shuffled = np.array_split(np.random.default_rng(2).permutation(len(lengths)), len(lengths) // 32)
    assert padding(shuffled) > 0.5
    assert padding(training_order(lengths, 32, np.random.default_rng(1))) < 0.1
    assert padding(evaluation_order(lengths, 32)) < 0.01


def test_evaluation_takes_every_row_once_shortest_first():
    lengths = np.random.default_rng(0).integers(4, 30, 101)
    order = list(evaluation_order(lengths, 8))
    assert sorted(np.concatenate(order)) == list(range(101))
    assert (np.diff(lengths[np.concatenate(order)]) >= 0).all()
    assert [len(batch) for batch in order] == [8] * 12 + [5]
