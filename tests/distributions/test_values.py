"""Moments, entropies and divergences against simulation, quadrature and sums over the support."""

import math

import mpmath
import numpy as np
import pytest
import scipy.stats
import torch
from helpers.distributions import (
    CONTINUOUS,
    DISCRETE,
    LAWS,
    ON_THE_LINE,
    law,
    parameters,
)
from torch.distributions import (
    Categorical,
    Normal,
    OneHotCategorical,
    kl_divergence,
)

from gumbel_tutorial import distributions as gt
from gumbel_tutorial.book.statistics import chi_square_p_value, standard_error

# Each simulation rejects the right number once in 1e6 runs: 4.9 standard errors. Seeds are fixed.
FAILURE_RATE = 1e-6
WIDTH = scipy.stats.norm.isf(FAILURE_RATE / 2)
WITH_MOMENTS = ("Gumbel", "TruncatedGumbel", "LogitRelaxedBernoulli")


def assert_mean(samples, exact):
    """Compare the mean of samples on the first axis."""
    samples, exact = np.asarray(samples), np.asarray(exact)
    gap = np.abs(samples.mean(axis=0) - exact)
    assert (gap < WIDTH * standard_error(samples)).all()


@pytest.mark.parametrize("name", WITH_MOMENTS)
def test_mean_variance_and_entropy_are_those_of_a_simulation(name, torch_generator):
    one = law(name)
    draws = one.sample((200_000,), generator=torch_generator)
    assert_mean(draws, one.mean)
    assert_mean((draws - one.mean) ** 2, one.variance)
    assert_mean(-one.log_prob(draws), one.entropy())
    torch.testing.assert_close(one.stddev**2, one.variance)
    torch.testing.assert_close(one.perplexity(), one.entropy().exp())


@pytest.mark.parametrize("name", WITH_MOMENTS)
def test_the_density_is_largest_at_the_mode(name):
    one = law(name)
    around = one.mode + torch.linspace(-1, 1, 201)[:, None]
    around = around[one.support.check(around).all(-1)]
    assert (one.log_prob(around) <= one.log_prob(one.mode)).all()


@pytest.mark.parametrize("name", ON_THE_LINE)
def test_draws_have_the_distribution_function(name, torch_generator):
    one = law(name)
    draws = one.sample((20_000,), generator=torch_generator)
    for column in one.cdf(draws).T.numpy():
        assert scipy.stats.kstest(column, "uniform").pvalue > FAILURE_RATE


@pytest.mark.parametrize("name", ["GumbelMax", "PlackettLuce", "OneHotStraightThrough"])
def test_a_discrete_law_is_drawn_as_its_log_prob_says(name, torch_generator):
    one = corners() if name == "OneHotStraightThrough" else law(name)
    support = one.enumerate_support()
    draws = one.sample((50_000,), generator=torch_generator)
    own = range(1, support.ndim)
    for row in range(2):
        hits = draws[:, None, row] == support[None, :, row]
        counts = hits.reshape(*hits.shape[:2], -1).all(-1).sum(0)
        assert counts.sum() == len(draws)
        probs = one.log_prob(support)[:, row].exp()
        assert chi_square_p_value(counts.numpy(), probs.numpy()) > FAILURE_RATE
    assert len(own) == len(one.event_shape) + 1


