"""Figures that are known: exact ones of the binary toy, measured ones of a linear loss."""

import pytest
from helpers.estimators import draws

from gumbel_tutorial.laboratory.measurement import exact_gradient, measure
from gumbel_tutorial.laboratory.problems import PROBLEMS, squared_distance

# Mean and variance of the derivative in the logit of a bit, by quadrature and enumeration, at p = 0.5, 0.8.
TOY = [
    ("reinforce", {}, (0.025, 0.015939), (0.016, 0.007921)),
    ("rloo", {}, (0.025, 0.000625), (0.016, 0.000544)),
    ("straight_through", {}, (0.025, 0.0625), (0.112, 0.016384)),
    ("reinmax", {}, (0.025, 0.0625), (0.016, 0.035344)),
    ("gumbel_softmax", {"temperature": 0.1}, (0.0248, 0.0862), (0.02546, 0.0570)),
    ("gumbel_softmax", {"temperature": 0.5}, (0.02146, 0.01424), (0.05013, 0.00995)),
    ("gumbel_softmax", {"temperature": 1.0}, (0.01667, 0.00482), (0.05072, 0.0032)),
    (
        "straight_through_gumbel_softmax",
        {"temperature": 0.1},
        (0.0248, 0.4189),
        (0.02916, 0.2714),
    ),
    (
        "straight_through_gumbel_softmax",
        {"temperature": 0.5},
        (0.02146, 0.0779),
        (0.06705, 0.0518),
    ),
    (
        "straight_through_gumbel_softmax",
        {"temperature": 1.0},
        (0.01667, 0.0334),
        (0.07772, 0.0217),
    ),
    (
        "gumbel_rao",
        {"temperature": 0.5, "num_inner": 100},
        (0.02146, 0.0461),
        (0.06705, 0.0230),
    ),
]


@pytest.mark.parametrize(("name", "options", "half", "four_fifths"), TOY)
def test_the_binary_toy(name, options, half, four_fifths):
    for prob, (mean, variance) in ((0.5, half), (0.8, four_fifths)):
        count = 20_000 if name == "gumbel_rao" else 400_000
        estimates = draws(name, squared_distance(0.45, prob), count, **options)[:, 1]
        error = (variance / count) ** 0.5
        assert abs(estimates.mean() - mean) < 5 * error + 1e-5
        squares = (estimates - mean) ** 2
        tolerance = 5 * squares.std() / count**0.5 + 0.01 * variance
        assert abs(estimates.var() - variance) < tolerance


# Relative bias and variance over the squared gradient, 400,000 draws each.
LINEAR = [
    ("reinforce", {}, 0.0, 5.84),
    ("rloo", {}, 0.0, 3.92),
    ("straight_through", {}, 0.0, 0.0),
    ("reinmax", {}, 0.0, 0.93),
    ("gumbel_softmax", {"temperature": 1.0}, 0.270, 0.42),
    ("gumbel_softmax", {"temperature": 0.5}, 0.100, 1.72),
    ("gumbel_softmax", {"temperature": 0.1}, 0.010, 14.8),
    ("straight_through_gumbel_softmax", {"temperature": 0.5}, 0.100, 1.72),
    ("gumbel_rao", {"temperature": 0.5}, 0.100, 0.49),
    ("gumbel_rao", {"temperature": 0.1}, 0.002, 2.18),
]


@pytest.mark.parametrize(("name", "options", "bias", "variance"), LINEAR)
def test_the_linear_loss(name, options, bias, variance):
    problem = PROBLEMS["linear"]
    estimates = draws(name, problem, 200_000, **options)
    measured = measure(estimates, exact_gradient(problem.f, problem.logits))
    # Two samples' errors, the recorded one unstated, and the rounding of the record.
    assert abs(measured.bias.value - bias) < 2.5 * measured.bias.error + 0.004
    tolerance = 3 * measured.variance.error + 0.012 * variance + 0.006
    assert abs(measured.variance.value - variance) < tolerance


def test_the_gapped_estimator_is_near_its_recorded_figures_and_not_on_them():
    # The record says 0.197 and 0.50. The formula, which test_identities writes out by hand as the
    # authors' code has it, gives 0.206 and 0.492 by enumeration; no rounding of the weights closes that.
    problem = PROBLEMS["linear"]
    estimates = draws("gapped_straight_through", problem, temperature=0.5)
    measured = measure(estimates, exact_gradient(problem.f, problem.logits))
    assert measured.bias.low < 0.2058 < measured.bias.high
    assert measured.variance.low < 0.4920 < measured.variance.high
    assert abs(measured.bias.value / 0.197 - 1) < 0.06
    assert abs(measured.variance.value / 0.50 - 1) < 0.04
