"""Helpers for tests of objectives: given logits, a guard against synchronization."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cosee.data.batches import Batch

CPU = torch.device("cpu")


N = 8


M = 4


class FakeModel:
    """A model whose logits [N, M, C] are given."""

    def __init__(self, logits: torch.Tensor) -> None:
        self.logits, self.num_exits = logits, logits.shape[1]

    def __call__(self, batch: Batch) -> torch.Tensor:
        return self.logits


class NoWaiting(TorchDispatchMode):
    """Fails where the host would have to wait for a value of the device."""

    aten = torch.ops.aten
    forbidden = (aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten.equal, aten.is_nonzero, aten._unique2)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        by_mask = func.overloadpacket is self.aten.index and any(
            i is not None and i.dtype == torch.bool for i in args[1]
        )
        if func.overloadpacket in self.forbidden or by_mask:
            raise AssertionError(f"{func} waits for the device")
        return func(*args, **(kwargs or {}))


def random_logits(seed=0, classes=2, samples=N, exits=M):
    return 2 * torch.randn(samples, exits, classes, generator=torch.Generator().manual_seed(seed))


def batch_of(labels: torch.Tensor) -> Batch:
    empty = torch.zeros(len(labels), 0, dtype=torch.int64)
    return Batch(empty, None, empty, labels, torch.arange(len(labels)))


def random_labels(seed=0, classes=2, samples=N):
    return torch.randint(classes, (samples,), generator=torch.Generator().manual_seed(seed + 100))
