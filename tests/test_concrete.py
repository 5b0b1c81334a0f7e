"""The Concrete law: relaxed samples, their densities, the binary case, and the theorems about them."""

import inspect
import math
from itertools import pairwise

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch
from torch.distributions import RelaxedOneHotCategorical
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli

from gumbel_tutorial import categorical, concrete, gumbel_max, noise
from gumbel_tutorial.book import quadrature, statistics

FAILURE_RATE = 1e-4
TEMPERATURES = [0.1, 0.5, 1.0, 10.0]


@pytest.fixture
def drawn(rng, to_array):
    """Return logits and noise of shape (200, 5) in either library."""
    return to_array(2 * rng.standard_normal((200, 5))), to_array(
        rng.gumbel(size=(200, 5))
    )


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_relaxed_samples_lie_on_the_simplex_and_match_their_logarithms(
    temperature, drawn
):
    relaxed = np.asarray(concrete.relax(*drawn, temperature))
    assert (relaxed >= 0).all()
    np.testing.assert_allclose(relaxed.sum(-1), 1, rtol=1e-14)
    log_relaxed = np.asarray(concrete.log_relax(*drawn, temperature))
    assert np.isfinite(log_relaxed).all()
    np.testing.assert_allclose(np.exp(log_relaxed), relaxed, rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_rounding_a_relaxed_sample_is_the_argmax_sample(temperature, drawn):
    index = np.asarray(concrete.relax(*drawn, temperature)).argmax(-1)
    np.testing.assert_array_equal(index, np.asarray(gumbel_max.argmax_sample(*drawn)))


def test_the_limits_of_the_temperature(drawn):
    one_hot = np.eye(5)[np.asarray(gumbel_max.argmax_sample(*drawn))]
    np.testing.assert_allclose(
        np.asarray(concrete.relax(*drawn, 1e-9)), one_hot, atol=1e-12
    )
    np.testing.assert_allclose(np.asarray(concrete.relax(*drawn, 1e9)), 0.2, atol=1e-8)


def test_every_row_takes_its_own_temperature(drawn, to_array):
    logits, draws = drawn
    temperatures = np.linspace(0.1, 3, 200)
    together = np.asarray(
        concrete.relax(logits, draws, to_array(temperatures[:, None]))
    )
    for row in (0, 17, 199):
        alone = concrete.relax(logits[row], draws[row], float(temperatures[row]))
        np.testing.assert_allclose(together[row], np.asarray(alone), rtol=1e-14)


def test_categories_may_lie_on_any_axis(drawn):
    logits, draws = drawn
    last = np.asarray(concrete.relax(logits, draws, 0.5))
    first = np.asarray(concrete.relax(logits.T, draws.T, 0.5, axis=0))
    np.testing.assert_allclose(first.T, last, rtol=1e-14)


def test_an_axis_is_counted_in_the_logits(to_array, rng):
    logits, draws = np.log([6.0, 3.0, 1.0]), rng.gumbel(size=(4, 3))
    last = concrete.relax(to_array(logits), to_array(draws), 1.0)
    first = concrete.relax(to_array(logits), to_array(draws), 1.0, axis=0)
    np.testing.assert_array_equal(np.asarray(first), np.asarray(last))


@pytest.mark.parametrize("offset", [1e7, -1e7])
def test_a_common_offset_costs_the_noise_nothing(offset, drawn, to_array):
    draws = to_array(np.asarray(drawn[1]), dtype="float32")
    zeros = np.zeros(5, np.float32)
    near, far = (
        np.asarray(concrete.relax(to_array(zeros + shift, "float32"), draws, 0.5))
        for shift in (0, offset)
    )
    np.testing.assert_allclose(far, near, rtol=1e-6)


@pytest.mark.parametrize("call", [concrete.relax, concrete.log_relax])
def test_no_temperature_and_no_logit_makes_nan(call, to_array):
    logits, zeros = (
        to_array([1.0, 1.25, -np.inf], "float32"),
        to_array([0.0] * 3, "float32"),
    )
    far = to_array([1e38, 0.0, 1.0], "float32")
    for tau in (2e-38, to_array([2e-38], "float32"), to_array([2e-38])):
        assert np.exp(np.asarray(call(logits, zeros, tau))).argmax() == 1
        assert not np.isnan(np.asarray(call(logits, zeros, tau))).any()
    with np.errstate(over="ignore"):
        assert not np.isnan(np.asarray(call(far, zeros, 0.1))).any()
    for tau in (1e-39, 1e-50, to_array([1e-50])):
        with pytest.raises(ValueError, match="temperature must be at least 1.175e-38"):
            call(logits, zeros, tau)


def test_an_excluded_category_gets_nothing_and_spoils_no_gradient():
    logits = torch.tensor([0.5, -torch.inf, 1.0], requires_grad=True)
    temperature = torch.tensor([0.5], requires_grad=True)
    relaxed = concrete.relax(logits, torch.tensor([0.1, 5.0, -0.3]), temperature)
    assert relaxed[1] == 0
    relaxed[0].backward()
    assert logits.grad.isfinite().all()
    assert temperature.grad.isfinite().all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_the_float32_result_rounded_once(dtype, torch_generator):
    kind = getattr(torch, dtype)
    logits = torch.randn(100, 7, generator=torch_generator).to(kind)
    draws = noise.gumbel((100, 7), generator=torch_generator).to(kind)
    exact = concrete.relax(logits.float(), draws.float(), 0.3)
    assert torch.equal(concrete.relax(logits, draws, 0.3), exact.to(kind))
    exact = concrete.binary_relax(logits.float(), draws.float(), 0.3)
    assert torch.equal(concrete.binary_relax(logits, draws, 0.3), exact.to(kind))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_densities_take_the_logarithm_of_a_half_temperature_in_float32(dtype):
    tau = torch.tensor([0.3]).to(getattr(torch, dtype))
    logits, x = torch.zeros(50), torch.full((50,), 1 / 50).log()
    for density in (
        concrete.log_density_in_log_space,
        concrete.binary_log_density_in_logit_space,
    ):
        assert torch.equal(density(x, logits, tau), density(x, logits, tau.float()))


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_the_log_density_agrees_with_torch(temperature, rng):
    logits = torch.as_tensor(rng.standard_normal((50, 4)))
    relaxed = concrete.relax(
        logits, torch.as_tensor(rng.gumbel(size=(50, 4))), max(temperature, 0.5)
    )
    expected = RelaxedOneHotCategorical(
        torch.tensor(temperature), logits=logits
    ).log_prob(relaxed)
    ours = concrete.log_density(relaxed, logits, temperature)
    # torch holds its temperature in float32, whence its seven digits.
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("shift", [0.0, 300.0])
def test_the_density_integrates_to_one_for_two_and_three_categories(temperature, shift):
    two, three = np.log([0.7, 0.3]) + shift, np.log([6.0, 3.0, 1.0]) + shift

    # In the logit (and the logits of the last category) the integrand has no corners to miss.
    def of_two(x):
        y = 1 / (1 + np.exp(-np.array([x, -x])))
        return np.exp(concrete.log_density(y, two, temperature)) * y.prod()

    def of_three(a, b):
        y = np.exp(np.array([a, b, 0.0]) - np.logaddexp(np.logaddexp(a, b), 0.0))
        return np.exp(concrete.log_density(y, three, temperature)) * y.prod()

    width = 30 / temperature
    assert scipy.integrate.quad(of_two, -width, width, limit=200)[0] == pytest.approx(
        1, abs=1e-8
    )
    grid = np.linspace(-25 / temperature, 25 / temperature, 301)
    points = np.stack([*np.meshgrid(grid, grid), np.zeros((301, 301))], axis=-1)
    y = np.exp(points - np.logaddexp.reduce(points, axis=-1, keepdims=True))
    cell = (grid[1] - grid[0]) ** 2
    mass = (
        np.exp(concrete.log_density(y, three, temperature)) * y.prod(-1)
    ).sum() * cell
    assert mass == pytest.approx(1, abs=1e-3)
    assert of_three(0.0, 0.0) > 0


def test_the_density_is_the_law_of_the_samples(generator):
    draws = np.asarray(noise.gumbel((100_000, 2), generator=generator, dtype="float64"))
    logits = np.log([0.7, 0.3])
    first = concrete.relax(logits, draws, 0.7)[:, 0]
    grid = np.linspace(0.05, 0.95, 11)

    def density(y, temperature):
        return float(
            np.exp(concrete.log_density(np.array([y, 1 - y]), logits, temperature))
        )

    def p_value(temperature):
        edges = [0, *grid, 1]
        inner = [
            scipy.integrate.quad(density, a, b, (temperature,))[0]
            for a, b in pairwise(grid)
        ]
        low = scipy.integrate.quad(density, 1e-12, grid[0], (temperature,), limit=200)[
            0
        ]
        probs = [low, *inner, 1 - low - sum(inner)]
        return statistics.chi_square_p_value(np.histogram(first, edges)[0], probs)

    assert p_value(0.7) > FAILURE_RATE
    assert p_value(0.73) < FAILURE_RATE  # the twin: the density of another temperature


def test_the_log_density_has_the_batch_shape_where_torch_squares_it(rng, to_array):
    logits, draws = (
        to_array(rng.standard_normal((6, 4))),
        to_array(rng.gumbel(size=(6, 4))),
    )
    temperature = to_array(np.linspace(0.5, 2, 6)[:, None])
    relaxed = concrete.relax(logits, draws, temperature)
    together = concrete.log_density(relaxed, logits, temperature)
    assert tuple(together.shape) == (6,)
    for row in range(6):
        alone = concrete.log_density(
            relaxed[row], logits[row], float(temperature[row, 0])
        )
        assert float(together[row]) == pytest.approx(float(alone), rel=1e-13)
    ones = torch.ones(6, 1)
    law = RelaxedOneHotCategorical(ones, logits=torch.zeros(6, 4), validate_args=False)
    assert law.log_prob(torch.full((6, 4), 0.25)).shape == (
        6,
        6,
    )  # the fault that ours has not


@pytest.mark.parametrize("temperature", [0.1, 0.05])
def test_the_log_space_density_is_finite_where_torch_is_not(
    temperature, torch_generator
):
    logits = torch.zeros(20_000, 10)
    draws = noise.gumbel(logits.shape, generator=torch_generator, dtype="float32")
    relaxed = concrete.relax(logits, draws, temperature)
    torchs = RelaxedOneHotCategorical(
        torch.tensor(temperature), logits=logits, validate_args=False
    )
    assert not torchs.log_prob(relaxed).isfinite().all()
    log_relaxed = concrete.log_relax(logits, draws, temperature)
    ours = concrete.log_density_in_log_space(log_relaxed, logits, temperature)
    assert ours.isfinite().all()
    exact = concrete.log_density_in_log_space(
        log_relaxed.double(), logits.double(), temperature
    )
    torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-3)


