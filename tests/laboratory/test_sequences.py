"""Sequences of dependent variables: what nests to the exact gradient, and what it costs."""

from functools import partial
from itertools import pairwise, product

import pytest
import torch
from helpers.estimators import seeded

from gumbel_tutorial import estimators
from gumbel_tutorial.laboratory.measurement import (
    count_evaluations,
    exact_gradient,
    gradients,
)
from gumbel_tutorial.laboratory.problems import Problem, network
from gumbel_tutorial.laboratory.sequences import rloo_of_paths, stepwise

LENGTH, SIZE = 3, 3
LOSS = network(LENGTH, SIZE, seed=5).f
TABLE = torch.randn(SIZE + 1, SIZE, dtype=torch.float64, generator=seeded(1))


def by_paths(f, table, length=LENGTH):
    """Return E f as a plain sum over all paths, and its gradient."""
    leaf = table.clone().requires_grad_()
    probs, total = leaf.softmax(-1), 0
    eye = torch.eye(table.shape[-1], dtype=table.dtype)
    for path in product(range(table.shape[-1]), repeat=length):
        chance = probs[0, path[0]]
        for before, after in pairwise(path):
            chance = chance * probs[1 + before, after]
        total = total + chance * f(eye[list(path)])
    (gradient,) = torch.autograd.grad(total, leaf)
    return total.detach(), gradient


def exact(f, table, length=LENGTH):
    leaf = table.clone().requires_grad_()
    loss = stepwise(estimators.exact, length)(f, leaf)
    (gradient,) = torch.autograd.grad(loss, leaf)
    return loss.detach(), gradient


def test_exact_sums_nested_are_the_sum_over_all_paths():
    for found, expected in zip(exact(LOSS, TABLE), by_paths(LOSS, TABLE), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    # A twin: the same loss of independent variables.
    apart = exact_gradient(LOSS, TABLE[0].expand(LENGTH, SIZE)).sum(0)
    assert (exact(LOSS, TABLE)[1][0] - apart).abs().max() > 1e-3


def test_a_loss_that_is_a_sum_over_steps_has_the_expectation_of_the_forward_recursion():
    cost = torch.randn(SIZE, SIZE, dtype=torch.float64, generator=seeded(2))

    def pairs(path):
        return torch.einsum(
            "...ti,ij,...tj->...", path[..., :-1, :], cost, path[..., 1:, :]
        )

    leaf = TABLE.clone().requires_grad_()
    moves, law = leaf[1:].softmax(-1), leaf[0].softmax(-1)
    total = torch.zeros((), dtype=torch.float64)
    for _ in range(5):
        total = total + law @ (moves * cost).sum(-1)
        law = law @ moves
    (gradient,) = torch.autograd.grad(total, leaf)
    for found, expected in zip(exact(pairs, TABLE, 6), (total, gradient), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


UNBIASED = {
    "reinforce": {},
    "rloo": {},
    "categorical_disarm": {},
    "muprop": {},
    "rebar": {"temperature": 0.5},
    "double_control_variates": {},
    "rodeo": {},
    "unordered_set": {},
}


def error_of_the_mean(estimator, count=60_000):
    """Return the largest error of an entry of the mean, in its standard errors."""
    draws = gradients(estimator, LOSS, TABLE, count, generator=seeded())
    error = (draws.mean(0) - by_paths(LOSS, TABLE)[1]) / draws.std(0)
    return error.abs().max().item() * count**0.5


# Twelve entries each: of all nine, one strays beyond 5.5 by chance in about 4 of 1,000,000 suites.
@pytest.mark.parametrize("name", list(UNBIASED))
def test_what_is_unbiased_at_a_step_is_unbiased_for_the_sequence(name):
    each = estimators.get(name).prepare(**UNBIASED[name])
    assert error_of_the_mean(stepwise(each, LENGTH)) < 5.5


def test_leave_one_out_of_paths_is_unbiased():
    assert error_of_the_mean(partial(rloo_of_paths, length=LENGTH, num_samples=4)) < 5.5


def test_the_comparison_sees_a_bias():
    for name in ("zgr", "straight_through", "vimco"):
        assert error_of_the_mean(stepwise(estimators.get(name).function, LENGTH)) > 5.5


@pytest.mark.parametrize(
    ("name", "values", "slopes"),
    [
        ("reinforce", 1, 0),
        ("rloo", 2**3, 0),
        ("rebar", 3**3, 26),
        ("exact", 3**3, 0),
        ("zgr", 1, 1),
        ("gumbel_softmax", 1, 1),
    ],
)
def test_the_number_of_evaluations_is_a_power(name, values, slopes):
    each = estimators.get(name).prepare()
    problem = Problem(LOSS, TABLE)
    counted = count_evaluations(stepwise(each, LENGTH), problem, generator=seeded())
    assert counted == (values, slopes)


def test_paths_cost_one_evaluation_each():
    each = partial(rloo_of_paths, length=LENGTH, num_samples=7)
    assert count_evaluations(each, Problem(LOSS, TABLE), generator=seeded()) == (7, 0)


def test_two_samples_of_a_sequence_of_one_step_are_those_of_the_variable():
    start = torch.randn(1 + SIZE, SIZE, dtype=torch.float64, generator=seeded(3))

    def f(path):
        return (path @ torch.arange(3.0).to(path))[..., 0] ** 2

    def whole(logits):
        return f(logits[..., None, :])

    draws = [
        gradients(*each, 5, generator=seeded(4))
        for each in (
            (stepwise(estimators.rloo, 1), f, start),
            (partial(rloo_of_paths, length=1), f, start),
            ("rloo", whole, start[0]),
        )
    ]
    torch.testing.assert_close(draws[0], draws[1], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(draws[0][:, 0], draws[2], rtol=1e-12, atol=1e-14)
    assert draws[0][:, 1:].abs().max() == 0


def test_options_go_to_the_estimator_at_every_step():
    steps = stepwise(estimators.rloo, LENGTH)
    problem = Problem(LOSS, TABLE)
    counted = count_evaluations(steps, problem, generator=seeded(), num_samples=3)
    assert counted == (27, 0)


def test_refusals():
    with pytest.raises(ValueError, match="length must be a whole number of at least 1"):
        stepwise(estimators.rloo, 0)
    square = torch.zeros(3, 3)
    for estimator in (stepwise(estimators.rloo, 2), partial(rloo_of_paths, length=2)):
        with pytest.raises(ValueError, match=r"have shape \(\.\.\., K \+ 1, K\), got"):
            estimator(lambda path: path.sum((-1, -2)), square)
    with pytest.raises(ValueError, match="num_samples must be a whole number of at"):
        rloo_of_paths(LOSS, TABLE, length=2, num_samples=1)
