"""Every unbiased estimator has the exact gradient for its mean, and a wrong twin is found out."""

import pytest
import torch
from helpers.estimators import FAILURE_RATE, draws, mean_p_value, seeded

from gumbel_tutorial import gumbel_max, noise
from gumbel_tutorial.estimators import ESTIMATORS
from gumbel_tutorial.estimators.protocol import draw, log_prob, repeat, slope_at
from gumbel_tutorial.estimators.score_function import MovingAverage
from gumbel_tutorial.laboratory.measurement import exact_gradient, gradients
from gumbel_tutorial.laboratory.problems import PROBLEMS, Problem, squared_distance
from gumbel_tutorial.nn.hard import carry

BINARY = {name: problem for name, problem in PROBLEMS.items() if "toy" in name}
BITS = Problem(
    lambda z: torch.tanh(z[..., 1] @ z.new_tensor([2.0, -1.0, 0.5]) - 0.2).square(),
    torch.tensor([[0.0, 1.0], [0.4, -0.5], [2.0, 0.0]], dtype=torch.float64),
)


# With so many draws each of the twins below is found out.
COUNT = 50_000


def warm(problem):
    """Return a moving average that has met other losses of the problem."""
    baseline = MovingAverage()
    samples = draw(problem.logits.expand(100, *problem.logits.shape), seeded(9))
    baseline.read_and_update(problem.f(samples))
    return baseline


def options(name, problem):
    """Return settings of each estimator that is to be tried; none stands for its defaults."""
    half = {"control": lambda x: 0.7 * problem.f(x.softmax(-1))}
    return {
        "reinforce": [{}, {"baseline": 0.3}],
        "reinforce_moving_average": [{"baseline": warm(problem)}],
        "rloo": [{"num_samples": 2}, {"num_samples": 5}],
        "muprop": [{}, {"baseline": 0.3}],
        "rebar": [{"temperature": 0.1}, {"temperature": 1.0, "scale": 0.4}],
        "relax": [half],
        "unordered_set": [{"num_samples": 2}],
        "double_control_variates": [{"num_samples": 2}, {"num_samples": 4}],
        "rodeo": [{"num_samples": 2}, {"num_samples": 4, "scale": 0.3}],
    }.get(name, [{}])


def cases():
    for name, estimator in ESTIMATORS.items():
        if not estimator.unbiased or name == "exact":
            continue
        binary = name in ("arm", "disarm")
        for key, problem in ({**BINARY, "bits": BITS} if binary else PROBLEMS).items():
            for setting in options(name, problem):
                label = "-".join(
                    f"{k}={v}" for k, v in setting.items() if isinstance(v, float | int)
                )
                yield pytest.param(name, problem, setting, id=f"{name}-{key}-{label}")


@pytest.mark.parametrize(("name", "problem", "setting"), list(cases()))
def test_the_mean_is_the_exact_gradient(name, problem, setting):
    exact = exact_gradient(problem.f, problem.logits)
    assert mean_p_value(draws(name, problem, COUNT, **setting), exact) > FAILURE_RATE


# The twins: one error each, of the kind that published code has.


def rloo_with_its_own_loss_in_the_baseline(f, logits, *, generator):
    logits = repeat(logits, 2)
    sample = draw(logits, generator)
    losses = f(sample)
    advantage = (losses - losses.mean(0)).detach()
    return carry(losses, advantage * log_prob(logits, sample, losses)).mean(0)


def moving_average_that_has_seen_its_losses(f, logits, *, generator):
    sample = draw(logits, generator)
    losses = f(sample)
    # Nine parts of what it remembers, one of the loss at hand: the usual update, done too early.
    baseline = 0.9 * 0.3 + 0.1 * losses
    advantage = (losses - baseline).detach()
    return carry(losses, advantage * log_prob(logits, sample, losses))