def test_log_space_and_simplex_densities_differ_by_the_jacobian(drawn):
    logits, draws = drawn
    relaxed, log_relaxed = (
        f(logits, draws, 1.3) for f in (concrete.relax, concrete.log_relax)
    )
    difference = np.asarray(
        concrete.log_density_in_log_space(log_relaxed, logits, 1.3)
    ) - np.asarray(concrete.log_density(relaxed, logits, 1.3))
    np.testing.assert_allclose(difference, np.asarray(log_relaxed).sum(-1), rtol=1e-9)


def test_densities_and_samples_pass_gradcheck(torch_generator):
    logits = torch.randn(
        3, 4, dtype=torch.float64, generator=torch_generator, requires_grad=True
    )
    draws = noise.gumbel((3, 4), generator=torch_generator, dtype="float64")
    tau = torch.tensor([[0.5], [1.0], [2.0]], dtype=torch.float64, requires_grad=True)
    inputs = (logits, tau)
    torch.autograd.gradcheck(lambda x, t: concrete.relax(x, draws, t), inputs)
    torch.autograd.gradcheck(lambda x, t: concrete.log_relax(x, draws, t), inputs)
    torch.autograd.gradcheck(
        lambda x, t: concrete.log_density(concrete.relax(x, draws, t), x, t), inputs
    )
    torch.autograd.gradcheck(
        lambda x, t: concrete.log_density_in_log_space(
            concrete.log_relax(x, draws, t), x, t
        ),
        inputs,
    )


