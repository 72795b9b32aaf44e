"""Named random streams (`cosee.seeds`) as generators of torch."""

import torch

from cosee.seeds import derive


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """Torch CPU generator of a named stream."""
    return torch.Generator().manual_seed(derive(seed, *names))
