"""The two short ways to a sample are the general one, from the same noise, up to rounding."""

import pytest
import torch
from helpers.nn import rounding

import gumbel_tutorial as gt
from gumbel_tutorial import noise
from gumbel_tutorial.nn import gumbel_softmax, plain

FEW = [(1, 5), (5,), (64, 10), (9, 7, 3), (40, 40), (1, 1)]
# In parts: of many rows the last is shorter, and one row is longer than a part.
MANY = [(15_000, 10), (300, 7, 16), (3000,), (3, 70_000), (2100, 1)]
SHAPES = [*FEW, *MANY]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def some_logits(shape, far, dtype=torch.float32):
    """Return logits that are taken as they are, or, far, relative to the largest of their row."""
    logits = torch.randn(shape, dtype=dtype, generator=seeded(1))
    if far:
        logits = 3 * logits + 40
    if far and shape[-1] > 1:
        logits[..., 0] = -torch.inf
    return logits


def both_ways(monkeypatch, logits, *arguments, **named):
    """Return sample, gradient and the generator's state, by the short way and by the general one."""
    found = []
    for short in (True, False):
        with monkeypatch.context() as patch:
            if not short:
                patch.setattr(plain, "is_plain", lambda *_: False)
            leaf, generator = logits.clone().requires_grad_(), seeded(2)
            sample = gumbel_softmax(leaf, *arguments, generator=generator, **named)
            with torch.no_grad():
                value = gumbel_softmax(leaf, *arguments, generator=seeded(2), **named)
            torch.testing.assert_close(value, sample.detach(), rtol=2e-5, atol=0)
            weights = torch.arange(1.0, 1 + logits.numel()).reshape(logits.shape).sin()
            (sample * weights.to(sample)).sum().backward()
            found.append((sample.detach(), leaf.grad, generator.get_state()))
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tau", [0.1, 0.5, 1, 1.0, 3.0])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("far", [False, True])
def test_a_soft_sample_and_its_gradient_are_those_of_the_general_way(
    far, shape, tau, dtype, monkeypatch
):
    logits = some_logits(shape, far, dtype)
    assert plain.is_plain(logits, tau, -1, None)
    short, general = both_ways(monkeypatch, logits, tau)
    gumbels = noise.gumbel_like(logits, generator=seeded(2))
    bound = rounding(logits, gumbels, tau)
    # Below the smallest normal number the digits are fixed, not their count.
    least = torch.finfo(dtype).smallest_normal * bound
    torch.testing.assert_close(short[0], general[0], rtol=bound, atol=least)
    # A gradient is a difference of terms that are at most 1 / tau.
    torch.testing.assert_close(short[1], general[1], rtol=0, atol=2 * bound / tau)
    assert torch.equal(short[2], general[2])


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("shape", [(6, 4), (30, 20), (25_000, 6), (60, 3000)])
@pytest.mark.parametrize("far", [False, True])
def test_a_hard_sample_is_exactly_that_of_the_general_way(far, shape, dim, monkeypatch):
    logits = some_logits(shape, far).clamp(min=-50)
    if far:
        logits[0, 0] = -torch.inf
    for tau in (0.5, 1):
        short, general = both_ways(monkeypatch, logits, tau, True, dim=dim)
        assert torch.equal(short[0], general[0])
        torch.testing.assert_close(short[1], general[1], rtol=0, atol=1e-4)
        assert set(short[0].unique().tolist()) == {0.0, 1.0}
        drawn = gumbel_softmax(logits, tau, True, dim=dim, generator=seeded(2))
        assert torch.equal(drawn, short[0])


def test_the_gradient_of_the_short_way_has_a_derivative():
    logits = torch.randn(4, 3, dtype=torch.float64, generator=seeded())

    def draw(leaf):
        return gumbel_softmax(leaf, 0.7, generator=seeded(5))

    assert plain.is_plain(logits, 0.7, -1, None)
    leaf = logits.requires_grad_()
    assert torch.autograd.gradcheck(draw, leaf)
    assert torch.autograd.gradgradcheck(draw, leaf)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("shape", [(800, 3), (120, 20)])