def test_the_jacobian_is_diag_y_minus_y_y_over_tau(rng):
    logits, draws = (
        torch.as_tensor(rng.standard_normal(4)),
        torch.as_tensor(rng.gumbel(size=4)),
    )
    y = concrete.relax(logits, draws, 0.3)
    jacobian = torch.func.jacrev(lambda x: concrete.relax(x, draws, 0.3))(logits)
    torch.testing.assert_close(jacobian, (torch.diag(y) - torch.outer(y, y)) / 0.3)


@pytest.mark.parametrize("num_categories", [2, 3, 5, 10])
def test_no_stationary_point_is_a_maximum_below_temperature_one(num_categories, rng):
    """At a stationary point some test direction has positive curvature when temperature < 1 (R1)."""
    for temperature in (0.3, 0.7, 0.99):
        spread = rng.random((300, 1))
        y = (1 - spread) / num_categories + spread * rng.dirichlet(
            np.ones(num_categories), 300
        )
        weights = temperature + 1 - num_categories * y
        y, weights = y[(weights > 0).all(-1)], weights[(weights > 0).all(-1)]
        logits = np.log(weights) + temperature * np.log(y)  # makes y stationary
        hessian = torch.vmap(torch.func.hessian(_in_tangent_logits), (0, 0, None))(
            torch.as_tensor(np.log(y)), torch.as_tensor(logits), temperature
        )
        assert len(y) > 20
        assert (torch.linalg.eigvalsh(hessian)[:, -1] > 0).all()


