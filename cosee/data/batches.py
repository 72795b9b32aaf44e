"""Batches of token ids: gathered on the device, sorted by length, padded to the longest example of the batch."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cosee.data.tokens import TokenSplit

POOL_BATCHES = 32
"""Batches per pool that is sorted by length: enough to save padding, few enough to stay random."""


@dataclass(frozen=True)
class Batch:
    """A padded batch.

    Attributes:
        input_ids: token ids [B, T].
        attention_mask: true for tokens that are not padding [B, T]; None: no padding.
        token_type_ids: segment of every token [B, T].
        labels: label ids [B].
        rows: positions of the examples in the split [B].
    """

    input_ids: Tensor
    attention_mask: Tensor | None
    token_type_ids: Tensor
    labels: Tensor
    rows: Tensor

    def __len__(self) -> int:
        """B, the number of examples."""
        return len(self.labels)


class DeviceSplit:
    """One split whose token ids live on a device as a single tensor; batches are gathered there.

    No worker processes, and in a step only the positions of the examples are copied from the host.
    """

    def __init__(self, split: TokenSplit, device: torch.device, pad_id: int = 0) -> None:
        """Move the ids to `device`; `pad_id` fills the padding, which the attention mask hides."""
        self.lengths = split.lengths  # on the host, so that the padded length needs no synchronization
        self.device = device
        self.pad_id = pad_id
        self.ids = torch.as_tensor(split.ids, device=device)
        self.offsets = torch.as_tensor(split.offsets, device=device)
        self.second = torch.as_tensor(split.second, device=device)
        self.labels = torch.as_tensor(split.labels, dtype=torch.int64, device=device)

    def __len__(self) -> int:
        """N, the number of examples."""
        return len(self.lengths)

    def batch(self, rows: np.ndarray) -> Batch:
        """Gather the examples at the given positions [B], padded to the longest of them."""
        lengths = self.lengths[rows]
        longest = int(lengths.max())
        index = torch.as_tensor(rows).to(self.device, non_blocking=True)  # no synchronization
        position = torch.arange(longest, device=self.device)
        start, stop = self.offsets[index], self.offsets[index + 1]
        inside = position < (stop - start)[:, None]
        flat = (start[:, None] + position).clamp(max=len(self.ids) - 1)
        ids = torch.where(inside, self.ids[flat].long(), self.pad_id)
        types = ((position >= self.second[index][:, None]) & inside).long()
        return Batch(ids, inside if lengths.min() < longest else None, types, self.labels[index], index)


def training_order(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Positions of the examples of every batch of one epoch: each once, similar lengths together, in random order.

    The examples are shuffled, cut into pools of `POOL_BATCHES` batches, sorted by length within a pool and cut into
    batches, so that padding is small and batches differ between epochs. One batch may be smaller.
    """
    shuffled = rng.permutation(len(lengths))
    pool = batch_size * POOL_BATCHES
    batches = []
    for begin in range(0, len(shuffled), pool):
        rows = shuffled[begin : begin + pool]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches += [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def evaluation_order(lengths: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Positions of the examples of every batch, shortest examples first; each once."""
    order = np.argsort(lengths, kind="stable")
    return (order[i : i + batch_size] for i in range(0, len(order), batch_size))
