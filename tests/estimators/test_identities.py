"""What holds to rounding: identities between estimators, exactness by enumeration, derivatives."""

import pytest
import torch
from helpers.estimators import FAILURE_RATE, draws, enumerate_mean, mean_p_value, seeded

from gumbel_tutorial import concrete, estimators, gumbel_max, noise
from gumbel_tutorial.estimators import ESTIMATORS
from gumbel_tutorial.estimators.protocol import as_one_hot, slope_at
from gumbel_tutorial.laboratory.measurement import exact_gradient, gradients
from gumbel_tutorial.laboratory.problems import PROBLEMS

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
SOME = ["linear", "quadratic", "cubic", "exp+tanh", "network", "toy 0.45"]


def estimate(name, problem, count=50, seed=3, **options):
    return draws(name, problem, count=count, seed=seed, **options)


@pytest.mark.parametrize("key", SOME)
def test_reinmax_at_temperature_one_is_zgr_sample_by_sample(key):
    problem = PROBLEMS[key]
    torch.testing.assert_close(
        estimate("reinmax", problem), estimate("zgr", problem), **CLOSE
    )


def test_reinmax_at_another_temperature_is_not_zgr():
    problem = PROBLEMS["cubic"]
    warm = estimate("reinmax", problem, temperature=1.5)
    assert (warm - estimate("zgr", problem)).abs().max() > 1e-3


@pytest.mark.parametrize("key", SOME)
def test_zgr_is_half_the_sum_of_straight_through_and_darn(key):
    problem = PROBLEMS[key]
    halves = estimate("straight_through", problem) + estimate("darn", problem)
    torch.testing.assert_close(estimate("zgr", problem), halves / 2, **CLOSE)


def test_a_slope_is_one_over_a_temperature():
    problem = PROBLEMS["cubic"]
    torch.testing.assert_close(
        estimate("slope_annealed", problem, slope=2.0),
        estimate("straight_through", problem, temperature=0.5),
        **CLOSE,
    )


@pytest.mark.parametrize("key", SOME)
def test_without_its_control_variate_rebar_is_reinforce(key):
    problem = PROBLEMS[key]

    def score_only(f, logits, *, generator):
        gumbels = noise.gumbel_like(logits.detach(), generator=generator)
        sample = as_one_hot((logits.detach() + gumbels).argmax(-1), logits)
        return (
            f(sample).detach() * (sample * logits.log_softmax(-1)).flatten(1).sum(-1)
        ).sum()

    expected = gradients(score_only, problem.f, problem.logits, 50, generator=seeded(3))
    torch.testing.assert_close(estimate("rebar", problem, scale=0.0), expected, **CLOSE)


def test_equal_temperatures_make_the_decoupled_estimator_gumbel_softmax():
    problem = PROBLEMS["cubic"]
    torch.testing.assert_close(
        estimate(
            "decoupled_straight_through",
            problem,
            forward_temperature=0.7,
            temperature=0.7,
        ),
        estimate("gumbel_softmax", problem, temperature=0.7),
        **CLOSE,
    )


def test_the_unordered_set_of_all_states_is_exact():
    for key, states in (("cubic", 4), ("toy 0.45", 2)):
        problem = PROBLEMS[key]
        expected = exact_gradient(problem.f, problem.logits).expand(
            50, *problem.logits.shape
        )
        torch.testing.assert_close(
            estimate("unordered_set", problem, num_samples=states), expected, **CLOSE
        )


@pytest.mark.parametrize(("key", "is_exact"), [("linear", True), ("quadratic", False)])
def test_straight_through_is_exact_for_linear_losses_alone(key, is_exact, monkeypatch):
    problem = PROBLEMS[key]
    mean = enumerate_mean("straight_through", problem, monkeypatch)
    difference = (mean - exact_gradient(problem.f, problem.logits)).abs().max()
    assert (difference < 1e-12) == is_exact


@pytest.mark.parametrize(
    ("key", "is_exact"),
    [("linear", True), ("quadratic", True), ("toy 0.45", True), ("cubic", False)],
)
@pytest.mark.parametrize("name", ["reinmax", "zgr"])
def test_reinmax_and_zgr_are_exact_for_quadratics(name, key, is_exact, monkeypatch):
    problem = PROBLEMS[key]
    mean = enumerate_mean(name, problem, monkeypatch)
    difference = (mean - exact_gradient(problem.f, problem.logits)).abs().max()
    assert (difference < 1e-12) == is_exact


def test_darn_about_the_centre_is_exact_for_quadratics_of_a_bit(monkeypatch):
    problem = PROBLEMS["toy 0.45"]
    centre = torch.full((2,), 0.5).double()
    mean = enumerate_mean("darn", problem, monkeypatch, reference=centre)
    torch.testing.assert_close(mean, exact_gradient(problem.f, problem.logits), **CLOSE)