def _in_tangent_logits(log_y, logits, temperature):
    """Return the log-density at softmax(log_y); its Hessian is the density's at stationary points."""
    y = torch.softmax(log_y, -1)
    return concrete.log_density(y, logits, temperature)


@pytest.mark.parametrize("num_categories", [2, 3, 5, 10])
def test_the_centre_is_a_mode_of_the_uniform_law_exactly_above_temperature_one(
    num_categories,
):
    centre = torch.zeros(num_categories, dtype=torch.float64)
    for temperature, is_mode in ((0.98, False), (1.02, True)):
        hessian = torch.func.hessian(_in_tangent_logits)(centre, centre, temperature)
        tangent = torch.linalg.eigvalsh(hessian)
        tangent = tangent[
            tangent.abs() > 1e-9
        ]  # softmax ignores a shift: one zero eigenvalue
        assert bool((tangent < 0).all()) is is_mode


@pytest.mark.parametrize("temperature", [0.1, 0.2, 0.4])
def test_the_mean_of_two_categories_moves_by_pi_squared_over_six_tau_squared(
    temperature,
):
    p = 0.8
    logit = np.log(p / (1 - p))
    # A million draws, one from each of as many equal parts of the law: exact to nine digits.
    draws = scipy.stats.logistic.ppf((np.arange(10**6) + 0.5) / 10**6)
    mean = concrete.binary_relax(np.asarray(logit), draws, temperature).mean()
    shift = np.pi**2 / 6 * temperature**2 * p * (1 - p) * (1 - 2 * p)
    # The next term of the expansion, with the third derivative of the density, is 0.167 tau^4.
    assert abs(mean - p - shift) < 0.18 * temperature**4
    assert 0.18 * temperature**4 < abs(shift) / 5


