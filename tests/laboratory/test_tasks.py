"""Tasks: the objective is the expectation of the loss, whatever the way in which it is summed."""

from itertools import product

import pytest
import torch
from helpers.estimators import seeded

from gumbel_tutorial import estimators
from gumbel_tutorial.laboratory.measurement import exact_gradient
from gumbel_tutorial.laboratory.tasks import (
    TASKS,
    law_of_sums,
    of_sequence,
    of_sums,
)


def gradient(task, logits):
    leaf = logits.clone().requires_grad_()
    return torch.autograd.grad(task.expected(leaf), leaf)[0]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_convolution_is_the_sum_over_all_states(seed):
    task = of_sums(3, 4, seed=seed)
    logits = task.problem.logits
    whole = estimators.exact(task.problem.f, logits)
    torch.testing.assert_close(task.expected(logits), whole, rtol=1e-12, atol=1e-14)
    expected = exact_gradient(task.problem.f, logits)
    torch.testing.assert_close(gradient(task, logits), expected, rtol=1e-12, atol=1e-14)
    # A twin: the loss at the mean is another number.
    mean = task.problem.f(logits.softmax(-1))
    assert (mean - whole).abs() > 1e-3


def test_the_law_of_sums_is_that_of_counting():
    weights = torch.randint(0, 4, (2, 3, 3), generator=seeded()).double()
    probs = torch.randn(3, 3, dtype=torch.float64, generator=seeded(1)).softmax(-1)
    counted = torch.zeros(2, 10, dtype=torch.float64)
    for state in product(range(3), repeat=3):
        chance = probs[range(3), list(state)].prod()
        for unit in range(2):
            counted[unit, int(weights[unit, range(3), list(state)].sum())] += chance
    found = law_of_sums(probs, weights, 3)
    torch.testing.assert_close(found, counted, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("key", list(TASKS))
def test_the_mean_of_unbiased_estimates_is_the_gradient_of_the_objective(key):
    task = TASKS[key]
    logits, count = task.problem.logits, 400
    leaf = logits.expand(count, *logits.shape).clone().requires_grad_()
    reinforce = task.applied(estimators.reinforce)
    # One direction, so that a single entry is compared: beyond 5.5 errors once in 26 million runs.
    direction = gradient(task, logits)
    draws = []
    for seed in range(20):
        loss = reinforce(task.problem.f, leaf, generator=seeded(seed)).sum()
        (found,) = torch.autograd.grad(loss, leaf)
        draws.append((found * direction).flatten(1).sum(-1))
    along = torch.cat(draws)
    error = along.std() / len(along) ** 0.5
    size = direction.square().sum()
    assert (along.mean() - size).abs() < 5.5 * error
    # A gradient of half the length would be seen.
    assert (along.mean() - size / 2).abs() > 5.5 * error


@pytest.mark.parametrize("key", list(TASKS))
def test_a_task_takes_a_batch_of_logits(key):
    task = TASKS[key]
    several = torch.stack([task.problem.logits, 2 * task.problem.logits])
    one_by_one = torch.stack([task.expected(logits) for logits in several])
    torch.testing.assert_close(
        task.expected(several), one_by_one, rtol=1e-12, atol=1e-14
    )


def test_a_sequence_has_one_row_of_logits_more_than_categories():
    task = of_sequence(2, 3, seed=1)
    assert task.problem.logits.shape == (4, 3)
    assert task.length == 2