def test_gumbel_rao_has_the_mean_of_straight_through_gumbel_softmax_and_less_variance():
    problem = PROBLEMS["cubic"]
    plain = draws("straight_through_gumbel_softmax", problem, temperature=0.5)
    averaged = draws("gumbel_rao", problem, temperature=0.5, num_inner=10)
    assert mean_p_value(plain - averaged, torch.zeros(4)) > FAILURE_RATE
    spread = [
        draws("gumbel_rao", problem, 5_000, temperature=0.5, num_inner=m).var(0).sum()
        for m in (1, 4, 16)
    ]
    assert spread[0] > 1.3 * spread[1] > 1.3 * spread[2]


def gumbel_rao_with_the_logits_twice(f, logits, *, generator):
    fixed = logits.detach()
    index = (fixed + noise.gumbel_like(fixed, generator=generator)).argmax(-1)
    free = noise.gumbel_like(fixed, generator=generator)
    perturbed = fixed + gumbel_max.noise_given_index(fixed, index, free)
    relaxed = concrete.relax(logits, perturbed, 0.5)
    return f(as_one_hot(index, fixed) + relaxed - relaxed.detach())


def gumbel_rao_with_a_derivative_through_the_conditional_noise(f, logits, *, generator):
    index = (logits + noise.gumbel_like(logits.detach(), generator=generator)).argmax(
        -1
    )
    free = noise.gumbel_like(logits.detach(), generator=generator)
    given = gumbel_max.noise_given_index(logits, index, free)
    relaxed = ((logits + given) / 0.5).softmax(-1)
    return f(as_one_hot(index, logits) + relaxed - relaxed.detach())


@pytest.mark.parametrize(
    "twin",
    [
        gumbel_rao_with_the_logits_twice,
        gumbel_rao_with_a_derivative_through_the_conditional_noise,
    ],
)
def test_a_wrong_gumbel_rao_is_rejected(twin):
    problem = PROBLEMS["linear"]
    plain = draws("straight_through_gumbel_softmax", problem, 50_000, temperature=0.5)
    wrong = gradients(twin, problem.f, problem.logits, 50_000, generator=seeded(1))
    assert mean_p_value(plain - wrong, torch.zeros(4)) < FAILURE_RATE


def test_the_limit_of_straight_through_gumbel_softmax_is_zgr_and_not_the_gradient(
    monkeypatch,
):
    problem = PROBLEMS["cubic"]
    limit = enumerate_mean("zgr", problem, monkeypatch)
    cold = draws("gumbel_rao", problem, temperature=0.01, num_inner=100, count=20_000)
    assert (cold.mean(0) - limit).norm() < 0.05 * limit.norm()
    exact = exact_gradient(problem.f, problem.logits)
    assert (limit - exact).norm() > 0.3 * exact.norm()


# Derivatives with the noise held fixed, each from its own formula.


def softmax_jacobian(probs, temperature=1.0):
    return (probs.diag() - probs.outer(probs)) / temperature


def noise_and_sample(logits):
    """Return the Gumbels that one estimate with the seed 3 draws first, and their winner."""
    gumbels = noise.gumbel_like(logits[None], generator=seeded(3))[0]
    return gumbels, as_one_hot((logits + gumbels).argmax(-1), logits)


def straight_through_by_hand(logits, slope, tau):
    _, z = noise_and_sample(logits)
    return softmax_jacobian((logits / tau).softmax(-1), tau) @ slope(z)


def straight_through_gumbel_softmax_by_hand(logits, slope, tau):
    gumbels, z = noise_and_sample(logits)
    return softmax_jacobian(((logits + gumbels) / tau).softmax(-1), tau) @ slope(z)


def decoupled_by_hand(logits, slope, tau):
    gumbels, _ = noise_and_sample(logits)
    forward = ((logits + gumbels) / 0.3).softmax(-1)
    backward = ((logits + gumbels) / tau).softmax(-1)
    return softmax_jacobian(backward, tau) @ slope(forward)


def gapped_by_hand(logits, slope, tau):
    _, z = noise_and_sample(logits)
    winner, displaced = z.argmax().item(), logits.clone()
    for i in range(len(logits)):
        # The gap is 1: the winner goes to the top, the others at least 1 below it.
        if i == winner:
            displaced[i] = logits.max()
        else:
            displaced[i] = min(logits[i], logits.max() - 1)
    return softmax_jacobian((displaced / tau).softmax(-1), tau) @ slope(z)


def darn_by_hand(logits, slope, tau):
    del tau
    _, z = noise_and_sample(logits)
    probs = logits.softmax(-1)
    return ((z - probs) @ slope(z)) * (z - probs)


