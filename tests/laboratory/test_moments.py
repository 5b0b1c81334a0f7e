"""Moments by enumeration, against draws."""

import pytest
import torch
from helpers.estimators import seeded

from gumbel_tutorial.laboratory.measurement import measure
from gumbel_tutorial.laboratory.moments import exact_moments

ESTIMATES = torch.tensor([[1.0, -1.0], [0.5, 2.0], [-1.0, 0.0]], dtype=torch.float64)
LAW = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
GRADIENT = torch.tensor([0.3, 0.4], dtype=torch.float64)


def test_draws_have_the_moments_within_their_intervals():
    index = torch.multinomial(LAW, 100_000, replacement=True, generator=seeded())
    measured = measure(ESTIMATES[index], GRADIENT)
    bias, variance = exact_moments(ESTIMATES, LAW, GRADIENT)
    # Two and a half times the half-width of 95 %: one in a million.
    assert abs(measured.bias.value - bias) < 2.5 * measured.bias.error
    assert abs(measured.variance.value - variance) < 2.5 * measured.variance.error
    # The twin: equal weights.
    bias, variance = exact_moments(ESTIMATES, torch.ones_like(LAW) / 3, GRADIENT)
    assert abs(measured.bias.value - bias) > 2.5 * measured.bias.error
    assert abs(measured.variance.value - variance) > 2.5 * measured.variance.error


def test_shapes_must_match():
    with pytest.raises(ValueError, match=r"estimates must have shape \(3, 2\)"):
        exact_moments(ESTIMATES[:2], LAW, GRADIENT)


def test_a_gradient_of_zero_has_no_relative_error():
    with pytest.raises(ValueError, match="gradient must not be zero"):
        exact_moments(ESTIMATES, LAW, 0 * GRADIENT)
