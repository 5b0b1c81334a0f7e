"""The calls that use the kernels by themselves, and when they do not."""

from importlib import metadata

import numpy as np
import pytest
import torch

from gumbel_tutorial import categorical, checks, fused, kernels, nn
from gumbel_tutorial.book import statistics

pytestmark = pytest.mark.cuda


@pytest.fixture
def taken(device, monkeypatch):
    """Return what the kernels are asked for; the interpreter's tensors pass for those of a GPU."""
    calls = []
    for name in ("gumbel_softmax", "sample"):
        plain = getattr(kernels, name)

        def call(*args, name=name, plain=plain, **kwargs):
            calls.append(name)
            return plain(*args, **kwargs)

        monkeypatch.setattr(kernels, name, call)
    if device.type == "cpu":
        monkeypatch.setattr(fused, "is_on_gpu", torch.is_tensor)
    return calls


def relaxed_noise(logits, generator, dim=-1):
    state = generator.get_state()
    noise = kernels.gumbel_like(logits.detach().movedim(dim, -1), generator=generator)
    generator.set_state(state)
    return noise.movedim(-1, dim)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("dim", [-1, 0, 1])
def test_gumbel_softmax_takes_them_on_any_dim(dim, hard, taken, device, generator):
    logits = torch.randn(
        4, 5, 6, device=device, generator=generator, requires_grad=True
    )
    tau = torch.rand(4, 5, 6, device=device, generator=generator).amax(dim, True) + 0.1
    noise = relaxed_noise(logits, generator, dim)
    sample = nn.gumbel_softmax(logits, tau, hard, dim=dim, generator=generator)
    assert taken == ["gumbel_softmax"]
    relaxed = ((logits + noise) / tau).softmax(dim)
    if hard:
        assert torch.equal(sample.argmax(dim), relaxed.argmax(dim))
    else:
        torch.testing.assert_close(sample, relaxed)
    grads = torch.randn(4, 5, 6, device=device, generator=generator)
    found, expected = (
        torch.autograd.grad(y, logits, grads)[0] for y in (sample, relaxed)
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [5, 600])
def test_a_single_draw_takes_them(size, taken, device, generator):
    weights = torch.arange(1.0, 6, device=device)
    rows = 2000 if size == 5 else 8
    logits = torch.full((rows, size), -torch.inf, device=device)
    logits[:, :: size // 5] = weights.log()
    index = categorical.sample(logits, generator=generator)
    assert taken == ["sample"]
    assert index.shape == (rows, 1)
    assert (index % (size // 5) == 0).all()
    if size == 5:
        counts = np.bincount(index.flatten().cpu().numpy(), minlength=5)
        assert statistics.chi_square_p_value(counts, np.arange(1, 6) / 15) > 1e-6
        assert statistics.chi_square_p_value(counts, np.full(5, 0.2)) < 1e-6


def test_what_asks_for_another_way_does_not_take_them(taken, device, generator):
    logits = torch.zeros(3, 4, device=device)
    for options in (
        {"num_samples": 2},
        {"method": "inverse-cdf"},
        {"replacement": False},
    ):
        categorical.sample(logits, generator=generator, **options)
    categorical.sample(logits.double(), generator=generator)
    torch.func.vmap(
        lambda row: categorical.sample(row, generator=generator), randomness="different"
    )(logits)
    assert taken == []


def test_faults_are_told_in_the_words_of_the_plain_way(taken, device):
    logits = torch.zeros(3, 4, device=device)
    for arguments, message in (
        ({"tau": 0.0}, "tau must be positive, got 0"),
        ({"dim": 2}, "dim must name one of the 2 axes"),
        (
            {"tau": torch.ones(4, device=device)},
            "tau must have size 1 on the category axis",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            nn.gumbel_softmax(logits, **arguments)
    with pytest.raises(ValueError, match="logits must not be NaN"):
        nn.gumbel_softmax(logits * torch.nan)
    with checks.check_values(False):
        nn.gumbel_softmax(logits - torch.inf)
    assert taken


@pytest.mark.parametrize("version", [None, "3.2.0"])
def test_without_triton_or_with_an_old_one_the_plain_way_is_taken(
    version, taken, device, generator, monkeypatch
):
    def found(name):
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", found)
    monkeypatch.setattr(fused, "_has_triton", fused._has_triton.__wrapped__)
    logits = torch.zeros(3, 4, device=device)
    assert categorical.sample(logits, generator=generator).shape == (3, 1)
    assert taken == []
