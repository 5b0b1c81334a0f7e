"""Leave-one-out with slopes: exact over all samples, no variance where it says so, and wrong twins."""

import pytest
import torch
from helpers.estimators import draws, enumerate_several, seeded

from gumbel_tutorial import estimators
from gumbel_tutorial.estimators.protocol import (
    draw,
    log_prob,
    losses_with_slope,
    repeat,
)
from gumbel_tutorial.laboratory.measurement import exact_gradient
from gumbel_tutorial.laboratory.problems import PROBLEMS, Problem, network
from gumbel_tutorial.nn.hard import carry

CLOSE = {"rtol": 1e-9, "atol": 1e-11}
BOTH = ["double_control_variates", "rodeo"]
ONE = ["linear", "quadratic", "cubic", "exp+tanh", "toy 0.45"]


@pytest.mark.parametrize("scale", [0.3, 1.0])
@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("key", ONE)
def test_the_mean_over_all_samples_is_the_exact_gradient(name, key, scale, monkeypatch):
    problem = PROBLEMS[key]
    for num_samples in (2, 3):
        mean = enumerate_several(name, problem, monkeypatch, num_samples, scale=scale)
        exact = exact_gradient(problem.f, problem.logits)
        torch.testing.assert_close(mean, exact, **CLOSE)


@pytest.mark.parametrize("name", BOTH)
def test_so_it_is_for_several_variables(name, monkeypatch):
    problem = network(variables=2, num_categories=3, seed=4)
    mean = enumerate_several(name, problem, monkeypatch, 3)
    torch.testing.assert_close(mean, exact_gradient(problem.f, problem.logits), **CLOSE)


def with_its_own_slope(f, logits, *, generator, num_samples):
    """Return double control variates whose slope is the mean of all samples, the one at hand included."""
    logits = repeat(logits, num_samples)
    sample = draw(logits, generator)
    losses, slope = losses_with_slope(f, sample, several=True)
    probs, count = logits.softmax(-1), num_samples
    control = (slope.mean(0) * (sample - probs.detach())).sum(-1)
    reduced = losses.detach() - control
    advantage = (reduced - reduced.mean(0)) * count / (count - 1)
    path = advantage * log_prob(logits, sample, losses) + (slope * probs).sum(-1)
    return carry(losses, path).mean(0)


def without_the_gradient_of_its_mean(f, logits, *, generator, num_samples):
    logits = repeat(logits, num_samples)
    sample = draw(logits, generator)
    losses, slope = losses_with_slope(f, sample, several=True)
    others = (slope.sum(0) - slope) / (num_samples - 1)
    reduced = losses.detach() - (others * (sample - logits.detach().softmax(-1))).sum(
        -1
    )
    advantage = (reduced - reduced.mean(0)) * num_samples / (num_samples - 1)
    return carry(losses, advantage * log_prob(logits, sample, losses)).mean(0)


@pytest.mark.parametrize("twin", [with_its_own_slope, without_the_gradient_of_its_mean])
def test_a_wrong_twin_is_rejected(twin, monkeypatch):
    problem = PROBLEMS["cubic"]
    mean = enumerate_several(twin, problem, monkeypatch, 2)
    assert (mean - exact_gradient(problem.f, problem.logits)).abs().max() > 1e-2


@pytest.mark.parametrize("name", BOTH)
def test_a_linear_loss_of_one_variable_leaves_no_variance(name):
    problem = PROBLEMS["linear"]
    exact = exact_gradient(problem.f, problem.logits)
    estimates = draws(name, problem, 50, num_samples=3, scale=1.0)
    torch.testing.assert_close(estimates, exact.expand_as(estimates), **CLOSE)


def test_a_linear_loss_of_many_variables_leaves_variance_to_one_of_them():
    weights = torch.tensor([[0.1, 0.8], [-0.3, 1.0], [0.4, -0.9]], dtype=torch.float64)
    logits = torch.tensor([[0.0, 1.0], [0.4, -0.5], [2.0, 0.0]], dtype=torch.float64)
    problem = Problem(lambda z: (z * weights).sum((-1, -2)), logits)
    exact = draws("double_control_variates", problem, 50, scale=1.0)
    assert exact.std(0).max() < 1e-12
    spread = {s: draws("rodeo", problem, scale=s).var(0).sum() for s in (0.5, 0.3, 0.8)}
    assert 0 < spread[0.5] < min(spread[0.3], spread[0.8])
    assert spread[0.5] < draws("rloo", problem).var(0).sum() / 4


def test_without_its_control_variate_the_double_one_is_leave_one_out():
    for key in ("cubic", "network"):
        torch.testing.assert_close(
            draws("double_control_variates", PROBLEMS[key], 50, scale=0.0),
            draws("rloo", PROBLEMS[key], 50),
            **CLOSE,
        )


@pytest.mark.parametrize("name", BOTH)
def test_a_scale_is_learned_by_the_variance(name):
    problem = PROBLEMS["cubic"]

    def spread(scale):
        leaf = problem.logits.expand(2000, 4).clone().requires_grad_()
        options = {"generator": seeded(), "scale": scale}
        getattr(estimators, name)(problem.f, leaf, **options).mean().backward()
        return 2000 * leaf.grad.square().sum()

    scale = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)
    spread(scale)
    ends = [spread(0.9 + step) for step in (1e-4, -1e-4)]
    # The square is quadratic in the scale, so that the difference is exact but for rounding.
    torch.testing.assert_close(
        scale.grad, (ends[0] - ends[1]) / 2e-4, rtol=1e-6, atol=0.0
    )


@pytest.mark.parametrize("name", BOTH)
def test_a_scale_may_differ_by_loss_and_no_more(name):
    problem, one = PROBLEMS["cubic"], getattr(estimators, name)
    logits = problem.logits.expand(3, 4).clone().requires_grad_()
    scales = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    one(problem.f, logits, generator=seeded(), scale=scales).sum().backward()
    for row, scale in enumerate(scales.tolist()):
        leaf = problem.logits.expand(3, 4).clone().requires_grad_()
        one(problem.f, leaf, generator=seeded(), scale=scale).sum().backward()
        torch.testing.assert_close(logits.grad[row], leaf.grad[row], **CLOSE)
    with pytest.raises(ValueError, match="scale must broadcast to"):
        one(problem.f, logits, generator=seeded(), scale=torch.ones(3, 1))
