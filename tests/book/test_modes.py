"""The shape of the relaxed density: what the theorem on modes and convexity says of it."""

import numpy as np
import pytest
import torch

from gumbel_tutorial import concrete
from gumbel_tutorial.book import modes, plots

SIZES = pytest.mark.parametrize("num_categories", [3, 4, 10])


def directions(relaxed, rng):
    """Return random directions along which the simplex is not left."""
    delta = rng.normal(size=relaxed.shape)
    return delta - (relaxed * delta).sum(-1, keepdims=True)


def points(num_categories, rng, count=20_000):
    relaxed = rng.dirichlet(np.ones(num_categories) / 2, count).clip(1e-12)
    return relaxed / relaxed.sum(-1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_the_derivatives_are_those_of_the_log_density(temperature, rng):
    relaxed, logits = rng.dirichlet(np.ones(4)), rng.normal(size=4)
    delta = directions(relaxed, rng)

    def line(s):
        moved = torch.tensor(relaxed) * (1 + s * torch.tensor(delta))
        return concrete.log_density(moved, torch.tensor(logits), temperature)

    s = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(line(s), s, create_graph=True)
    (second,) = torch.autograd.grad(first, s)
    ours = modes.bend(relaxed, delta, logits, temperature)
    np.testing.assert_allclose(ours, (first.item(), second.item()), rtol=1e-9)


@SIZES
def test_the_log_density_is_convex_up_to_one_over_one_less_than_k(num_categories, rng):
    relaxed, edge = points(num_categories, rng), 1 / (num_categories - 1)
    delta, logits = directions(relaxed, rng), 3 * rng.normal(size=relaxed.shape)
    rounding = 1e-9 * (delta**2).sum(-1)
    for share in (0.5, 1.0):
        assert (modes.bend(relaxed, delta, logits, share * edge)[1] > -rounding).all()
    # The twin: above it some of the same lines bend down.
    assert not (modes.bend(relaxed, delta, logits, 3 * edge)[1] > -rounding).all()


@SIZES
def test_the_bound_of_convexity_is_sharp(num_categories):
    edge = 1 / (num_categories - 1)
    facet = np.full(num_categories, (1 - 1e-9) * edge)
    outward = np.full(num_categories, -1e-9)
    facet[0], outward[0] = 1e-9, 1.0
    for temperature in (0.99 * edge, 1.01 * edge):
        second = modes.bend(facet, outward, 50.0 * (facet < 1e-6), temperature)[1]
        limit = temperature + 1 - num_categories * temperature
        assert second == pytest.approx(limit, abs=1e-6)
        assert (second > 0) == (temperature < edge)


@SIZES
@pytest.mark.parametrize("temperature", [0.3, 0.95, 1.5])
def test_the_test_directions_add_up(num_categories, temperature, rng):
    spread = temperature / 10  # so that every weight stays positive
    relaxed = (1 - spread) / num_categories + spread * rng.dirichlet(
        np.ones(num_categories)
    )
    logits = modes.critical_logits(relaxed, temperature)
    tests = np.eye(num_categories) - relaxed[:, None]
    first, second = modes.bend(relaxed, tests, logits, temperature)
    np.testing.assert_allclose(first, 0, atol=1e-12)
    total = (temperature + 1) * (num_categories - 1) * (1 - temperature)
    assert second.sum() == pytest.approx(total, rel=1e-9)


def test_above_k_minus_one_there_is_a_mode_whatever_the_logits(rng):
    falling = np.arange(4.0, 0.9, -0.02)
    for _ in range(5):
        assert modes.follow(1.5 * rng.normal(size=3), falling) <= 2.02


def test_below_k_minus_one_a_far_logit_takes_the_mode_away(rng):
    del rng
    falling = np.arange(4.0, 0.9, -0.02)
    lost = [modes.follow(np.array([gap, 0.0, 0.0]), falling) for gap in (1, 4, 12)]
    assert lost == sorted(lost)
    assert 1.95 < lost[-1] < 2.05


def test_where_a_probability_vanishes_the_point_is_a_saddle():
    """At y_k = (tau + 1)/K the direction away from k has 1/(1 - c) > 0."""
    for num_categories, temperature in ((3, 1.5), (5, 1.2), (5, 3.9)):
        c = (temperature + 1) / num_categories
        rest = (1 - c) / (num_categories - 1)
        relaxed = np.array([c - 1e-9] + [rest] * (num_categories - 1))
        relaxed[1:] += 1e-9 / (num_categories - 1)
        away = np.full(num_categories, -relaxed[0] / (1 - relaxed[0]))
        away[0] = 1.0
        logits = modes.critical_logits(relaxed, temperature)
        second = modes.bend(relaxed, away, logits, temperature)[1]
        expected = (temperature + 1) / (1 - c)
        assert second == pytest.approx(expected, rel=1e-6)


def test_at_temperature_one_the_third_derivative_at_the_centre_takes_both_signs(rng):
    for delta in rng.normal(size=(3, 4)):
        delta = torch.tensor(delta - delta.mean())
        s = torch.zeros((), dtype=torch.float64, requires_grad=True)
        moved = (1 + s * delta) / 4
        value = concrete.log_density(moved, torch.zeros(4).double(), 1.0)
        for _ in range(3):
            (value,) = torch.autograd.grad(value, s, create_graph=True)
        assert value.item() == pytest.approx(2 * (delta**3).sum().item(), rel=1e-9)


@pytest.mark.parametrize("temperature", [1.1, 1.2, 1.3])
def test_the_largest_gap_is_that_of_two_equal_logits(temperature):
    gap = temperature * np.log(temperature / (3 - 2 * temperature))
    gap -= np.log(3 * temperature - 2)
    place = np.array([temperature, temperature, 3 - 2 * temperature]) / 3
    lost = modes.critical_logits(place, temperature)
    assert np.ptp(lost) == pytest.approx(gap)
    flat = modes.bend(place, np.array([1, -1, 0]), lost, temperature)
    np.testing.assert_allclose(flat, 0, atol=1e-12)
    first = np.linspace(1 / 3, 0.4999, 100_000)
    two_equal = np.stack([first, first, 1 - 2 * first], axis=1)
    assert gap - 1e-3 < modes.largest_gap(two_equal, temperature) <= gap + 1e-9
    assert modes.largest_gap(plots.simplex_grid(300), temperature) <= gap


def test_above_three_halves_the_third_of_three_logits_may_be_as_low_as_it_likes():
    least = np.array([1e-3, 1e-6, 1e-9])
    edge = np.stack([(1 - least) / 2, (1 - least) / 2, least], axis=1)
    for temperature in (1.51, 1.9):
        gaps = [modes.largest_gap(point[None], temperature) for point in edge]
        assert (np.diff(gaps) > 10).all()
    # The twin: below it none of these points is a mode.
    line = np.array([1.0, -1.0, 0.0])
    for point in edge:
        assert modes.bend(point, line, modes.critical_logits(point, 1.49), 1.49)[1] > 0


@pytest.mark.parametrize("temperature", [1.1, 1.3, 1.45, 1.9])
def test_the_gap_grows_with_the_equal_entries_of_a_mode(temperature):
    first = np.linspace((2 - temperature) / 6 + 1e-3, 0.499, 500)
    points = np.stack([first, first, 1 - 2 * first], axis=1)
    critical = modes.critical_logits(points, temperature)
    away = np.stack([1 + 0 * first, 1 + 0 * first, -2 * first / points[:, 2]], axis=1)
    bends_down = modes.bend(points, away, critical, temperature)[1] < 0
    grows = np.gradient(critical[:, 0] - critical[:, 2]) > 0
    borderline = abs(first - (2 - temperature) / 3) < 2e-3
    np.testing.assert_array_equal(bends_down | borderline, grows | borderline)


def test_a_followed_mode_is_lost_where_the_curvature_vanishes():
    logits = np.log([6.0, 3.0, 1.0])
    last = modes.follow(logits, np.arange(1.8, 1.0, -0.002))
    fold = _fold(logits, last)
    assert fold < last < fold + 0.005


def _fold(logits, start):
    """Return the temperature at which a critical point of given logits is flat."""
    from scipy.optimize import fsolve

    def conditions(unknown):
        relaxed = np.append(unknown[:2], 1 - unknown[:2].sum())
        lines = (
            np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0], [1.0, 0.0, -1.0]]) / relaxed
        )
        critical = modes.critical_logits(relaxed, unknown[2])
        one, other, both = modes.bend(relaxed, lines, critical, unknown[2])[1]
        flat = 4 * one * other - (both - one - other) ** 2
        return [*np.diff(critical - logits), flat / one**2]

    solution, _, found, message = fsolve(
        conditions, (0.72, 0.19, start), full_output=True
    )
    assert found == 1, message
    return solution[2]


@pytest.mark.parametrize("temperature", [0.2, 1.0, 3.5])
def test_towards_a_face_the_density_is_a_power(temperature):
    """With m of K entries of size epsilon the exponent is tau (K - m) - m."""
    for small in (1, 2, 3):
        x = np.full((2, 4), -np.log(4 - small))
        x[:, :small] = [[-400.0], [-200.0]]
        in_log_space = concrete.log_density_in_log_space(x, np.arange(4.0), temperature)
        exponent = np.diff(in_log_space - x.sum(axis=1))[0] / 200
        expected = temperature * (4 - small) - small
        assert exponent == pytest.approx(expected, abs=1e-9)
