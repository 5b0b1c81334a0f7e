"""Adam's step without what torch does around it."""

import torch

from gumbel_tutorial.vae.training import optimizer


def some_parameters():
    shapes = [(3, 4), (3,), (2, 3)]
    return [
        torch.nn.Parameter(
            torch.linspace(-1, 1, 12)[: size[0] * size[-1]].reshape(size)
        )
        if len(size) == 2
        else torch.nn.Parameter(torch.ones(size))
        for size in shapes
    ]


def test_a_step_is_that_of_torch_number_for_number(torch_generator):
    ours, theirs = some_parameters(), some_parameters()
    own, other = optimizer.fused_adam(ours), torch.optim.Adam(theirs, fused=True)
    for number, rate in enumerate([0.1, 0.01, 0.3, 0.02]):
        optimizer.forget_gradients(own)
        assert all(parameter.grad is None for parameter in ours)
        other.zero_grad()
        # The last parameter has no gradient at first, and its moments begin later.
        for pair in list(zip(ours, theirs, strict=True))[: 2 if number < 2 else 3]:
            gradient = torch.randn(pair[0].shape, generator=torch_generator)
            for parameter in pair:
                parameter.grad = gradient.clone()
        optimizer.step(own, rate)
        other.param_groups[0]["lr"] = rate
        other.step()
        for pair in zip(ours, theirs, strict=True):
            assert torch.equal(*pair)
    saved, expected = own.state_dict()["state"], other.state_dict()["state"]
    torch.testing.assert_close(saved, expected, rtol=0, atol=0)
    assert own.param_groups[0]["lr"] == 0.02
