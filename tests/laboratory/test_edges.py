"""Slopes along edges: the estimates of a rule, pair by pair."""

import numpy as np
import pytest
import torch

from gumbel_tutorial.laboratory.edges import (
    edge_estimates,
    gauss_places,
    upper_gauss_places,
)
from gumbel_tutorial.laboratory.measurement import exact_gradient

PROBS = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
DIRECTION = torch.tensor([0.3, -1.1, 0.7], dtype=torch.float64)


def bias(degree, places, weights):
    def power(x):
        return (x @ DIRECTION + 0.4) ** degree

    estimates = edge_estimates(power, 3, places, weights)
    mean = torch.einsum("j,k,jkm->m", PROBS, PROBS, estimates)
    return (mean - exact_gradient(power, PROBS.log())).abs().max()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_half_of_the_gauss_places_reach_four_degrees_each_and_no_more(number):
    places, weights = upper_gauss_places(number)
    for degree in range(1, 4 * number + 1):
        assert bias(degree, places, weights) < 1e-12
    assert bias(4 * number + 2, places, weights) > 1e-9


def test_a_place_that_is_not_gauss_reaches_degree_two():
    assert bias(2, [0.9], [1.0]) < 1e-12
    assert bias(3, [0.9], [1.0]) > 1e-4


def test_the_first_draw_is_the_place_one():
    estimates = edge_estimates(lambda x: x[..., 0] ** 2, 2, [1.0], [1.0])
    assert estimates[0, 1].tolist() == [1.0, -1.0]
    assert estimates[1, 0].tolist() == [0.0, 0.0]


def test_every_place_needs_a_weight():
    with pytest.raises(ValueError, match="weights must be as many as the 2 places"):
        edge_estimates(lambda x: x[..., 0], 2, [0.0, 1.0], [1.0])


@pytest.mark.parametrize("number", [1, 2, 5])
def test_gauss_places_integrate_powers_and_no_more(number):
    places, weights = gauss_places(number)
    for power in range(2 * number):
        np.testing.assert_allclose(weights @ places**power, 1 / (power + 1), rtol=1e-13)
    assert abs(weights @ places ** (2 * number) - 1 / (2 * number + 1)) > 1e-7


@pytest.mark.parametrize("places", [gauss_places, upper_gauss_places])
def test_there_is_at_least_one_place(places):
    with pytest.raises(ValueError, match="number must be a whole number of at least 1"):
        places(0)
