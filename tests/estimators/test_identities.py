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


def test_darn_about_the_centre_is_reinmax_of_bits_sample_by_sample():
    bits = torch.tensor([[1.0, 0.0], [-2.0, 0.5]], dtype=torch.float64)

    def loss(z):
        return (z.flatten(-2) @ torch.tensor([3.0, 1.0, -2.0, 0.5]).double()).sin()

    def of_bits(name, **options):
        return gradients(name, loss, bits, 50, generator=seeded(3), **options)

    about_centre = of_bits("darn", reference=0.5)
    torch.testing.assert_close(about_centre, of_bits("reinmax"), **CLOSE)
    assert (of_bits("darn") - about_centre).abs().max() > 1e-3


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


class Case:
    """One estimate to be worked out by hand: its loss, logits, temperature, and the noise it draws first."""

    def __init__(self, problem, tau, seed):
        self.f, self.logits, self.tau = problem.f, problem.logits, tau
        self.generator = seeded(seed)
        row = noise.gumbel_like(self.logits[None], generator=self.generator)
        self.gumbels = row[0]
        self.z = as_one_hot((self.logits + self.gumbels).argmax(-1), self.logits)
        self.probs = self.logits.softmax(-1)

    def slope(self, at):
        return slope_at(self.f, at)[1]

    def through(self, perturbed):
        """Return J_tau of the softmax of perturbed logits, times the slope at z."""
        y = (perturbed / self.tau).softmax(-1)
        return softmax_jacobian(y, self.tau) @ self.slope(self.z)


def straight_through_by_hand(case):
    return case.through(case.logits)


def straight_through_gumbel_softmax_by_hand(case):
    return case.through(case.logits + case.gumbels)


def gumbel_softmax_by_hand(case):
    y = ((case.logits + case.gumbels) / case.tau).softmax(-1)
    return softmax_jacobian(y, case.tau) @ case.slope(y)


def decoupled_by_hand(case):
    forward = ((case.logits + case.gumbels) / 0.3).softmax(-1)
    backward = ((case.logits + case.gumbels) / case.tau).softmax(-1)
    return softmax_jacobian(backward, case.tau) @ case.slope(forward)


def gapped_by_hand(gap):
    def by_hand(case):
        displaced, highest = case.logits.clone(), case.logits.max()
        for i, logit in enumerate(case.logits):
            # The winner goes to the top, the others at least a gap below it.
            displaced[i] = highest if case.z[i] else min(logit, highest - gap)
        return case.through(displaced)

    return by_hand


def darn_by_hand(case):
    step = case.z - case.probs
    return (step @ case.slope(case.z)) * step


def reinmax_by_hand(case):
    # The temperature softens what the sample is averaged with, and nothing else.
    middle = (case.z + (case.logits / case.tau).softmax(-1)) / 2
    g = case.slope(case.z)
    return 2 * softmax_jacobian(middle) @ g - softmax_jacobian(case.probs) @ g / 2


def gumbel_rao_by_hand(case):
    total = torch.zeros_like(case.logits)
    shape = case.logits.expand(10, 1, 4)
    for free in noise.gumbel_like(shape, generator=case.generator)[:, 0]:
        # Topmost value of all, then every loser below it: Maddison et al. (2014).
        top = free[case.z.argmax()] + case.logits.logsumexp(-1)
        losers = -torch.log(torch.exp(-top) + torch.exp(-case.logits - free))
        total += case.through(torch.where(case.z > 0, top, losers))
    return total / 10


def reinforce_by_hand(case):
    return (case.f(case.z) - 0.3) * (case.z - case.probs)


def muprop_by_hand(case):
    g, step = case.slope(case.probs), case.z - case.probs
    advantage = case.f(case.z) - case.f(case.probs) - g @ step - 0.3
    return advantage * step + softmax_jacobian(case.probs) @ g


def rebar_by_hand(case):
    free = noise.gumbel_like(case.logits[None], generator=case.generator)[0]
    winner = case.z.argmax()

    def control(perturbed):
        return 0.7 * case.f((perturbed / case.tau).softmax(-1))

    def given(logits):
        top = free[winner] + logits.logsumexp(-1)
        losers = -torch.log(torch.exp(-top) + torch.exp(-logits - free))
        return torch.where(case.z > 0, top, losers)

    def difference(logits):
        return control(logits + case.gumbels) - control(given(logits))

    path = torch.autograd.functional.jacobian(difference, case.logits)
    weight = case.f(case.z) - control(given(case.logits))
    return weight * (case.z - case.probs) + path


TAU = 1.6
AT_TAU = {"temperature": TAU}
BY_HAND = [
    ("straight_through", straight_through_by_hand, AT_TAU),
    ("slope_annealed", straight_through_by_hand, {"slope": 1 / TAU}),
    (
        "straight_through_gumbel_softmax",
        straight_through_gumbel_softmax_by_hand,
        AT_TAU,
    ),
    ("gumbel_softmax", gumbel_softmax_by_hand, AT_TAU),
    ("decoupled_straight_through", decoupled_by_hand, AT_TAU),
    ("gapped_straight_through", gapped_by_hand(1.0), AT_TAU),
    ("gapped_straight_through", gapped_by_hand(0.3), {"gap": 0.3, **AT_TAU}),
    ("darn", darn_by_hand, {}),
    ("reinmax", reinmax_by_hand, AT_TAU),
    ("gumbel_rao", gumbel_rao_by_hand, AT_TAU),
    ("reinforce", reinforce_by_hand, {"baseline": 0.3}),
    ("muprop", muprop_by_hand, {"baseline": 0.3}),
    ("rebar", rebar_by_hand, {"scale": 0.7, **AT_TAU}),
]


@pytest.mark.parametrize(("name", "by_hand", "options"), BY_HAND)
@pytest.mark.parametrize("key", ["linear", "cubic", "exp+tanh"])
def test_an_estimate_is_its_formula(name, by_hand, options, key):
    problem = PROBLEMS[key]
    # Enough seeds for the winner at the temperature to differ from the winner without one.
    for seed in range(12):
        ours = estimate(name, problem, count=1, seed=seed, **options)[0]
        expected = by_hand(Case(problem, TAU, seed))
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-12)


def test_the_seeds_of_the_formulas_tell_a_warm_winner_from_the_winner():
    cases = [Case(PROBLEMS["linear"], TAU, seed) for seed in range(12)]
    warm = [(case.logits / TAU + case.gumbels).argmax() for case in cases]
    assert any(w != case.z.argmax() for w, case in zip(warm, cases, strict=True))


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
