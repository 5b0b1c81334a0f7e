"""MVE: its matrices against a minimum by brute force, its limits, and what "least variance" leaves out."""

import math

import pytest
import torch
from helpers.estimators import draws, enumerate_mean, enumerate_variance, seeded

from gumbel_tutorial import estimators
from gumbel_tutorial.estimators import minimum_variance
from gumbel_tutorial.estimators.minimum_variance import (
    minimum_variance_gradient,
    minimum_variance_jacobian,
)
from gumbel_tutorial.laboratory.measurement import exact_gradient
from gumbel_tutorial.laboratory.problems import PROBLEMS

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
TEMPERATURES = [0.0, 1e-3, 1.0, 10.0, 1e4, 1e8, math.inf]
SOME = ["linear", "quadratic", "cubic", "exp+tanh", "network", "toy 0.45"]


def some_probs(num_categories, seed=0, spread=1.0):
    logits = torch.randn(num_categories, dtype=torch.float64, generator=seeded(seed))
    return (spread * logits).softmax(-1)


def matrices(probs, temperature):
    """Return S(x) for every category x, (K, K, K)."""
    eye = torch.eye(len(probs)).to(probs)
    return minimum_variance_jacobian(probs.expand_as(eye), eye, temperature)


def errors_on_products(probs):
    """Return the matrix from one column of S, (K * K,), to its means for z_a z_b."""
    size = len(probs)
    rows = torch.zeros(size, size, size, size).to(probs)
    for a in range(size):
        for b in range(size):
            rows[a, b, b, a] += probs[b]
            rows[a, b, a, b] += probs[a]
    return rows.reshape(size**2, size**2)


def means(probs):
    """Return the matrix from one column of S to its mean over x."""
    return torch.einsum("x,ij->ixj", probs, torch.eye(len(probs)).to(probs)).flatten(1)


def aims(probs):
    """Return what the means for z_a z_b, and those over x, should be."""
    jacobian = probs.diag() - probs.outer(probs)
    products = torch.eye(len(probs)).to(probs)[..., None] * jacobian[:, None]
    return products.flatten(0, 1), jacobian


def by_brute_force(probs, temperature, price=0.5):
    """Return S by the linear equations of the constrained minimum, all K^3 unknowns and their multipliers."""
    size = len(probs)
    products, mean = errors_on_products(probs), means(probs)
    aim, jacobian = aims(probs)
    spread = probs.repeat_interleave(size).diag()
    weight = price * temperature
    top = torch.cat([spread + weight * products.T @ products, mean.T], 1)
    bottom = torch.cat([mean, torch.zeros(size, size).to(probs)], 1)
    right = torch.cat([weight * products.T @ aim, jacobian])
    found = torch.linalg.lstsq(torch.cat([top, bottom]), right, driver="gelsd")
    return found.solution[: size**2].reshape(size, size, size)


@pytest.mark.parametrize("num_categories", [2, 3, 5])
@pytest.mark.parametrize("temperature", [0.0, 1e-3, 1.0, 10.0, 1e3])
def test_the_matrices_are_the_constrained_minimum(temperature, num_categories):
    probs = some_probs(num_categories)
    expected = by_brute_force(probs, temperature)
    torch.testing.assert_close(
        matrices(probs, temperature), expected, rtol=1e-9, atol=1e-10
    )


def test_twice_the_price_is_another_minimum():
    probs = some_probs(4)
    twice = by_brute_force(probs, 10.0, price=1.0)
    assert (matrices(probs, 10.0) - twice).abs().max() > 1e-2
    torch.testing.assert_close(matrices(probs, 20.0), twice, rtol=1e-9, atol=1e-10)


def test_infinity_has_no_error_on_products_and_least_variance_among_those():
    probs = some_probs(4)
    size = len(probs)
    # Every way to leave the errors and the mean as they are lies in this null space.
    products, mean = errors_on_products(probs), means(probs)
    _, values, directions = torch.linalg.svd(torch.cat([products, mean]))
    free = directions[int((values > 1e-10).sum()) :]
    assert len(free) == (size - 1) * (size - 2) // 2
    found = matrices(probs, math.inf).flatten(0, 1)
    aim, jacobian = aims(probs)
    torch.testing.assert_close(products @ found, aim, **CLOSE)
    torch.testing.assert_close(mean @ found, jacobian, **CLOSE)
    slope = free @ (probs.repeat_interleave(size)[:, None] * found)
    torch.testing.assert_close(slope, torch.zeros_like(slope), **CLOSE)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_linear_losses_are_exact_at_every_temperature(temperature, monkeypatch):
    problem = PROBLEMS["linear"]
    mean = enumerate_mean("mve", problem, monkeypatch, temperature=temperature)
    torch.testing.assert_close(mean, exact_gradient(problem.f, problem.logits), **CLOSE)


@pytest.mark.parametrize(("key", "is_exact"), [("quadratic", True), ("cubic", False)])
def test_infinity_is_exact_for_quadratics(key, is_exact, monkeypatch):
    problem = PROBLEMS[key]
    exact = exact_gradient(problem.f, problem.logits)
    mean = enumerate_mean("mve", problem, monkeypatch)
    assert ((mean - exact).abs().max() < 1e-12) == is_exact
    warm = enumerate_mean("mve", problem, monkeypatch, temperature=100.0)
    assert (warm - exact).abs().max() > 1e-3


@pytest.mark.parametrize("key", SOME)
def test_zero_is_straight_through_sample_by_sample(key):
    problem = PROBLEMS[key]
    torch.testing.assert_close(
        draws("mve", problem, count=50, temperature=0.0),
        draws("straight_through", problem, count=50),
        **CLOSE,
    )