def test_the_mean_at_temperature_one_has_a_closed_form(rng):
    odds = 4.0
    logits = np.log([odds, 1.0])
    relaxed = concrete.relax(logits, noise.gumbel((400_000, 2), generator=rng), 1.0)[
        :, 0
    ]
    exact = odds * (odds - 1 - np.log(odds)) / (odds - 1) ** 2
    assert abs(relaxed.mean() - exact) < 4 * statistics.standard_error(relaxed)
    assert abs(relaxed.mean() - 0.8) > 20 * statistics.standard_error(relaxed)


def test_the_binary_case_is_two_categories(drawn):
    logits, draws = drawn
    pair = logits[:, :2], draws[:, :2]
    logit, logistic = (x[:, 0] - x[:, 1] for x in pair)
    binary = concrete.binary_relax(logit, logistic, 0.4)
    relaxed = concrete.relax(*pair, 0.4)
    np.testing.assert_allclose(
        np.asarray(binary), np.asarray(relaxed[:, 0]), rtol=1e-12
    )
    inside = np.asarray(binary) < 0.999999
    np.testing.assert_allclose(
        np.asarray(concrete.binary_log_density(binary[inside], logit[inside], 0.4)),
        np.asarray(concrete.log_density(relaxed[inside], pair[0][inside], 0.4)),
        rtol=1e-8,
    )


@pytest.mark.parametrize("logit", [-100.0, 0.0, 100.0])
@pytest.mark.parametrize("value", [-300.0, -1.0, 0.0, 2.0, 300.0])
def test_the_binary_density_is_stable_for_far_logits(logit, value, to_array):
    exact = scipy.stats.logistic.logpdf(value, loc=logit / 0.5, scale=1 / 0.5)
    ours = concrete.binary_log_density_in_logit_space(
        to_array(value), to_array(logit), 0.5
    )
    assert float(ours) == pytest.approx(exact, rel=1e-13)


def test_torch_overflows_where_the_binary_density_does_not():
    law = LogitRelaxedBernoulli(torch.tensor(0.5), logits=torch.tensor(100.0))
    assert law.log_prob(torch.tensor(0.0)) == -torch.inf
    ours = concrete.binary_log_density_in_logit_space(
        torch.tensor(0.0), torch.tensor(100.0), 0.5
    )
    assert float(ours) == pytest.approx(-100 + np.log(0.5), rel=1e-6)


@pytest.mark.parametrize("logit", [-100.0, -1.0, 0.0, 100.0])
def test_the_gradient_of_the_binary_case_never_dies(logit):
    logit = torch.tensor(logit, dtype=torch.float64, requires_grad=True)
    value = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(
        lambda x, v: concrete.binary_log_density_in_logit_space(v, x, 0.5),
        (logit, value),
    )
    concrete.binary_relax_logit(logit, torch.tensor(0.3).double(), 0.5).backward()
    assert logit.grad == 1 / 0.5


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
def test_the_binary_density_integrates_to_one(temperature):
    def on_the_line(x):
        args = np.array(x), np.array(1.2), temperature
        return float(np.exp(concrete.binary_log_density_in_logit_space(*args)))

    width = 60 / temperature
    assert scipy.integrate.quad(on_the_line, -width, width, limit=200)[
        0
    ] == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("call", [concrete.relax, concrete.log_relax])
def test_an_axis_is_a_whole_number_of_any_library(call, to_array):
    logits, draws = to_array(np.zeros((3, 2, 2))), to_array(np.ones((3, 2, 2)))
    expected = call(logits, draws, 1.0, axis=1)
    for axis in (np.int64(1), np.uint8(1), torch.tensor(1)):
        assert (call(logits, draws, 1.0, axis=axis) == expected).all()
    for axis in (True, np.True_, 1.0, "1", None, (1,), math.nan):
        with pytest.raises(TypeError, match="axis must be a whole number, got"):
            call(logits, draws, 1.0, axis=axis)