def test_the_gradient_of_many_rows_has_the_derivative_of_the_general_way(
    shape, hard, monkeypatch
):
    logits = torch.randn(shape, dtype=torch.float64, generator=seeded())
    slope = torch.randn(shape, dtype=torch.float64, generator=seeded(3))

    def second_derivative():
        leaf, weights = logits.clone().requires_grad_(), slope.clone().requires_grad_()
        sample = gumbel_softmax(leaf, 0.7, hard, generator=seeded(5))
        (first,) = torch.autograd.grad(
            (sample * weights).sum(), leaf, create_graph=True
        )
        return torch.autograd.grad((first**2).sum(), (leaf, weights))

    short = second_derivative()
    monkeypatch.setattr(plain, "is_plain", lambda *_: False)
    torch.testing.assert_close(short, second_derivative(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("hard", [False, True])
def test_of_many_rows_the_graph_keeps_the_relaxed_sample_alone(hard):
    kept = []

    def keep(tensor):
        kept.append(tensor)
        return tensor

    logits = torch.zeros(500, 8, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        sample = gumbel_softmax(logits, 0.5, hard, generator=seeded())
    (relaxed,) = kept
    expected = gumbel_softmax(logits.detach(), 0.5, generator=seeded())
    assert torch.equal(relaxed, expected)
    assert torch.equal(sample.argmax(-1), expected.argmax(-1))


def test_many_rows_take_strides_parameters_and_no_default_device():
    rows = torch.randn(60, 70, generator=seeded())
    expected = gumbel_softmax(rows.T.contiguous(), 0.5, True, generator=seeded(1))
    with torch.device("meta"):
        for logits in (rows.T, torch.nn.Parameter(rows.T)):
            sample = gumbel_softmax(logits, 0.5, True, generator=seeded(1))
            assert torch.equal(sample, expected)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (torch.nan, "logits must not be NaN, got nan at index"),
        (torch.inf, "logits must be below [+]inf, got inf"),
        (-torch.inf, "logits must leave a category open in every row"),
    ],
)
@pytest.mark.parametrize("shape", [(5, 3), (2000, 3), (5, 2000)])
def test_a_fault_is_found_and_named(shape, entry, message, graph, hard):
    logits = torch.zeros(shape)
    logits[3] = entry
    with pytest.raises(ValueError, match=message):
        gumbel_softmax(logits.requires_grad_(graph), 0.5, hard)
    with gt.check_values(False):
        gumbel_softmax(logits, 0.5, hard)


@pytest.mark.parametrize("rows", [64, 640])
def test_an_offset_costs_the_noise_no_digits(rows):
    logits = torch.randn(rows, 10, generator=seeded()).round()
    # Two entries of at most 64 units, each rounded twice, in the exponent of a ratio.
    rounding = 4 * 64 * 2.0**-24
    for offset in (1e7, -1e7):
        for leaf in (logits + offset, (logits + offset).requires_grad_()):
            moved = gumbel_softmax(leaf, 0.5, generator=seeded(1)).detach()
            close = gumbel_softmax(logits, 0.5, generator=seeded(1))
            torch.testing.assert_close(moved, close, rtol=rounding, atol=0)


def test_noise_that_is_not_finite_is_drawn_again(monkeypatch):
    draws = noise.plain_exponential
    monkeypatch.setattr(
        plain, "plain_exponential", lambda *given: draws(*given).mul_(0)
    )
    for graph in (False, True):
        sample = gumbel_softmax(torch.zeros(4, 3).requires_grad_(graph), 0.5)
        torch.testing.assert_close(sample.sum(-1), torch.ones(4))


def test_the_noise_of_few_numbers_is_that_of_many():
    few = torch.zeros(200)
    drawn = noise.plain_exponential(few, seeded())
    gumbels = noise.gumbel_like(few, generator=seeded())
    torch.testing.assert_close(-drawn.log(), gumbels, rtol=2.0**-23, atol=2.0**-23)


def test_somebody_else_than_plain_eager_code_goes_the_general_way():
    logits = torch.zeros(2, 3)
    assert plain.is_plain(logits, 0.5, -1, None)
    assert plain.is_plain(logits, 0.5, -1, seeded())
    for other in (logits.half(), logits[:0], logits.to_sparse(), [0.0]):
        assert not plain.is_plain(other, 0.5, -1, None)
    for tau in (True, 0.0, -1.0, 1e-30, float("nan"), torch.tensor(0.5), "1"):
        assert not plain.is_plain(logits, tau, -1, None)
    for dim in (2, -3, True, 0.0, None):
        assert not plain.is_plain(logits, 0.5, dim, None)
    assert not plain.is_plain(logits, 0.5, -1, "seed")
    seen = []
    torch.func.vmap(lambda row: seen.append(plain.is_watched()) or row)(logits)
    torch.func.grad(lambda row: seen.append(plain.is_watched()) or row.sum())(logits)
    with torch.autograd.forward_ad.dual_level():
        seen.append(plain.is_watched())
    with torch._subclasses.FakeTensorMode():
        seen.append(plain.is_watched())
    assert seen == [True] * 4
    assert not plain.is_watched()