@pytest.mark.parametrize("name", ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"])
def test_the_density_of_a_relaxed_row_integrates_to_one(name, torch_generator):
    # Importance weights of draws at another temperature and other logits have mean 1.
    given = parameters(name)
    wide = LAWS[name][0](given["temperature"] * 0.8, logits=given["logits"] * 0.9)
    draws = wide.sample((200_000,), generator=torch_generator)
    weights = (law(name).log_prob(draws) - wide.log_prob(draws)).exp()
    assert_mean(weights, torch.ones(2))


@pytest.mark.parametrize("name", ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"])
def test_the_density_of_a_relaxed_row_is_torchs(name, torch_generator):
    logits = parameters(name)["logits"]
    temperature = torch.tensor(0.7, dtype=torch.float64)
    ours = getattr(gt, name)(temperature, logits=logits)
    theirs = getattr(torch.distributions.relaxed_categorical, name)(
        temperature, logits=logits, validate_args=False
    )
    draws = ours.sample((100,), generator=torch_generator)
    torch.testing.assert_close(ours.log_prob(draws), theirs.log_prob(draws))


@pytest.mark.parametrize("name", ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"])
def test_the_winner_of_a_relaxed_row_has_the_categorical_law(name, torch_generator):
    one = law(name)
    winners = one.sample((50_000,), generator=torch_generator).argmax(-1)
    for row in range(2):
        counts = torch.bincount(winners[:, row], minlength=4)
        p_value = chi_square_p_value(counts.numpy(), one.probs[row].numpy())
        assert p_value > FAILURE_RATE


@pytest.mark.parametrize("name", ["LogitRelaxedBernoulli", "RelaxedBernoulli"])
def test_a_relaxed_bit_is_one_as_often_as_the_bit(name, torch_generator):
    one = law(name)
    draws = one.sample((200_000,), generator=torch_generator)
    middle = 0.5 if name == "RelaxedBernoulli" else 0.0
    assert_mean((draws > middle).double(), one.probs)
    torch.testing.assert_close(one.sf(torch.tensor(middle)), one.probs)


BOUNDS = [-800.0, -30.0, -3.0, 0.0, 0.5, 3.0, 20.0, 39.9, 40.1, 400.0, math.inf]


@pytest.mark.parametrize("bound", BOUNDS)
def test_the_truncated_moments_are_right_to_ten_digits(bound):
    with mpmath.workdps(60):
        if bound == math.inf:
            mean, variance = mpmath.euler, mpmath.pi**2 / 6
        else:
            # u - X = log(1 + E / a) with a = e^-b and E exponential; by parts, and once more for its square.
            a = mpmath.exp(-mpmath.mpf(bound))
            gap = mpmath.exp(a) * mpmath.e1(a) if a < 1e6 else _series(a)
            second = _second_moment(a)
            mean, variance = bound - gap, second - gap**2
    zero = torch.zeros((), dtype=torch.float64)
    one = gt.TruncatedGumbel(zero, 1.0, bound)
    assert one.mean.item() == pytest.approx(float(mean), rel=1e-10, abs=1e-12)
    assert one.variance.item() == pytest.approx(float(variance), rel=1e-10, abs=1e-300)
    shifted = gt.TruncatedGumbel(zero + 2, 3.0, 2 + 3 * bound)
    assert shifted.mean.item() == pytest.approx(2 + 3 * float(mean), rel=1e-10)
    assert shifted.variance.item() == pytest.approx(9 * float(variance), rel=1e-10)
    entropy = 1 + math.log(3) + float(mean)
    assert shifted.entropy().item() == pytest.approx(entropy, rel=1e-10, abs=1e-12)


def _series(a):
    # e^a E1(a) = sum (-1)^k k! / a^(k + 1), an asymptotic series.
    return sum((-1) ** k * mpmath.factorial(k) / a ** (k + 1) for k in range(8))


def _second_moment(a):
    if a > 1e6:  # E[(E / a - E^2 / 2a^2 + ...)^2]
        return 2 / a**2 - 6 / a**3 + 22 / a**4 - 100 / a**5
    nodes = [0, 1 / (1 + a), 1, 4, 12, 40, 150]
    return mpmath.quad(
        lambda x: mpmath.log1p(x / a) ** 2 * mpmath.exp(-x), [n * 1.0 for n in nodes]
    )


def test_the_truncated_moments_have_derivatives():
    def moments(loc, scale, upper):
        one = gt.TruncatedGumbel(loc, scale, upper)
        return one.mean, one.variance, one.entropy()

    leaves = [v.requires_grad_() for v in parameters("TruncatedGumbel").values()]
    assert torch.autograd.gradcheck(moments, leaves)
    far = torch.tensor([torch.inf, 60.0], dtype=torch.float64)
    loc = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    mean, variance, entropy = moments(loc, torch.ones_like(loc), far)
    (slope,) = torch.autograd.grad((mean + variance + entropy).sum(), loc)
    # Mean moves with loc, and nothing else does.
    assert slope.tolist() == [1.0, 1.0]


def test_the_moments_of_indices_are_torchs():
    one = law("GumbelMax")
    theirs = Categorical(logits=parameters("GumbelMax")["logits"])
    assert one.mean.isnan().all()
    assert one.variance.isnan().all()
    for key in ("mode", "logits", "probs", "param_shape"):
        torch.testing.assert_close(getattr(one, key), getattr(theirs, key))
    torch.testing.assert_close(one.entropy(), theirs.entropy())
    torch.testing.assert_close(one.perplexity(), theirs.perplexity())
    for expand in (True, False):
        ours = one.enumerate_support(expand=expand)
        assert torch.equal(ours, theirs.enumerate_support(expand=expand))


@pytest.mark.parametrize("name", ["GumbelMax", "RelaxedOneHotCategorical"])
def test_probs_and_logits_give_the_same_law(name):
    given = parameters(name)
    logits = given.pop("logits")
    one = LAWS[name][0](**given, probs=5 * logits.exp())  # weights need not sum to one
    other = LAWS[name][0](**given, logits=logits)
    assert "logits" not in vars(one)
    assert "probs" not in vars(other)
    torch.testing.assert_close(one.probs, other.probs)
    torch.testing.assert_close(one.logits, other.logits)
    seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
    draws = [
        d.sample((5,), generator=s) for d, s in zip((one, other), seeds, strict=True)
    ]
    torch.testing.assert_close(*draws)


def test_probs_and_logits_give_the_same_bit():
    one = gt.RelaxedBernoulli(0.5, probs=torch.tensor([1e-6, 0.5]))
    torch.testing.assert_close(one.logits, torch.tensor([-13.8155, 0.0]))
    torch.testing.assert_close(one.expand((3, 2)).probs[1], one.probs)
    other = gt.RelaxedBernoulli(0.5, logits=one.logits)
    torch.testing.assert_close(other.probs, one.probs)
    assert gt.RelaxedBernoulli(0.5, 0.5).batch_shape == ()


def test_the_mode_of_a_ranking_has_the_largest_probability():
    one = law("PlackettLuce")
    log_probs = one.log_prob(one.enumerate_support())
    torch.testing.assert_close(one.log_prob(one.mode), log_probs.amax(0))


def test_a_full_ranking_is_the_default_and_k_is_held_to_the_open_categories():
    assert gt.PlackettLuce(torch.zeros(2, 3)).event_shape == (3,)
    assert gt.PlackettLuce(torch.zeros(3), np.int64(2)).event_shape == (2,)
    closed = torch.tensor([0.0, -torch.inf, 0.0])
    with pytest.raises(ValueError, match="k must be at most the 3 categories, got 4"):
        gt.PlackettLuce(torch.zeros(3), 4)
    for bad in (0, True, 1.5):
        with pytest.raises(ValueError, match="k must be a whole number"):
            gt.PlackettLuce(torch.zeros(3), bad)
    with pytest.raises(ValueError, match="logits must leave 3 categories open"):
        gt.PlackettLuce(closed, 3)
    law = gt.PlackettLuce(closed, 2)
    assert law.log_prob(torch.tensor([1, 0])) == -torch.inf
    assert not (law.sample((1000,)) == 1).any()


def test_rankings_beyond_a_million_are_not_listed():
    with pytest.raises(ValueError, match="number of rankings must be at most 1000000"):
        gt.PlackettLuce(torch.zeros(10)).enumerate_support()


@pytest.mark.parametrize(
    "other", [(0.3, 0.5), (0.3000001, 0.5), (2.0, 0.5), (-1.0, 4.0), (0.0, 0.3)]
)
def test_the_kl_of_two_gumbels_is_that_of_quadrature(other):
    def log_density(x, loc, scale):
        z = (x - loc) / scale
        return -z - mpmath.exp(-z) - mpmath.log(scale)

    with mpmath.workdps(40):
        (loc, scale), others = (
            (mpmath.mpf(0.3), mpmath.mpf(0.5)),
            map(mpmath.mpf, other),
        )
        others = tuple(others)
        exact = mpmath.quad(
            lambda x: (
                mpmath.exp(log_density(x, loc, scale))
                * (log_density(x, loc, scale) - log_density(x, *others))
            ),
            np.linspace(-2.0, 30.0, 65).tolist(),
        )
    first = torch.tensor([0.3, 0.5], dtype=torch.float64)
    second = torch.tensor(other, dtype=torch.float64)
    one, two = gt.Gumbel(*first), gt.Gumbel(*second)
    ours = kl_divergence(one, two)
    assert ours.item() == pytest.approx(float(exact), rel=1e-9, abs=2e-15)
    for pair in (
        (one, torch.distributions.Gumbel(*second)),
        (torch.distributions.Gumbel(*first), two),
    ):
        assert kl_divergence(*pair) == ours


def test_the_kl_of_two_gumbels_keeps_its_digits_far_from_the_origin():
    far, scale = torch.tensor([1e6, 1e6 + 0.0625]), torch.tensor(0.3)
    one, two = (gt.Gumbel(loc, scale) for loc in far)
    near = [gt.Gumbel(loc, scale) for loc in far - 1e6]
    assert kl_divergence(one, two) == kl_divergence(*near)
    assert kl_divergence(one, one) == 0
    theirs = kl_divergence(*(torch.distributions.Gumbel(loc, scale) for loc in far))
    assert abs(theirs / kl_divergence(one, two) - 1) > 0.1


def test_the_kl_of_a_gumbel_to_a_normal_is_torchs():
    first, second = (
        torch.tensor([0.3, 0.5], dtype=torch.float64) + i for i in range(2)
    )
    ours = kl_divergence(gt.Gumbel(*first), Normal(*second))
    theirs = kl_divergence(torch.distributions.Gumbel(*first), Normal(*second))
    torch.testing.assert_close(ours, theirs)


def test_without_validation_nan_goes_through_and_is_not_refused():
    for kind in (gt.GumbelMax, gt.OneHotStraightThrough):
        options = {} if kind is gt.GumbelMax else {"temperature": 1.0}
        one = kind(logits=torch.full((3,), torch.nan), validate_args=False, **options)
        assert one.entropy().isnan()
        assert kl_divergence(one, one).isnan()
    one = gt.Gumbel(torch.nan, 1.0, validate_args=False)
    value = torch.tensor(0.0)
    for result in (one.log_prob(value), one.cdf(value), one.sf(value), one.mean):
        assert result.isnan()


def test_the_kl_of_categories_is_their_sum_and_takes_torchs_too():
    logits = parameters("GumbelMax")["logits"]
    one, two = gt.GumbelMax(logits=logits), gt.GumbelMax(logits=0.5 * logits)
    exact = (one.probs * (one.logits - two.logits)).sum(-1)
    for pair in (
        (one, two),
        (one, Categorical(logits=0.5 * logits)),
        (Categorical(logits=logits), two),
    ):
        torch.testing.assert_close(kl_divergence(*pair), exact)
    with pytest.raises(ValueError, match="one entry for each of the 4 categories"):
        kl_divergence(one, gt.GumbelMax(logits=torch.zeros(1)))
    closed = gt.GumbelMax(logits=torch.tensor([0.0, -torch.inf]))
    assert kl_divergence(closed, closed) == 0
    assert kl_divergence(gt.GumbelMax(logits=torch.zeros(2)), closed) == torch.inf


def corners(temperature: float = 0.5):
    """Return the straight-through law of the categories of GumbelMax."""
    return gt.OneHotStraightThrough(temperature, **parameters("GumbelMax"))


def test_straight_through_draws_are_one_hot_with_the_relaxed_derivative():
    logits = parameters("GumbelMax")["logits"].requires_grad_()
    one = gt.OneHotStraightThrough(0.5, logits=logits)
    soft = gt.RelaxedOneHotCategorical(0.5, logits=logits)
    seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
    hard, relaxed = (
        d.rsample((5,), generator=s) for d, s in zip((one, soft), seeds, strict=True)
    )
    assert torch.equal(
        hard.sort(-1).values[..., -2:],
        torch.tensor([0.0, 1.0]).expand(5, 2, 2).double(),
    )
    assert torch.equal(hard.argmax(-1), relaxed.argmax(-1))
    weights = torch.arange(4.0)
    for_hard, for_soft = (
        torch.autograd.grad((d * weights).sum(), logits)[0] for d in (hard, relaxed)
    )
    torch.testing.assert_close(for_hard, for_soft)


def test_the_law_of_a_straight_through_draw_depends_on_no_temperature(torch_generator):
    """Fails with a probability of 1e-6; in bfloat16 warm relaxed rows tie, and their first is refused."""
    one = gt.OneHotStraightThrough(30.0, logits=torch.zeros(16, dtype=torch.bfloat16))
    draws = one.rsample((50_000,), generator=torch_generator)
    counts = draws.float().sum(0)
    assert chi_square_p_value(counts.numpy(), np.full(16, 1 / 16)) > FAILURE_RATE
    noise = gt.Gumbel(0.0, 1.0).rsample((50_000, 16), generator=torch_generator)
    first = (noise / 30).softmax(-1).bfloat16().argmax(-1).bincount(minlength=16)
    assert chi_square_p_value(first.numpy(), np.full(16, 1 / 16)) < FAILURE_RATE


def test_the_log_prob_of_a_straight_through_draw_survives_a_copy():
    one = corners()
    draw = one.rsample((100,))
    assert torch.equal(one.log_prob(draw.clone().detach()), one.log_prob(draw))
    theirs = OneHotCategorical(logits=one.logits)
    torch.testing.assert_close(one.log_prob(draw), theirs.log_prob(draw))
    for key in ("mean", "mode", "variance"):
        torch.testing.assert_close(getattr(one, key), getattr(theirs, key))
    torch.testing.assert_close(one.entropy(), theirs.entropy())
    for expand in (True, False):
        ours = one.enumerate_support(expand=expand)
        assert torch.equal(ours, theirs.enumerate_support(expand=expand))
    torch.testing.assert_close(
        one.log_prob(one.enumerate_support()).exp().sum(0), torch.ones(2).double()
    )
    other = gt.OneHotStraightThrough(1.0, logits=0.5 * one.logits)
    torch.testing.assert_close(
        kl_divergence(one, other),
        kl_divergence(theirs, OneHotCategorical(logits=other.logits)),
    )
    assert one.expand((3, 2)).sample().shape == (3, 2, 4)
    with pytest.raises(ValueError, match="value must lie in OneHot"):
        one.log_prob(torch.full((4,), 0.25))


def test_what_has_no_closed_form_is_not_made_up():
    for name in (
        "RelaxedBernoulli",
        "ExpRelaxedCategorical",
        "RelaxedOneHotCategorical",
    ):
        assert name in CONTINUOUS
        for ask in ("mean", "variance", "mode"):
            with pytest.raises(NotImplementedError):
                getattr(law(name), ask)
        with pytest.raises(NotImplementedError):
            law(name).entropy()
    assert "PlackettLuce" in DISCRETE
    with pytest.raises(NotImplementedError):
        law("PlackettLuce").entropy()