@pytest.mark.parametrize("call", [concrete.relax, concrete.log_relax])
def test_bad_arguments_are_refused(call, to_array):
    logits, draws = to_array([[0.0, 1.0]]), to_array([[0.0, 0.0]])
    with pytest.raises(ValueError, match="temperature must be positive, got -0.5"):
        call(logits, draws, -0.5)
    with pytest.raises(ValueError, match="temperature must be positive, got nan"):
        call(logits, draws, float("nan"))
    with pytest.raises(ValueError, match="logits must not be NaN"):
        call(to_array([[0.0, np.nan]]), draws, 1.0)
    with pytest.raises(ValueError, match="noise must have one entry for each of the 2"):
        call(logits, to_array([[0.0, 0.0, 0.0]]), 1.0)
    with pytest.raises(TypeError, match="logits must have a floating dtype"):
        call(to_array([[0, 1]], dtype="int64"), draws, 1.0)
    with pytest.raises(ValueError, match="logits must have axis 2, got shape"):
        call(logits, draws, 1.0, axis=2)


def test_density_refuses_points_and_logits_it_has_no_value_for(to_array):
    logits = to_array([0.0, 1.0])
    with pytest.raises(ValueError, match="relaxed must be positive in every category"):
        concrete.log_density(to_array([1.0, 0.0]), logits, 1.0)
    with pytest.raises(ValueError, match="logits must be finite, got -inf"):
        concrete.log_density(to_array([0.5, 0.5]), to_array([0.0, -np.inf]), 1.0)
    with pytest.raises(ValueError, match="size 1 on the category axis"):
        concrete.log_density(to_array([0.5, 0.5]), logits, to_array([1.0, 2.0]))
    with pytest.raises(ValueError, match="log_relaxed must be finite"):
        concrete.log_density_in_log_space(to_array([0.0, -np.inf]), logits, 1.0)
    with pytest.raises(ValueError, match=r"relaxed must lie in \(0, 1\), got 1.0"):
        concrete.binary_log_density(to_array(1.0), to_array(0.0), 1.0)


def test_relaxed_samples_draw_their_mean_away_from_the_class_probabilities(
    rng, example_logits
):
    draws = noise.gumbel((200_000, 3), generator=rng)
    probs = categorical.probs(example_logits)
    means = [quadrature.relaxed_mean(probs, tau) for tau in TEMPERATURES]
    for temperature, mean in zip(TEMPERATURES, means, strict=True):
        relaxed = concrete.relax(example_logits, draws, temperature)
        off = abs(relaxed.mean(0) - mean) / statistics.standard_error(relaxed)
        assert off.max() < 4.5  # in twelve comparisons: once in 12,000 seeds
    distances = statistics.total_variation(means, probs)
    assert (np.diff(distances) > 0).all()


BINARY = [
    concrete.binary_relax,
    concrete.binary_relax_logit,
    concrete.binary_log_density,
    concrete.binary_log_density_in_logit_space,
]


@pytest.mark.parametrize("call", BINARY)
def test_the_binary_case_refuses_by_name(call, to_array):
    half, name = to_array([0.5, 0.5]), next(iter(inspect.signature(call).parameters))
    with pytest.raises(
        TypeError, match=f"{name} must be an array of NumPy, torch or J"
    ):
        call(0.5, half, 0.5)
    with pytest.raises(ValueError, match="must broadcast against .* got shape"):
        call(half, to_array([0.5] * 3), 0.5)
    with pytest.raises(
        ValueError, match="temperature must broadcast against .* got sha"
    ):
        call(half, half, to_array([0.5] * 3))
    with pytest.raises(TypeError, match="temperature must come from one array library"):
        call(np.zeros(2) + 0.5, np.zeros(2), torch.tensor(0.5))


@pytest.mark.parametrize(
    "call", [concrete.relax, concrete.log_density, concrete.log_density_in_log_space]
)
def test_a_temperature_of_another_library_is_refused(call):
    with pytest.raises(TypeError, match="and temperature must come from one array lib"):
        call(np.array([0.5, 0.5]), np.zeros(2), torch.tensor(0.5))