def muprop_without_the_gradient_of_its_mean(f, logits, *, generator):
    sample = draw(logits, generator)
    losses, probs = f(sample), logits.softmax(-1)
    at_mean, slope = slope_at(f, probs)
    expansion = at_mean + (slope * (sample - probs)).flatten(losses.ndim).sum(-1)
    advantage = (losses - expansion).detach()
    return carry(losses, advantage * log_prob(logits, sample, losses))


def rebar_with_the_conditional_noise_held_fixed(f, logits, *, generator):
    fixed = logits.detach()
    gumbels, free = (noise.gumbel_like(fixed, generator=generator) for _ in range(2))
    index = (fixed + gumbels).argmax(-1)
    given = logits + gumbel_max.noise_given_index(fixed, index, free)
    sample = torch.nn.functional.one_hot(index, logits.shape[-1]).to(logits)
    losses = f(sample)
    at_free, at_given = (f((x / 0.5).softmax(-1)) for x in (logits + gumbels, given))
    advantage = (losses - at_given).detach()
    path = advantage * log_prob(logits, sample, losses) + at_free - at_given
    return carry(losses, path)


@pytest.mark.parametrize(
    "twin",
    [
        rloo_with_its_own_loss_in_the_baseline,
        moving_average_that_has_seen_its_losses,
        muprop_without_the_gradient_of_its_mean,
        rebar_with_the_conditional_noise_held_fixed,
    ],
)
@pytest.mark.parametrize("key", ["quadratic", "cubic", "exp+tanh"])
def test_a_wrong_twin_is_rejected(twin, key):
    problem = PROBLEMS[key]
    estimates = gradients(twin, problem.f, problem.logits, COUNT, generator=seeded())
    exact = exact_gradient(problem.f, problem.logits)
    assert mean_p_value(estimates, exact) < FAILURE_RATE


def test_arm_with_independent_bits_is_rejected():
    def not_antithetic(f, logits, *, generator):
        probs = logits.detach().softmax(-1)
        u, v = (
            torch.rand(probs.shape[:-1], generator=generator).to(probs) for _ in "uv"
        )
        pair = [(u > probs[..., 0]).long(), (v < probs[..., 1]).long()]
        one_hot = [torch.nn.functional.one_hot(bits, 2).to(probs) for bits in pair]
        gap = (f(one_hot[0]) - f(one_hot[1])).detach()
        gap = gap.reshape(gap.shape + (1,) * (u.ndim - gap.ndim))
        path = (gap * (u - 0.5) * (logits[..., 1] - logits[..., 0])).sum()
        return carry(gap.sum(), path)

    exact = exact_gradient(BITS.f, BITS.logits)
    estimates = gradients(
        not_antithetic, BITS.f, BITS.logits, COUNT, generator=seeded()
    )
    assert mean_p_value(estimates, exact) < FAILURE_RATE


def test_vimco_is_unbiased_for_the_multi_sample_bound():
    logits = torch.tensor([0.5, 0.0, -1.0], dtype=torch.float64)
    values = torch.tensor([0.2, 2.0, -1.0], dtype=torch.float64)
    problem = Problem(lambda z: z @ values, logits)

    def bound(pair):  # (..., 2, 3)
        return torch.log(torch.tensor(2.0)) - (-(pair @ values)).logsumexp(-1)

    twice = exact_gradient(bound, logits.expand(2, 3)).sum(0)
    assert mean_p_value(draws("vimco", problem), twice) > FAILURE_RATE
    one_sample = exact_gradient(problem.f, logits)
    assert mean_p_value(draws("vimco", problem), one_sample) < FAILURE_RATE


def test_disarm_varies_less_than_arm_and_than_leave_one_out():
    for problem in (BITS, squared_distance(0.45, prob=0.8)):
        spread = {
            name: draws(name, problem).var(0).sum()
            for name in ("arm", "disarm", "rloo")
        }
        assert spread["disarm"] < spread["arm"]
        assert spread["disarm"] < spread["rloo"]
