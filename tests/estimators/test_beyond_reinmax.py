"""ReinMax-Rao and ReinMax-CV: their formulas, and that and why they are not exact for linear losses."""

import pytest
import torch
from helpers.estimators import FAILURE_RATE, draws, mean_p_value, seeded

from gumbel_tutorial import concrete, gumbel_max, noise
from gumbel_tutorial.estimators.beyond_reinmax import middle_logits
from gumbel_tutorial.estimators.protocol import as_one_hot, draw, slope_at
from gumbel_tutorial.laboratory.measurement import exact_gradient, gradients
from gumbel_tutorial.laboratory.problems import PROBLEMS
from gumbel_tutorial.nn.hard import carry
from gumbel_tutorial.nn.samplers import reinmax_path

CLOSE = {"rtol": 1e-9, "atol": 1e-11}
LINEAR = PROBLEMS["linear"]


def jacobian(probs, temperature=1.0):
    return (probs.diag() - probs.outer(probs)) / temperature


def test_reinmax_is_exact_for_linear_losses_since_its_middle_has_the_right_mean():
    probs = LINEAR.logits.softmax(-1)
    middles = [jacobian((probs + z) / 2) for z in torch.eye(4).double()]
    mean = torch.einsum("z,zij->ij", probs, torch.stack(middles))
    torch.testing.assert_close(mean, 3 * jacobian(probs) / 4, **CLOSE)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("name", ["reinmax_rao", "reinmax_cv"])
def test_a_linear_loss_is_not_exact_at_any_temperature(name, temperature):
    exact = exact_gradient(LINEAR.f, LINEAR.logits)
    options = {"temperature": temperature, "num_inner": 5}
    estimates = draws(name, LINEAR, 100_000, **options)
    assert mean_p_value(estimates, exact) < FAILURE_RATE
    # Its twin, which has the middle's own Jacobian, passes.
    assert mean_p_value(draws("reinmax", LINEAR, 100_000), exact) > FAILURE_RATE


def mean_of_the_added_term(noise_of, temperature):
    """Return estimates by the added term alone, where y has the noise that a function gives."""

    def added(f, logits, *, generator):
        gumbels = noise.gumbel_like(logits, generator=generator)
        sample = as_one_hot((logits.detach() + gumbels).argmax(-1), logits)
        middle = middle_logits(logits, sample)
        index = sample.argmax(-1)
        one, other = (noise.gumbel_like(logits, generator=generator) for _ in range(2))
        averaged = middle + gumbel_max.condition(middle.detach(), index, one)
        plain = middle + noise_of(middle.detach(), index, other, gumbels)
        soft = [concrete.soften(x, temperature) for x in (averaged, plain)]
        return f(carry(sample, soft[0] - soft[1]))

    return gradients(added, LINEAR.f, LINEAR.logits, 200_000, generator=seeded())


def test_the_added_term_has_a_mean_unless_its_noise_is_drawn_given_the_winner():
    nothing = torch.zeros(4)
    published = mean_of_the_added_term(lambda *given: given[-1], 0.7)
    assert mean_p_value(published, nothing) < FAILURE_RATE
    anew = mean_of_the_added_term(lambda _, __, free, ___: free, 0.7)
    assert mean_p_value(anew, nothing) < FAILURE_RATE
    mended = mean_of_the_added_term(
        lambda middle, index, free, _: gumbel_max.condition(middle, index, free), 0.7
    )
    assert mean_p_value(mended, nothing) > FAILURE_RATE


def test_gumbel_rao_at_the_middle_has_its_mean_where_the_winner_is_drawn_there():
    # The tower rule, which z of the first logits breaks: D drawn at theta, noise given D at theta.
    middle = middle_logits(LINEAR.logits, torch.eye(4)[1].double())

    def estimate(winner_of, f, logits, *, generator):
        del f
        there = middle.expand_as(logits)
        sample = draw(there if winner_of == "middle" else logits, generator)
        free = noise.gumbel_like(logits, generator=generator)
        given = there + gumbel_max.condition(there, sample.argmax(-1), free)
        moved = logits - logits.detach() + given
        return concrete.soften(moved, 0.7) @ torch.linspace(-1, 1, 4).double()

    def estimates(winner_of):
        return gradients(
            lambda *a, **k: estimate(winner_of, *a, **k),
            LINEAR.f,
            LINEAR.logits,
            200_000,
            generator=seeded(),
        )

    plain = concrete.soften(
        middle.requires_grad_()
        + noise.gumbel_like(middle.expand(200_000, 4), generator=seeded(5)),
        0.7,
    ).detach()
    line = torch.linspace(-1, 1, 4).double()
    expected = plain * (line - (plain @ line)[:, None]) / 0.7
    assert mean_p_value(estimates("middle") - expected, torch.zeros(4)) > FAILURE_RATE
    assert mean_p_value(estimates("first") - expected, torch.zeros(4)) < FAILURE_RATE


def test_without_its_term_reinmax_cv_is_reinmax():
    problem = PROBLEMS["cubic"]
    torch.testing.assert_close(
        draws("reinmax_cv", problem, 50, scale=0.0),
        draws("reinmax", problem, 50),
        **CLOSE,
    )


@pytest.mark.parametrize("name", ["reinmax_rao", "reinmax_cv"])
def test_an_estimate_is_its_formula(name):
    problem, tau = PROBLEMS["cubic"], 0.6
    probs = problem.logits.softmax(-1)
    for seed in range(6):
        generator = seeded(seed)
        gumbels = noise.gumbel_like(problem.logits[None], generator=generator)[0]
        z = as_one_hot((problem.logits + gumbels).argmax(-1), probs)
        g, middle = slope_at(problem.f, z)[1], (probs + z) / 2
        averaged = torch.zeros_like(jacobian(probs))
        shape = probs.expand(3, 1, 4)
        for free in noise.gumbel_like(shape, generator=generator)[:, 0]:
            # Topmost value of all, then every loser below it: Maddison et al. (2014).
            top = free[z.argmax()]
            losers = -torch.log(torch.exp(-top) + torch.exp(-free) / middle)
            y = (torch.where(z > 0, top, losers) / tau).softmax(-1)
            averaged += jacobian(y, tau) / 3
        first = 2 * averaged - jacobian(probs) / 2
        if name == "reinmax_cv":
            y = ((middle.log() + gumbels) / tau).softmax(-1)
            first = 2 * jacobian(middle) - jacobian(probs) / 2
            first = first + 1.5 * (averaged - jacobian(y, tau))
        options = {"temperature": tau, "num_inner": 3}
        options |= {"scale": 1.5} if name == "reinmax_cv" else {}
        (ours,) = draws(name, problem, count=1, seed=seed, **options)
        torch.testing.assert_close(ours, first @ g, **CLOSE)


def test_the_path_of_reinmax_is_the_one_that_is_added_to():
    logits = LINEAR.logits.clone().requires_grad_()
    z = torch.eye(4)[2].double()
    (slope,) = torch.autograd.grad(reinmax_path(logits, z, 1.0)[0], logits)
    probs = logits.detach().softmax(-1)
    both = 2 * jacobian((probs + z) / 2) - jacobian(probs) / 2
    torch.testing.assert_close(slope, both[0], **CLOSE)
