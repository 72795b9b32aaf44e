import torch

from cosee.models.randomness import torch_generator


def test_generators_draw_the_same_again_and_leave_the_global_one_alone():
    before = torch.get_rng_state()
    first = torch.rand(5, generator=torch_generator(1, "a"))
    assert torch.equal(first, torch.rand(5, generator=torch_generator(1, "a")))
    assert not torch.equal(first, torch.rand(5, generator=torch_generator(2, "a")))
    assert not torch.equal(first, torch.rand(5, generator=torch_generator(1, "b")))
    assert torch.equal(torch.get_rng_state(), before)