def gumbel_rao_by_hand(logits, slope, tau):
    generator = seeded(3)
    winner = (logits + noise.gumbel_like(logits[None], generator=generator)).argmax()
    z = as_one_hot(winner, logits)
    total = torch.zeros_like(logits)
    for free in noise.gumbel_like(logits.expand(10, 1, 4), generator=generator)[:, 0]:
        # Topmost value of all, then every loser below it: Maddison et al. (2014).
        top = free[winner] + logits.logsumexp(-1)
        losers = -torch.log(torch.exp(-top) + torch.exp(-logits - free))
        perturbed = torch.where(z > 0, top, losers)
        total += softmax_jacobian((perturbed / tau).softmax(-1), tau) @ slope(z)
    return total / 10


@pytest.mark.parametrize(
    ("name", "by_hand", "options"),
    [
        ("straight_through", straight_through_by_hand, {"temperature": 0.7}),
        (
            "straight_through_gumbel_softmax",
            straight_through_gumbel_softmax_by_hand,
            {"temperature": 0.7},
        ),
        ("decoupled_straight_through", decoupled_by_hand, {"temperature": 0.7}),
        ("gapped_straight_through", gapped_by_hand, {"temperature": 0.7}),
        ("darn", darn_by_hand, {}),
        ("gumbel_rao", gumbel_rao_by_hand, {"temperature": 0.7}),
    ],
)
@pytest.mark.parametrize("key", ["linear", "cubic", "exp+tanh"])
def test_an_estimate_is_its_formula(name, by_hand, options, key):
    problem = PROBLEMS[key]
    ours = estimate(name, problem, count=1, **options)[0]
    expected = by_hand(problem.logits, lambda z: slope_at(problem.f, z)[1], 0.7)
    torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-12)


def test_an_arm_estimate_is_its_formula():
    # With u in place of its centred form the mean is the same, and the noise is not.
    logits = torch.tensor([[0.3, -0.2], [0.0, 1.4]], dtype=torch.float64)
    leaf, slope = logits.clone().requires_grad_(), torch.tensor([0.7, -2.0]).double()
    loss = estimators.arm(lambda z: (z @ slope).exp(), leaf, generator=seeded(3))
    (ours,) = torch.autograd.grad(loss.sum(), leaf)
    alpha = logits[:, 1] - logits[:, 0]
    u = 1 - (-(-noise.gumbel_like(alpha, generator=seeded(3))).exp()).exp()
    first, second = (
        as_one_hot(bits.long(), logits)
        for bits in (u > (-alpha).sigmoid(), u < alpha.sigmoid())
    )
    expected = ((first @ slope).exp() - (second @ slope).exp()) * (u - 0.5)
    assert (expected != 0).any()
    torch.testing.assert_close(ours, torch.stack([-expected, expected], -1), **CLOSE)


def test_a_vimco_estimate_is_its_formula():
    problem, count = PROBLEMS["exp+tanh"], 5
    logits = problem.logits
    ours = estimate("vimco", problem, count=1, num_samples=count)[0]
    gumbels = noise.gumbel_like(logits.expand(count, 1, 4), generator=seeded(3))[:, 0]
    samples = as_one_hot((logits + gumbels).argmax(-1), logits)
    log_weights = [-problem.f(z) for z in samples]

    def bound(values):
        return torch.stack(values).exp().mean().log()

    expected = torch.zeros(4, dtype=torch.float64)
    for i in range(count):
        others = [w for j, w in enumerate(log_weights) if j != i]
        replaced = [*others, torch.stack(others).mean()]
        signal = bound(log_weights) - bound(replaced)
        expected -= signal * (samples[i] - logits.softmax(-1))
    torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["gumbel_softmax", "exact"])
def test_gradcheck_in_the_logits(name):
    problem = PROBLEMS["network"]
    estimator = getattr(estimators, name)
    logits = problem.logits.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: estimator(problem.f, x, generator=seeded()), logits
    )


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_gradcheck_in_what_the_loss_closes_over(name):
    weights = torch.tensor([0.7, -0.4], dtype=torch.float64, requires_grad=True)
    logits = torch.tensor([[0.3, -0.2], [1.0, 0.1]], dtype=torch.float64)
    control = {"control": lambda x: x.softmax(-1)[..., 0].sum(-1)}
    estimator = estimators.get(name).prepare(**(control if name == "relax" else {}))

    def loss(weights):
        def f(z):
            return torch.tanh(z[..., 0] @ weights) + (weights**2).sum()

        if "baseline" in getattr(estimator, "keywords", {}):
            estimator.keywords["baseline"].value = None
        return estimator(f, logits, generator=seeded())

    assert torch.autograd.gradcheck(loss, weights)
