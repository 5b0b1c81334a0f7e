"""Sparsemax against the projection by brute force, and the sum over its support: exact, for its own law."""

import itertools

import pytest
import torch
from helpers.estimators import all_states, seeded

from gumbel_tutorial import checks
from gumbel_tutorial.estimators import sparse_marginalisation, sparsemax
from gumbel_tutorial.laboratory.measurement import count_evaluations, exact_gradient
from gumbel_tutorial.laboratory.problems import PROBLEMS, Problem, network

CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def nearest(logits):
    """Return the nearest point of the simplex, by trying every support."""
    best, least = None, float("inf")
    for size in range(1, len(logits) + 1):
        for support in itertools.combinations(range(len(logits)), size):
            chosen = list(support)
            point = torch.zeros_like(logits)
            point[chosen] = logits[chosen] - (logits[chosen].sum() - 1) / size
            distance = (point - logits).square().sum().item()
            if point.min() >= 0 and distance < least:
                best, least = point, distance
    return best


@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0])
def test_sparsemax_is_the_nearest_point_of_the_simplex(spread):
    logits = spread * torch.randn(20, 5, dtype=torch.float64, generator=seeded())
    expected = torch.stack([nearest(row) for row in logits])
    torch.testing.assert_close(sparsemax(logits), expected, **CLOSE)
    # An offset of all logits moves no point of the simplex nearer than another.
    torch.testing.assert_close(sparsemax(logits + 7), expected, **CLOSE)


def test_the_jacobian_is_that_of_the_support():
    logits = torch.tensor([0.4, -2.0, 0.9, 0.6], dtype=torch.float64)
    inside = torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    expected = inside.diag() - inside.outer(inside) / 3
    found = torch.autograd.functional.jacobian(sparsemax, logits)
    torch.testing.assert_close(found, expected, **CLOSE)
    assert torch.autograd.gradcheck(sparsemax, logits.requires_grad_())


def test_ties_and_excluded_categories_have_their_share():
    tied = torch.tensor([1.0, 1.0, 0.0, -torch.inf])
    assert sparsemax(tied).tolist() == [0.5, 0.5, 0.0, 0.0]
    assert sparsemax(torch.zeros(4)).tolist() == [0.25] * 4


@pytest.mark.parametrize(
    ("logits", "error", "message"),
    [
        ([0.0, 1.0], TypeError, "logits must be a torch tensor, got list"),
        (torch.tensor([0.0, torch.nan]), ValueError, "logits must not be NaN"),
        (torch.full((2,), -torch.inf), ValueError, "logits must"),
    ],
)
def test_sparsemax_refuses_in_words(logits, error, message):
    with pytest.raises(error, match=message):
        sparsemax(logits)


def sum_over_all(problem):
    """Return the expectation under sparsemax and its gradient, from every state."""
    leaf = problem.logits.clone().requires_grad_()
    states = all_states(leaf)
    each = (states * sparsemax(leaf)).sum(-1)
    joint = each if each.ndim == 1 else each.flatten(1).prod(-1)
    value = (joint * problem.f(states)).sum()
    return value.detach(), torch.autograd.grad(value, leaf)[0]


@pytest.mark.parametrize("key", list(PROBLEMS))
def test_it_is_exact_for_sparsemax_and_not_for_softmax(key):
    problem = PROBLEMS[key]
    value, slope = sum_over_all(problem)
    leaf = problem.logits.clone().requires_grad_()
    loss = sparse_marginalisation(problem.f, leaf)
    torch.testing.assert_close(loss.detach(), value, **CLOSE)
    (ours,) = torch.autograd.grad(loss, leaf)
    torch.testing.assert_close(ours, slope, **CLOSE)
    exact = exact_gradient(problem.f, problem.logits)
    assert (ours - exact).norm() > 0.01 * exact.norm()


def test_the_cost_is_the_support():
    name = "sparse_marginalisation"
    for spread, width in ((0.0, 3), (1.0, 2), (100.0, 1)):
        logits = spread * torch.tensor([[0.0, 0.6, -1.0]] * 2, dtype=torch.float64)
        problem = Problem(network(2, 3, seed=1).f, logits)
        assert count_evaluations(name, problem, generator=None) == (width**2, 0)
        with checks.check_values(False):  # nothing is read, so nothing is known to be 0
            assert count_evaluations(name, problem, generator=None) == (9, 0)


def test_rows_of_unequal_support_share_the_widest():
    logits = torch.tensor([[0.0, 5.0, -5.0], [0.1, 0.0, 0.2]], dtype=torch.float64)

    def f(z):
        return (z @ torch.tensor([1.0, 4.0, -2.0]).double()) ** 2

    both = sparse_marginalisation(f, logits)
    alone = torch.stack([sparse_marginalisation(f, row) for row in logits])
    torch.testing.assert_close(both, alone, **CLOSE)


def test_a_support_of_too_many_states_is_refused():
    message = "logits must have a support of at most 16384 states, got 59049"
    with pytest.raises(ValueError, match=message):
        sparse_marginalisation(lambda z: z.sum((-1, -2)), torch.zeros(10, 3))
    wide = torch.zeros(10, 3)
    wide[:, 0] = 2.0
    assert sparse_marginalisation(lambda z: z[..., 0].sum(-1), wide).item() == 10
