"""Descent at a price: the steps are those of gradient descent, and a budget buys what it says."""

import pytest
import torch
from helpers.estimators import seeded

from gumbel_tutorial.laboratory.descent import affordable, descend
from gumbel_tutorial.laboratory.measurement import exact_gradient, gradients
from gumbel_tutorial.laboratory.problems import PROBLEMS

CUBIC = PROBLEMS["cubic"]


def test_with_the_exact_gradient_it_is_gradient_descent():
    rates = torch.tensor([[0.5, 1.0, 2.0]], dtype=torch.float64)
    start = (CUBIC.f, CUBIC.logits, rates, 3)
    path = descend("exact", *start, generator=None)
    assert path.shape == (4, 1, 3, 4)
    for i, rate in enumerate(rates[0]):
        at = CUBIC.logits
        for step in range(4):
            torch.testing.assert_close(path[step, 0, i], at, rtol=1e-12, atol=1e-14)
            at = at - rate * exact_gradient(CUBIC.f, at)


def test_a_step_takes_the_mean_of_independent_draws():
    rates = torch.ones(2, dtype=torch.float64)
    start = (CUBIC.f, CUBIC.logits, rates, 1)
    path = descend("rloo", *start, num_draws=5, generator=seeded())
    leaf = CUBIC.logits.expand(2, 4)
    mean = gradients("rloo", CUBIC.f, leaf, 5, generator=seeded()).mean(0)
    torch.testing.assert_close(path[1], CUBIC.logits - mean)
    assert (path[1, 0] - path[1, 1]).abs().max() > 0


def test_a_budget_buys_whole_estimates():
    assert affordable(32, (1, 0), backward=1) == 32
    assert affordable(32, (1, 1), backward=2) == 10
    assert affordable(32, (32, 31), backward=1) == 0
    assert affordable(32, (32, 31), backward=0) == 1


def test_refusals():
    start = (CUBIC.f, CUBIC.logits)
    with pytest.raises(ValueError, match="rates must be positive, got 0"):
        descend("exact", *start, torch.zeros(2), 1, generator=None)
    with pytest.raises(
        ValueError, match="num_steps must be a whole number of at least 0"
    ):
        descend("exact", *start, torch.ones(2), -1, generator=None)
