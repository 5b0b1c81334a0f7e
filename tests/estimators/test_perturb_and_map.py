"""I-MLE: a finite difference on a slope that stays, half of each pair's slopes on one that does not."""

import pytest
import torch
from helpers.estimators import FAILURE_RATE, draws, mean_p_value, seeded

from gumbel_tutorial import noise
from gumbel_tutorial.estimators.protocol import as_one_hot, slope_at
from gumbel_tutorial.laboratory.measurement import exact_gradient, gradients
from gumbel_tutorial.laboratory.problems import PROBLEMS


@pytest.mark.parametrize("step", [0.3, 1.0, 3.0])
def test_of_a_linear_loss_the_mean_is_a_finite_difference(step):
    problem = PROBLEMS["linear"]
    slope = slope_at(problem.f, problem.logits)[1]
    ends = [problem.logits, problem.logits - step * slope]
    first, second = (end.softmax(-1) for end in ends)
    estimates = draws("imle", problem, step=step)
    assert mean_p_value(estimates, (first - second) / step) > FAILURE_RATE
    exact = exact_gradient(problem.f, problem.logits)
    if step > 0.3:  # a twin: the gradient itself
        assert mean_p_value(estimates, exact) < FAILURE_RATE


def small_step_limit(problem):
    """Return what the mean tends to: a pair of categories counted from the end whose slope leads away."""
    probs, total = problem.logits.softmax(-1), torch.zeros_like(problem.logits)
    for z, here in enumerate(torch.eye(len(probs)).to(probs)):
        g = slope_at(problem.f, here)[1]
        for j, there in enumerate(torch.eye(len(probs)).to(probs)):
            total += probs[z] * probs[j] * (g[z] - g[j]).clamp(min=0) * (here - there)
    return total


@pytest.mark.parametrize("key", ["linear", "quadratic", "cubic"])
def test_the_limit_of_small_steps_is_exact_for_linear_losses_alone(key):
    problem = PROBLEMS[key]
    limit = small_step_limit(problem)
    exact = exact_gradient(problem.f, problem.logits)
    assert ((limit - exact).abs().max() < 1e-12) == (key == "linear")
    # The mean at a step differs from the limit by about as much as the step.
    estimates = draws("imle", problem, 400_000, step=0.01)
    assert mean_p_value(estimates, limit) > FAILURE_RATE
    if key != "linear":
        assert mean_p_value(estimates, exact) < FAILURE_RATE


def test_an_estimate_is_its_formula():
    problem, step = PROBLEMS["cubic"], 0.7
    for seed in range(12):
        gumbels = noise.gumbel_like(problem.logits[None], generator=seeded(seed))[0]
        z = as_one_hot((problem.logits + gumbels).argmax(-1), problem.logits)
        moved = problem.logits - step * slope_at(problem.f, z)[1] + gumbels
        expected = (z - as_one_hot(moved.argmax(-1), problem.logits)) / step
        (ours,) = gradients(
            "imle", problem.f, problem.logits, 1, generator=seeded(seed), step=step
        )
        torch.testing.assert_close(ours, expected)
