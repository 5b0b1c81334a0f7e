"""Expectations of relaxed samples as sums on a grid."""

import numpy as np
import pytest

from gumbel_tutorial import categorical, concrete, noise
from gumbel_tutorial.book import quadrature
from gumbel_tutorial.book.quadrature import order
from gumbel_tutorial.book.statistics import standard_error

PROBS = [np.array([0.8, 0.2]), np.array([0.6, 0.3, 0.1]), np.full(5, 0.2)]
LAWS = pytest.mark.parametrize("probs", PROBS, ids=len)
# Of a comparison in 4.5 standard errors: 7e-6 an entry.
WIDTH = 4.5


@LAWS
@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_the_mean_is_a_probability_and_that_of_draws(probs, temperature, rng):
    mean = quadrature.relaxed_mean(probs, temperature)
    assert mean.sum() == pytest.approx(1, abs=1e-12)
    first, second = (noise.gumbel((50_000, probs.size), generator=rng) for _ in "GH")
    for sample in (
        concrete.relax(np.log(probs), first, temperature),
        categorical.probs(np.log(probs) + temperature * second),
    ):
        assert (abs(sample.mean(0) - mean) <= WIDTH * standard_error(sample)).all()


def test_the_mean_of_two_categories_has_its_closed_form_at_temperature_one():
    odds = 4.0
    exact = odds * (odds - 1 - np.log(odds)) / (odds - 1) ** 2
    assert quadrature.relaxed_mean(PROBS[0], 1.0)[0] == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("temperature", [0.05, 0.5, 2.0])
def test_two_categories_agree_with_an_integral_over_logistic_noise(temperature):
    mean = quadrature.relaxed_mean(PROBS[0], temperature)[0]
    integral = quadrature.relaxed_bernoulli_mean(lambda y: y, 0.8, temperature)
    assert integral == pytest.approx(mean, rel=1e-9)


def test_the_mean_misses_the_class_probabilities_by_the_second_order_term():
    for probs, power in zip(PROBS[:2], (4, 3), strict=True):
        pull = np.pi**2 / 6 * probs * ((probs**2).sum() - probs)

        def left(tau, factor, probs=probs, pull=pull):
            return quadrature.relaxed_mean(probs, tau) - probs - factor * tau**2 * pull

        assert round(order(lambda tau, left=left: left(tau, 1.0))) == power
        # Twins: a coefficient that is off by a sixth, or by its sign.
        for factor in (5 / 6, 7 / 6, -1):
            assert round(order(lambda tau, f=factor, left=left: left(tau, f))) == 2
    assert abs(quadrature.relaxed_mean(PROBS[2], 1.0) - 0.2).max() < 1e-12


def test_the_gradient_is_the_derivative_of_the_mean():
    logits, step = np.log(PROBS[1]), 1e-4
    for index in range(3):
        moved = [logits + sign * step * np.eye(3)[index] for sign in (1, -1)]
        up, down = (
            quadrature.relaxed_mean(categorical.probs(x), 0.7)[0] for x in moved
        )
        gradient = quadrature.relaxed_gradient(lambda y: y[..., 0], logits, 0.7)
        assert gradient[index] == pytest.approx((up - down) / (2 * step), abs=1e-7)


def test_the_bias_of_two_categories_is_of_first_order_with_its_constant():
    """E[f(y)] - E[f(z)] = -tau p (1 - p) for the square; of second order for a line."""

    def bias(f, tau, p=0.3):
        return quadrature.relaxed_bernoulli_mean(f, p, tau) - (
            p * f(1) + (1 - p) * f(0)
        )

    def left(factor):
        return order(lambda tau: bias(np.square, tau) + factor * tau * 0.3 * 0.7)

    assert round(left(1)) == 2
    assert round(left(0.9)) == round(left(-1)) == 1
    assert round(order(lambda tau: bias(lambda y: y, tau), 0.1)) == 2


def test_the_variance_of_the_derivative_is_a_sixth_over_the_temperature():
    p = 0.3

    def moment(power, tau):
        return quadrature.relaxed_bernoulli_mean(
            lambda y: (y * (1 - y) / tau) ** power, p, tau
        )

    def left(tau, constant):
        variance = moment(2, tau) - moment(1, tau) ** 2
        return tau * variance - constant * p * (1 - p)

    assert round(order(lambda tau: left(tau, 1 / 6))) == 1
    assert round(order(lambda tau: left(tau, 1 / 5))) == 0
    assert round(order(lambda tau: moment(1, tau) - p * (1 - p))) == 2


def test_an_order_is_read_off_whatever_the_coefficient():
    vector = np.array([3.0, -1.0])
    for power in (0, 1, 2.5):
        assert order(lambda tau, k=power: vector * tau**k) == pytest.approx(power)
