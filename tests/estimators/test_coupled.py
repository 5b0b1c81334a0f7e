"""Coupled pairs of categories: exact over all pairs, DisARM of two, and no pair that cannot come up."""

import itertools

import pytest
import torch
from helpers.estimators import draws, give_noise, seeded

from gumbel_tutorial.estimators import categorical_disarm
from gumbel_tutorial.laboratory.measurement import exact_gradient, gradients
from gumbel_tutorial.laboratory.problems import PROBLEMS, Problem, network

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
ONE = ["linear", "quadratic", "cubic", "exp+tanh"]


def sticks(probs):
    ordered = probs.sort(dim=-1).values
    return ordered / ordered.flip(-1).cumsum(-1).flip(-1)


def parts(theta):
    """Return for one stick a uniform in each part that breaks it otherwise, and the part's length."""
    ends = sorted({0.0, theta, 1 - theta, 1.0})
    return [((a + b) / 2, b - a) for a, b in itertools.pairwise(ends) if b > a]


def enumerate_pairs(problem, monkeypatch):
    """Return the mean estimate over all pairs that can come up, by their exact probabilities."""
    theta = sticks(problem.logits.softmax(-1))[..., :-1]
    choices = [parts(t) for t in theta.flatten().tolist()]
    uniforms, lengths = zip(
        *(zip(*choice, strict=True) for choice in itertools.product(*choices)),
        strict=True,
    )
    u = torch.tensor(uniforms, dtype=torch.float64).reshape(-1, *theta.shape)
    gumbels = -(-torch.log1p(-u)).log()
    with monkeypatch.context() as held:
        give_noise(held, lambda like, **_: gumbels.reshape(like.shape))
        drawn = gradients(
            "categorical_disarm", problem.f, problem.logits, len(u), generator=seeded()
        )
    weight = torch.tensor(lengths, dtype=torch.float64).prod(-1)
    torch.testing.assert_close(weight.sum(), torch.tensor(1.0).double(), **CLOSE)
    return torch.einsum("n,n...->...", weight, drawn)


@pytest.mark.parametrize("key", [*ONE, "toy 0.45"])
def test_the_mean_over_all_pairs_is_the_exact_gradient(key, monkeypatch):
    problem = PROBLEMS[key]
    mean = enumerate_pairs(problem, monkeypatch)
    torch.testing.assert_close(mean, exact_gradient(problem.f, problem.logits), **CLOSE)


def test_so_it_is_for_dependent_variables_whose_weights_are_their_own(monkeypatch):
    problem = network(variables=3, num_categories=3, seed=4)
    mean = enumerate_pairs(problem, monkeypatch)
    torch.testing.assert_close(mean, exact_gradient(problem.f, problem.logits), **CLOSE)


@pytest.mark.parametrize("probs", [[0.05, 0.9, 0.05], [0.5, 0.5, 0.0], [0.25] * 4])
def test_so_it_is_where_probabilities_are_far_apart_or_tie(probs, monkeypatch):
    logits = torch.tensor(probs, dtype=torch.float64).log()
    line = torch.linspace(-1, 2, len(probs), dtype=torch.float64)
    problem = Problem(lambda z: (z @ line) ** 3, logits)
    mean = enumerate_pairs(problem, monkeypatch)
    torch.testing.assert_close(mean, exact_gradient(problem.f, logits), **CLOSE)


def test_of_two_categories_it_is_disarm_sample_by_sample():
    # The rare category of each variable is the second, so that both make one pair of the same noise.
    logits = torch.tensor([[1.0, 0.0], [0.4, -0.5], [2.0, 0.0]], dtype=torch.float64)

    def loss(z):
        return torch.tanh(z[..., 1] @ z.new_tensor([2.0, -1.0, 0.5]) - 0.2).square()

    ours, theirs = (
        gradients(name, loss, logits, 200, generator=seeded())
        for name in ("categorical_disarm", "disarm")
    )
    torch.testing.assert_close(ours, theirs, **CLOSE)


@pytest.mark.parametrize("key", ONE)
def test_an_antithetic_pair_varies_less_than_an_independent_one(key):
    spread = [
        draws(name, PROBLEMS[key]).var(0).sum()
        for name in ("categorical_disarm", "rloo")
    ]
    assert spread[0] < spread[1]


def test_many_categories_and_certainty_leave_finite_numbers():
    for logits in (torch.zeros(1000), 200 * torch.randn(50, 30, generator=seeded())):
        leaf = logits.clone().requires_grad_()
        loss = categorical_disarm(lambda z: z[..., 0], leaf, generator=seeded())
        loss.sum().backward()
        assert leaf.grad.isfinite().all()
