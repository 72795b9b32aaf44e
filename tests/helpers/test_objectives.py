import pytest
import torch
from helpers.objectives import NoWaiting


@pytest.mark.parametrize(
    "waits",
    [
        lambda x: x.sum().item(),
        lambda x: float(x.max()),
        lambda x: x[x > 0],
        lambda x: bool((x > 0).all()),
        lambda x: torch.nonzero(x),
    ],
)
def test_the_guard_sees_what_waits(waits):
    with pytest.raises(AssertionError, match="waits for the device"), NoWaiting():
        waits(torch.ones(3))