def test_the_density_in_log_space_names_its_own_argument(to_array):
    logits, x = to_array([0.0, 0.0]), to_array(np.log([0.25, 0.75]))
    with pytest.raises(ValueError, match="log_relaxed must have axis -1, got shape"):
        concrete.log_density_in_log_space(x[0, ...], logits, 1.0)
    with pytest.raises(ValueError, match="log_relaxed must have one entry for each of"):
        concrete.log_density_in_log_space(x, to_array([0.0] * 3), 1.0)
    with pytest.raises(ValueError, match=r"for log_relaxed of shape \(2,\)"):
        concrete.log_density_in_log_space(x, logits, to_array([1.0, 2.0]))
    with pytest.raises(
        ValueError, match="log_relaxed must have logsumexp 0 in every ro"
    ):
        concrete.log_density_in_log_space(x + np.log(3), logits, 1.0)


def test_a_number_of_numpy_is_a_temperature_of_every_library(drawn):
    logits, draws = drawn
    for number in (np.float32(0.5), np.float64(0.5), np.int64(1)):
        expected = concrete.relax(logits, draws, float(number))
        np.testing.assert_array_equal(
            np.asarray(concrete.relax(logits, draws, number)), np.asarray(expected)
        )
        with pytest.raises(ValueError, match="temperature must be positive, got -"):
            concrete.relax(logits, draws, -number)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_sample_of_half_precision_logits_has_their_dtype(dtype, torch_generator):
    logits = torch.randn(5, 4, generator=torch_generator).to(getattr(torch, dtype))
    draws = noise.gumbel_like(logits, generator=torch_generator)
    for function in (concrete.relax, concrete.log_relax):
        exact = function(logits.float(), draws, 0.5)
        assert torch.equal(function(logits, draws, 0.5), exact.to(logits.dtype))


def test_right_results_are_no_cause_for_a_warning():
    logits = np.array([[3e38, -3e38, 0.0], [0.0, -np.inf, -800.0]], dtype=np.float32)
    draws = np.zeros((2, 3), np.float32)
    tau = np.full((2, 1), 1e-30, np.float32)
    with np.errstate(all="raise", under="ignore"):
        for temperature in (1.0, 1e-37, tau):
            relaxed = concrete.relax(logits, draws, temperature)
            np.testing.assert_array_equal(relaxed, [[1, 0, 0], [1, 0, 0]])
            log_relaxed = concrete.log_relax(logits, draws, temperature)
            assert (log_relaxed[:, 0] == 0).all()
            assert not np.isnan(log_relaxed).any()
        assert (concrete.binary_relax(draws + 3e38, draws, 1e-30) == 1).all()
        index = gumbel_max.argmax_sample(logits, draws)
        assert (index == 0).all()
        given = gumbel_max.noise_given_index(logits, index, draws)
        assert not np.isnan(given).any()
        assert gumbel_max.top_k_sample(logits, draws, 2).tolist() == [[0, 2], [0, 2]]
        order = np.array([[2, 0], [2, 1]])
        assert not np.isnan(gumbel_max.top_k_log_prob(logits, order)).any()


def test_soften_is_a_relaxation_without_noise(drawn):
    logits, draws = drawn
    for ours, relax in (
        (concrete.soften, concrete.relax),
        (concrete.log_soften, concrete.log_relax),
    ):
        np.testing.assert_allclose(
            np.asarray(ours(logits, 0.7)),
            np.asarray(relax(logits, 0 * draws, 0.7)),
            rtol=1e-12,
        )
    scaled = np.asarray(concrete.scale(logits, 1e-300))
    assert (scaled.max(-1) == 0).all()


def test_a_temperature_from_a_numpy_grid_goes_with_torch():
    logits, noise = torch.zeros(3), torch.tensor([0.0, 1.0, 2.0])
    for temperature in np.geomspace(0.1, 1.0, 3):
        expected = torch.softmax(noise / float(temperature), -1)
        torch.testing.assert_close(concrete.relax(logits, noise, temperature), expected)