def test_of_bits_infinity_is_reinmax_sample_by_sample_and_of_more_it_is_not():
    for key, same in (("toy 0.45", True), ("cubic", False)):
        ours, theirs = (draws(n, PROBLEMS[key], count=50) for n in ("mve", "reinmax"))
        assert ((ours - theirs).abs().max() < 1e-12) == same


def test_infinity_is_the_limit():
    probs = some_probs(5)
    far = matrices(probs, 1e9)
    # The distance falls as 1 / temperature.
    torch.testing.assert_close(far, matrices(probs, math.inf), rtol=0, atol=1e-7)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_how_the_loss_goes_on_outside_the_simplex_does_not_matter(temperature):
    total = matrices(some_probs(5), temperature).sum(1)
    torch.testing.assert_close(total, torch.zeros_like(total), **CLOSE)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("spread", [1.0, 5.0, 15.0, 40.0])
def test_single_precision_keeps_its_digits_however_rare_a_category(spread, temperature):
    logits = spread * torch.randn(200, 8, generator=seeded())
    probs = logits.softmax(-1)
    index = torch.multinomial(probs, 1, generator=seeded())[:, 0]
    sample = torch.eye(8)[index]
    single = minimum_variance_jacobian(probs, sample, temperature)
    double = minimum_variance_jacobian(probs.double(), sample.double(), temperature)
    # Some K roundings of numbers of size 1 at most.
    assert (single - double).abs().max() < 8 * 2 * torch.finfo(torch.float32).eps


def some_draws(spread, shape=(200, 8)):
    """Return probabilities, one-hot draws and slopes in double precision."""
    logits = spread * torch.randn(shape, dtype=torch.float64, generator=seeded())
    clocks = torch.empty_like(logits).exponential_(generator=seeded(1))
    index = (logits - clocks.log()).argmax(-1)
    sample = torch.nn.functional.one_hot(index, shape[-1]).double()
    slope = torch.randn(shape, dtype=torch.float64, generator=seeded(2))
    return logits.softmax(-1), sample, slope


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("spread", [1.0, 5.0, 40.0])
def test_one_right_side_gives_what_all_of_the_matrix_does(spread, temperature):
    probs, sample, slope = some_draws(spread)
    jacobian = minimum_variance_jacobian(probs, sample, temperature)
    expected = (jacobian * slope[..., None]).sum(-2)
    found = minimum_variance_gradient(probs, sample, slope, temperature)
    torch.testing.assert_close(found, expected, **CLOSE)
    # The twin: the transposed product, which at 0 alone, where S is J, is the same.
    other = (jacobian * slope[..., None, :]).sum(-1)
    assert ((found - other).abs().max() < 1e-12) == (temperature == 0)
    single = minimum_variance_gradient(
        probs.float(), sample.float(), slope.float(), temperature
    )
    # Some roundings for each of K = 8 entries of a slope of 4 at most.
    assert (single - expected).abs().max() < 8 * 4 * 2 * torch.finfo(torch.float32).eps


@pytest.mark.parametrize("shape", [(0, 3), (3,), (2, 5, 4), (7, 1)])
def test_rows_at_once_change_nothing(shape, monkeypatch):
    parts = some_draws(1.0, shape)
    found = minimum_variance_gradient(*parts, 2.0)
    monkeypatch.setattr(minimum_variance, "_AT_ONCE", 1)
    torch.testing.assert_close(
        minimum_variance_gradient(*parts, 2.0), found, rtol=1e-12, atol=1e-14
    )
    assert found.shape == shape


@pytest.mark.parametrize("temperature", [0.0, 3.0, math.inf])
def test_the_backward_pass_and_a_transformed_one_agree(temperature):
    logits = torch.randn(5, 4, dtype=torch.float64, generator=seeded(3))
    weights = torch.randn(4, dtype=torch.float64, generator=seeded(4))

    def total(at):
        def f(z):
            return (z @ weights).exp() + z[..., 0] * z[..., 1]

        return estimators.mve(f, at, generator=seeded(), temperature=temperature).sum()

    leaf = logits.clone().requires_grad_()
    total(leaf).backward()
    torch.testing.assert_close(leaf.grad, torch.func.grad(total)(logits), **CLOSE)


def test_the_least_variance_is_that_of_its_axioms_and_not_of_every_loss(monkeypatch):
    # On the mean over all slopes MVE has the least; on one slope another may have less.
    probs = PROBLEMS["linear"].logits.softmax(-1)
    eye = torch.eye(4).to(probs)
    middle = (eye + probs) / 2
    heun = 2 * (middle.diag_embed() - middle[..., None] * middle[..., None, :])
    heun = heun - (probs.diag() - probs.outer(probs)) / 2
    sizes = [
        (probs @ s.square().sum((1, 2))) for s in (matrices(probs, math.inf), heun)
    ]
    assert sizes[0] < sizes[1]
    ours, theirs = (
        enumerate_variance(name, PROBLEMS["linear"], monkeypatch)
        for name in ("mve", "zgr")
    )
    assert ours > 1.1 * theirs


@pytest.mark.parametrize("temperature", [-1.0, math.nan, "1", torch.tensor(1.0)])
def test_a_wrong_temperature_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature must be a number of at least 0"):
        estimators.mve(
            lambda z: z.sum(-1),
            torch.zeros(3),
            generator=seeded(),
            temperature=temperature,
        )
