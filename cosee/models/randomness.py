"""Random streams of torch; apart from `cosee.seeds`, which is also needed where torch is not."""

import torch

from cosee.seeds import derive


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """Torch CPU generator of a named stream of a run's seed."""
    return torch.Generator().manual_seed(derive(seed, *names))
