"""ReDGE and ReinDGE: the law of their samples, which is not softmax, their limits and their derivatives."""

import pytest
import torch
from helpers.estimators import draws, enumerate_mean, seeded
from scipy import stats

from gumbel_tutorial import noise
from gumbel_tutorial.estimators import ESTIMATORS
from gumbel_tutorial.estimators.protocol import as_one_hot, slope_at
from gumbel_tutorial.laboratory.measurement import exact_gradient
from gumbel_tutorial.laboratory.problems import PROBLEMS

CLOSE = {"rtol": 1e-9, "atol": 1e-11}
LOGITS = PROBLEMS["linear"].logits
COUNT = 1_000_000
# Of one comparison of a law.
FAILURE_RATE = 1e-6


def law_p_value(name, **options):
    """Return the p-value that hard samples follow softmax, by Pearson's statistic."""
    category = torch.arange(4, dtype=torch.float64)
    drawn = ESTIMATORS[name].function(
        lambda z: z @ category, LOGITS.expand(COUNT, 4), generator=seeded(), **options
    )
    counts = drawn.round().long().bincount(minlength=4)
    return stats.chisquare(counts.numpy(), (COUNT * LOGITS.softmax(-1)).numpy()).pvalue


@pytest.mark.parametrize("name", ["redge", "reindge"])
def test_the_hard_sample_is_not_categorical(name):
    for steps in (2, 4):
        assert law_p_value(name, num_steps=steps, last_time=0.3) < FAILURE_RATE
    # The same test lets through those that draw by Gumbel-Max.
    assert law_p_value("straight_through") > FAILURE_RATE


@pytest.mark.parametrize(
    ("name", "same", "key"),
    [("redge", "straight_through", "cubic"), ("reindge", "reinmax", "cubic")],
)
def test_one_step_from_pure_noise_is_the_estimator_without_noise(
    name, same, key, monkeypatch
):
    problem = PROBLEMS[key]
    pure = {"num_steps": 1, "last_time": 1.0}
    ours = enumerate_mean(name, problem, monkeypatch, **pure)
    torch.testing.assert_close(
        ours, enumerate_mean(same, problem, monkeypatch), **CLOSE
    )


@pytest.mark.parametrize(("key", "is_exact"), [("quadratic", True), ("cubic", False)])
def test_reindge_from_pure_noise_is_exact_for_quadratics(key, is_exact, monkeypatch):
    problem = PROBLEMS[key]
    pure = {"num_steps": 1, "last_time": 1.0}
    mean = enumerate_mean("reindge", problem, monkeypatch, **pure)
    difference = (mean - exact_gradient(problem.f, problem.logits)).abs().max()
    assert (difference < 1e-12) == is_exact


def walk(logits, first, num_steps, last_time):
    """Return x_1 by the times of the paper: index t of the schedule 1, 1 - t_1, ..., 1e-4."""
    count = num_steps + 1
    alphas = torch.cat(
        [
            torch.ones(1).double(),
            torch.linspace(1 - last_time, 1e-4, count - 1, dtype=torch.float64),
        ]
    )
    x = first
    for t in range(count - 1, 1, -1):
        here, sigma = alphas[t], 1 - alphas[t]
        mean = (logits + here * x / sigma**2).softmax(-1)
        x = alphas[t - 1] * mean + (1 - alphas[t - 1]) * (x - here * mean) / sigma
    return x, alphas[1] / (1 - alphas[1]) ** 2


@pytest.mark.parametrize("num_steps", [1, 2, 4])
@pytest.mark.parametrize("name", ["redge", "reindge"])
def test_an_estimate_is_its_formula(name, num_steps):
    problem = PROBLEMS["cubic"]
    for seed in range(6):
        generator = seeded(seed)
        first = noise.normal_like(LOGITS[None], generator=generator)[0]
        gumbels = noise.gumbel_like(LOGITS[None], generator=generator)[0]

        def posterior(direct, inside, first=first):
            x, factor = walk(inside, first, num_steps, 0.4)
            return (direct + factor * x).softmax(-1)

        q = posterior(LOGITS, LOGITS)
        z = as_one_hot((q.log() + gumbels).argmax(-1), LOGITS)
        g = slope_at(problem.f, z)[1]
        direct, inside = torch.autograd.functional.jacobian(posterior, (LOGITS, LOGITS))
        if name == "redge":
            expected = (direct + inside).T @ g
        else:
            expected = (direct @ g + (z - q) * ((z - q) @ g)) / 2 + inside.T @ g
        options = {"num_steps": num_steps, "last_time": 0.4}
        (ours,) = draws(name, problem, count=1, seed=seed, **options)
        torch.testing.assert_close(ours, expected, **CLOSE)


def test_a_soft_estimate_is_the_derivative_of_the_loss_at_the_last_posterior():
    problem = PROBLEMS["cubic"]
    options = {"num_steps": 3, "last_time": 0.4}
    for seed in range(6):
        first = noise.normal_like(LOGITS[None], generator=seeded(seed))[0]

        def loss(logits, first=first):
            x, factor = walk(logits, first, 3, 0.4)
            return problem.f((logits + factor * x).softmax(-1))

        expected = torch.autograd.functional.jacobian(loss, LOGITS)
        (ours,) = draws("redge", problem, count=1, seed=seed, hard=False, **options)
        torch.testing.assert_close(ours, expected, **CLOSE)
        # A twin: the hard sample has its slope elsewhere.
        (other,) = draws("redge", problem, count=1, seed=seed, **options)
        assert (other - expected).abs().max() > 1e-6


def test_one_soft_step_from_pure_noise_is_the_loss_at_the_mean():
    problem = PROBLEMS["cubic"]
    pure = {"num_steps": 1, "last_time": 1.0, "hard": False}
    leaf = LOGITS.clone().requires_grad_()
    (expected,) = torch.autograd.grad(problem.f(leaf.softmax(-1)), leaf)
    estimates = draws("redge", problem, count=3, **pure)
    torch.testing.assert_close(estimates, expected.expand(3, 4), **CLOSE)


# The figures of the authors' own sampler, from at least 100,000 draws of it.
@pytest.mark.parametrize(
    ("key", "bias", "variance"), [("cubic", 0.442, 0.53), ("exp+tanh", 0.362, 0.63)]
)
def test_soft_samples_have_the_bias_and_the_variance_of_the_published_program(
    key, bias, variance
):
    problem = PROBLEMS[key]
    exact = exact_gradient(problem.f, problem.logits)
    estimates = draws("redge", problem, count=200_000, hard=False) / exact.norm()
    mean = estimates.mean(0)
    # Standard errors of both sides, and the rounding of what was written down.
    error = (variance / 200_000 + variance / 100_000) ** 0.5
    found = (mean - exact / exact.norm()).norm()
    assert (found - bias).abs() < 5 * error + 0.0005
    squares = (estimates - mean).square().sum(-1)
    error = squares.std() * (1 / 200_000 + 1 / 100_000) ** 0.5
    assert (squares.mean() - variance).abs() < 5 * error + 0.005
