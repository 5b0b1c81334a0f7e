"""The measuring instrument, on draws whose bias and variance are known."""

from functools import partial

import pytest
import torch
from helpers.estimators import seeded

from gumbel_tutorial import estimators
from gumbel_tutorial.laboratory.measurement import (
    count_evaluations,
    exact_gradient,
    examine,
    gradients,
    measure,
    progress,
)
from gumbel_tutorial.laboratory.problems import PROBLEMS, network


def test_known_bias_variance_error_and_cosine():
    exact = torch.tensor([3.0, 4.0], dtype=torch.float64)
    shift = torch.tensor([0.5, 0.0], dtype=torch.float64)
    noise = torch.randn(200_000, 2, dtype=torch.float64, generator=seeded())
    measured = measure(exact + shift + noise, exact)
    for figure, true in (
        (measured.bias, 0.5 / 5),
        (measured.variance, 2 / 25),
        (measured.squared_error, (0.25 + 2) / 25),
    ):
        assert figure.low < true < figure.high
        assert figure.error < 0.01
    assert 0.9 < measured.cosine.value < 1
    assert f"{measured.bias:.2f}" == "0.10"


def test_progress_is_one_less_the_squared_error_of_the_best_multiple():
    exact = torch.tensor([3.0, 4.0], dtype=torch.float64)
    shift = torch.tensor([1.0, -2.0], dtype=torch.float64)
    noise = 4 * torch.randn(400_000, 2, dtype=torch.float64, generator=seeded())
    draws = 0.3 * (exact + shift + noise)
    measured = measure(draws, exact)
    for count in (1, 4):
        # By hand: mean (4, 2), variance 32, all times the scale, which cancels.
        expected = (4 * 3 + 2 * 4) ** 2 / ((4**2 + 2**2 + 32 / count) * 25)
        assert abs(measured.progress(count) - expected) < 0.005
        means = draws.reshape(-1, count, 2).mean(1)
        steps = torch.linspace(0, 3, 301, dtype=torch.float64)[:, None, None]
        errors = (steps * means[:20_000] - exact).square().sum(-1).mean(1) / 25
        assert abs(1 - errors.min() - expected) < 0.02
    assert measured.progress(4) == progress(
        *(measured.along.value, measured.squared_error.value, measured.variance.value),
        count=4,
    )


def test_a_step_against_the_gradient_makes_no_progress():
    assert progress(-1.0, 4.0, 0.0) == 0


def test_a_network_takes_any_number_of_variables():
    for variables in (3, 30):
        problem = network(variables, 10, seed=1)
        assert problem.logits.shape == (variables, 10)
        losses = problem.f(torch.eye(10).double()[torch.arange(variables) % 10])
        assert losses.shape == ()
    assert torch.equal(PROBLEMS["network"].logits, network(3, 4, seed=5).logits)


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_intervals_cover_as_often_as_they_say(shift):
    exact = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    shift = torch.tensor([0.0, shift, 0.0], dtype=torch.float64)
    spread = torch.tensor([1.0, 0.5, 0.2], dtype=torch.float64)
    noise = torch.randn(400, 500, 3, dtype=torch.float64, generator=seeded()) * spread
    measured = [measure(exact + shift + draws, exact) for draws in noise]
    bias = sum(m.bias.low <= shift.norm() <= m.bias.high for m in measured)
    variance = sum(m.variance.low <= 1.29 <= m.variance.high for m in measured)
    assert bias >= 0.93 * 400  # the ball is conservative
    assert 0.91 * 400 <= variance <= 0.985 * 400


def test_an_exact_estimator_has_no_error():
    problem = PROBLEMS["network"]
    exact = exact_gradient(problem.f, problem.logits)
    draws = gradients("exact", problem.f, problem.logits, 5, generator=seeded())
    measured = measure(draws, exact)
    assert measured.squared_error.value < 1e-20
    assert abs(measured.cosine.value - 1) < 1e-12


def test_the_exact_gradient_is_that_of_autograd_through_the_sum():
    problem = PROBLEMS["cubic"]
    logits = problem.logits.clone().requires_grad_()
    (logits.softmax(-1) @ problem.f(torch.eye(4).double())).backward()
    torch.testing.assert_close(exact_gradient(problem.f, problem.logits), logits.grad)


def test_refusals():
    exact = torch.tensor([1.0, 2.0])
    with pytest.raises(ValueError, match=r"estimates must have shape .* got \(3, 1\)"):
        measure(torch.zeros(3, 1), exact)
    with pytest.raises(ValueError, match="at least 2, got"):
        measure(torch.zeros(1, 2), exact)
    with pytest.raises(ValueError, match="gradient must not be zero, got norm 0"):
        measure(torch.zeros(3, 2), torch.zeros(2))
    with pytest.raises(
        ValueError, match="num_draws must be a whole number of at least 1"
    ):
        gradients("rloo", PROBLEMS["cubic"].f, torch.zeros(4), 0, generator=seeded())


@pytest.mark.parametrize(
    ("name", "values", "slopes"),
    [
        ("reinforce", 1, 0),
        ("rloo", 2, 0),
        ("unordered_set", 2, 0),
        ("straight_through", 1, 1),
        ("gumbel_rao", 1, 1),
        ("muprop", 2, 1),
        ("rebar", 3, 2),
        ("exact", 64, 0),
        ("mve", 1, 1),
        ("categorical_disarm", 2, 0),
        ("double_control_variates", 2, 2),
        ("rodeo", 2, 2),
        ("imle", 1, 1),
        ("redge", 1, 1),
        ("reindge", 1, 1),
        ("reinmax_rao", 1, 1),
        ("reinmax_cv", 1, 1),
    ],
)
def test_evaluations_are_those_of_the_docstring(name, values, slopes):
    counted = count_evaluations(name, PROBLEMS["network"], generator=seeded())
    assert counted == (values, slopes)


def test_a_name_with_options_is_its_function_with_them():
    problem, options = PROBLEMS["cubic"], {"num_samples": 4}
    named, given, bound = (
        examine(estimator, problem, 100, generator=seeded(), **more)
        for estimator, more in (
            ("rloo", options),
            (estimators.rloo, options),
            (partial(estimators.rloo, **options), {}),
        )
    )
    assert named == given == bound
    assert named != examine("rloo", problem, 100, generator=seeded())
    assert count_evaluations("rloo", problem, generator=seeded(), **options) == (4, 0)


def test_a_name_brings_a_state_of_its_own():
    problem = PROBLEMS["cubic"]
    first, second = (
        examine("reinforce_moving_average", problem, 100, generator=seeded())
        for _ in range(2)
    )
    assert first == second


def test_a_wrong_name_or_option_is_refused_in_words():
    problem = PROBLEMS["cubic"]
    with pytest.raises(ValueError, match="name must be one of exact, .* got 'rlo'"):
        examine("rlo", problem, 10, generator=seeded())
    with pytest.raises(
        TypeError, match="options must be among num_samples, got 'samples'"
    ):
        examine("rloo", problem, 10, generator=seeded(), samples=3)
