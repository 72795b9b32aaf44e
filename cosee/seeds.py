"""Seeds derived from one number by name, so that every random stream is independent and can be redrawn alone."""

import hashlib

import numpy as np


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit seed from a run's seed and the name of the stream; the same on every machine and Python version."""
    digest = hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """NumPy generator of a named stream."""
    return np.random.default_rng(derive(seed, *names))
