"""The Gumbel law against 60-digit values, its moments against quadrature, the truncated law."""

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from gumbel_tutorial import gumbel, noise

mpmath.mp.dps = 60
EXP = mpmath.exp
VALUES = np.concatenate(
    [
        np.linspace(-6.6, 40, 400),
        [-800.0, 0.0, 1e-300, 100.0, 700.0, 745.0],
        -np.geomspace(1e-9, 6, 40),
    ]
)
PROBS = np.concatenate(
    [
        np.linspace(1e-3, 1 - 1e-3, 501),
        np.geomspace(1e-300, 1e-3, 100),
        1 - np.geomspace(1e-15, 1e-3, 50),
        0.36787944117144233
        * (
            1
            + np.concatenate(
                [np.geomspace(1e-15, 0.4, 60), -np.geomspace(1e-15, 0.4, 60)]
            )
        ),
        [0.36787944117144233, 1 - 0.36787944117144233],
    ]
)
FORMULAS = {
    "density": lambda x: EXP(-x - EXP(-x)),
    "log_density": lambda x: -x - EXP(-x),
    "cdf": lambda x: EXP(-EXP(-x)),
    "log_cdf": lambda x: -EXP(-x),
    "survival": lambda x: -mpmath.expm1(-EXP(-x)),
}
TINY, HUGE = mpmath.mpf(2) ** -1022, mpmath.mpf(2) ** 1024


def assert_close_to_exact(ours, exact, rtol=1e-12):
    """Compare with high-precision values wherever float64 has a normal number for them."""
    ours = np.asarray(ours, dtype=np.float64)
    for value, truth in zip(ours.ravel(), exact, strict=True):
        if abs(truth) >= HUGE:
            assert value == np.sign(float(mpmath.sign(truth))) * np.inf
        elif truth == 0 or abs(truth) < TINY:
            assert abs(value) <= 2.0**-1021
        else:
            assert abs(mpmath.mpf(float(value)) / truth - 1) < rtol


@pytest.mark.parametrize("name", FORMULAS)
def test_the_law_is_right_to_twelve_digits(name, to_array):
    ours = getattr(gumbel, name)(to_array(VALUES))
    assert_close_to_exact(ours, [FORMULAS[name](mpmath.mpf(float(x))) for x in VALUES])


def test_quantiles_are_right_to_twelve_digits_beside_their_zero_too(to_array):
    exact = [-mpmath.log(-mpmath.log(mpmath.mpf(float(p)))) for p in PROBS]
    assert_close_to_exact(gumbel.quantile(to_array(PROBS)), exact)
    exact = [-mpmath.log(-mpmath.log1p(-mpmath.mpf(float(p)))) for p in PROBS]
    assert_close_to_exact(gumbel.upper_quantile(to_array(PROBS)), exact)


def test_the_plain_formula_would_fail_the_twelve_digits():
    prob = 0.36787944117144233 * (1 + 1e-9)
    exact = -mpmath.log(-mpmath.log(mpmath.mpf(prob)))
    assert abs(mpmath.mpf(-np.log(-np.log(prob))) / exact - 1) > 1e-9
    assert abs(mpmath.mpf(float(gumbel.quantile(prob))) / exact - 1) < 1e-12


@pytest.mark.parametrize(
    "name", ["density", "log_density", "cdf", "log_cdf", "survival"]
)
def test_location_and_scale_agree_with_scipy(name, rng):
    oracle = {
        "density": "pdf",
        "log_density": "logpdf",
        "log_cdf": "logcdf",
        "survival": "sf",
    }
    x, loc = 3 * rng.standard_normal((2, 100))
    scale = rng.uniform(0.5, 3, 100)
    expected = getattr(scipy.stats.gumbel_r, oracle.get(name, name))(x, loc, scale)
    np.testing.assert_allclose(
        getattr(gumbel, name)(x, loc, scale), expected, rtol=1e-11
    )


def test_the_limits_at_infinity(to_array):
    ends = to_array([-np.inf, np.inf])
    assert np.asarray(gumbel.log_density(ends)).tolist() == [-np.inf, -np.inf]
    assert np.asarray(gumbel.cdf(ends)).tolist() == [0.0, 1.0]
    assert np.asarray(gumbel.survival(ends)).tolist() == [1.0, 0.0]
    assert np.asarray(gumbel.quantile(to_array([0.0, 1.0]))).tolist() == [
        -np.inf,
        np.inf,
    ]
    assert np.asarray(gumbel.upper_quantile(to_array([0.0, 1.0]))).tolist() == [
        np.inf,
        -np.inf,
    ]


def test_the_quantile_inverts_the_distribution_function(to_array):
    probs = np.linspace(0.001, 0.999, 100)
    back = gumbel.cdf(gumbel.quantile(to_array(probs), 2.0, 3.0), 2.0, 3.0)
    np.testing.assert_allclose(np.asarray(back), probs, rtol=1e-12)


def integral(f, loc, scale):
    return scipy.integrate.quad(
        f, loc - 5 * scale, loc + 45 * scale, epsabs=1e-13, limit=200
    )[0]


@pytest.mark.parametrize(("loc", "scale"), [(0.0, 1.0), (-1.5, 0.7), (2.0, 3.0)])
def test_moments_agree_with_quadrature(loc, scale):
    def expect(f):
        return integral(
            lambda x: f(x) * float(gumbel.density(x, loc, scale)), loc, scale
        )

    mean = expect(lambda x: x)
    assert expect(np.ones_like) == pytest.approx(1, abs=1e-10)
    assert float(gumbel.mean(loc, scale)) == pytest.approx(mean, rel=1e-9)
    assert float(gumbel.variance(loc, scale)) == pytest.approx(
        expect(lambda x: (x - mean) ** 2), rel=1e-9
    )
    assert float(gumbel.entropy(loc, scale)) == pytest.approx(
        expect(lambda x: -float(gumbel.log_density(x, loc, scale))), rel=1e-9
    )
    t = 0.3 / scale
    assert float(gumbel.moment_generating_function(t, loc, scale)) == pytest.approx(
        expect(lambda x: np.exp(t * x)), rel=1e-5
    )


def test_mode_and_median_are_what_they_say():
    loc, scale = 2.0, 3.0
    mode = float(gumbel.mode(loc, scale))
    assert (
        gumbel.density(mode, loc, scale)
        > gumbel.density(np.array([mode - 1e-4, mode + 1e-4]), loc, scale).max()
    )
    assert float(gumbel.cdf(gumbel.median(loc, scale), loc, scale)) == pytest.approx(
        0.5, rel=1e-14
    )


def test_moments_broadcast_and_keep_their_library():
    loc = torch.zeros(4, 1, dtype=torch.float64)
    for moment in (
        gumbel.mean,
        gumbel.mode,
        gumbel.median,
        gumbel.variance,
        gumbel.entropy,
    ):
        assert moment(loc, torch.ones(3, dtype=torch.float64)).shape == (4, 3)


def test_the_moment_generating_function_agrees_with_the_gamma_function(to_array):
    t = np.array([-50.0, -3.0, -0.5, 0.0, 0.5, 0.9, 0.999999])
    exact = [mpmath.gamma(1 - mpmath.mpf(float(v))) for v in t]
    assert_close_to_exact(gumbel.moment_generating_function(to_array(t)), exact)


def test_the_moment_generating_function_takes_a_location_and_a_scale(to_array):
    t = np.array([-2.0, -0.1, 0.3])
    exact = [
        mpmath.gamma(1 - 3 * mpmath.mpf(v)) * mpmath.exp(2 * mpmath.mpf(v)) for v in t
    ]
    ours = gumbel.moment_generating_function(to_array(t), loc=2.0, scale=3.0)
    assert_close_to_exact(ours, exact)


@pytest.mark.parametrize("t", [-500.0, -1e5, -1e306])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_moment_generating_function_overflows_to_infinity(t, dtype, to_array):
    if dtype == "float32" and t < -1e38:
        pytest.skip("float32 has no such number")
    assert float(gumbel.moment_generating_function(to_array(t, dtype))) == np.inf
    assert np.asarray(
        gumbel.moment_generating_function(to_array([t, 0.0], dtype))
    ).tolist() == [np.inf, 1.0]


@pytest.mark.parametrize("t", [1.0, 2.0])
def test_the_moment_generating_function_is_refused_where_it_is_infinite(t):
    with pytest.raises(ValueError, match=r"scale \* t must be below 1, got"):
        gumbel.moment_generating_function(t)
    assert np.isfinite(gumbel.moment_generating_function(t, scale=0.25))


def test_derivatives_of_the_log_density_pass_gradcheck(torch_generator):
    x, loc, log_scale = torch.randn(
        3, 5, dtype=torch.float64, generator=torch_generator
    )
    inputs = [v.requires_grad_() for v in (x, loc, log_scale)]
    torch.autograd.gradcheck(lambda x, m, s: gumbel.log_density(x, m, s.exp()), inputs)
    torch.autograd.gradcheck(
        lambda x, m, s: gumbel.truncated_log_density(x, x + 0.3, m, s.exp()), inputs
    )
    torch.autograd.gradcheck(
        lambda x, m, s: gumbel.truncate(x, m + 0.3, m, s.exp()), inputs
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("bound", [-800.0, -86.0, -20.0, 0.0, 30.0])
def test_the_truncated_log_density_has_a_derivative_at_its_bound(bound, dtype):
    kind = getattr(torch, dtype)
    draws = gumbel.truncate(torch.tensor([1.0, 2.0, 800.0], dtype=kind), bound)
    assert (draws == bound).any()
    draws.requires_grad_()
    gumbel.truncated_log_density(draws, bound).sum().backward()
    assert draws.grad.isfinite().all()
    # Of -x - e^-x, where the second term is a number of the dtype.
    expected = -1 + torch.exp(-draws.detach())
    expected = torch.where(expected.isfinite(), expected, -torch.ones(3, dtype=kind))
    torch.testing.assert_close(draws.grad, expected)


def slope_of(function, points, dtype=torch.float64):
    """Return the derivative of a function in its first argument, entry by entry."""
    leaf = torch.tensor(points, dtype=dtype, requires_grad=True)
    (slope,) = torch.autograd.grad(function(leaf).sum(), leaf)
    return leaf.detach().double().tolist(), slope.double()


def assert_slopes(function, points, exact, dtype=torch.float64):
    """Compare derivatives with high-precision ones, infinite where those are beyond the dtype."""
    points, ours = slope_of(function, points, dtype)
    largest = torch.finfo(dtype).max
    expected = torch.as_tensor(np.array([float(exact(mpmath.mpf(p))) for p in points]))
    expected[expected.abs() > largest] *= torch.inf
    rtol = 1e-11 if dtype == torch.float64 else 1e-4
    torch.testing.assert_close(ours, expected, rtol=rtol, atol=torch.finfo(dtype).tiny)


ENDS = [1e-30, 1e-20, 1e-9, 1e-3, 0.3, 0.36787944117144233, 0.5, 0.7, 0.999]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_derivatives_of_quantiles_are_right_in_far_tails(dtype):
    def of_quantile(p):
        return mpmath.inf if p in (0, 1) else -1 / (p * mpmath.log(p))

    def of_upper_quantile(q):
        return -mpmath.inf if q in (0, 1) else 1 / ((1 - q) * mpmath.log1p(-q))

    points = [0.0, *ENDS, 1 - 1e-6, 1.0]
    assert_slopes(gumbel.quantile, points, of_quantile, dtype)
    assert_slopes(gumbel.upper_quantile, points, of_upper_quantile, dtype)


@pytest.mark.parametrize("bound", [-800.0, -30.0, -1.0, 0.0, 2.0, 30.0, 700.0, np.inf])
def test_the_derivative_of_the_truncated_quantile_is_right_in_far_tails(bound):
    def exact(p):
        if p == 0 or (p == 1 and bound == np.inf):
            return mpmath.inf
        return 1 / p / (EXP(-mpmath.mpf(bound)) - mpmath.log(p))

    points = [0.0, *ENDS, 1 - 1e-12, 1.0]
    assert_slopes(lambda p: gumbel.truncated_quantile(p, bound), points, exact)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_derivatives_of_the_law_are_zero_where_it_underflows(dtype):
    points = [-1e5, -800.0, -100.0, -3.0, 0.0, 5.0, 100.0, 800.0, 1e5]
    density = FORMULAS["density"]
    assert_slopes(gumbel.cdf, points, density, dtype)
    assert_slopes(gumbel.survival, points, lambda x: -density(x), dtype)
    assert_slopes(
        gumbel.density, points, lambda x: density(x) * mpmath.expm1(-x), dtype
    )


@pytest.mark.parametrize("name", ["density", "cdf", "survival"])
def test_location_and_scale_have_derivative_zero_at_infinite_values(name):
    value = torch.tensor([-torch.inf, torch.inf, -1e300, 1e300], dtype=torch.float64)
    loc, scale = (torch.tensor(v, requires_grad=True).double() for v in (0.5, 1e-9))
    result = getattr(gumbel, name)(value, loc, scale)
    for slope in torch.autograd.grad(result.sum(), (loc, scale)):
        assert slope == 0


def test_the_bound_of_a_quantile_that_reaches_it_keeps_its_derivative():
    prob = torch.tensor([0.3, 1.0], dtype=torch.float64)
    upper = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    quantiles = gumbel.truncated_quantile(prob, upper)
    slopes = [torch.autograd.grad(q, upper, retain_graph=True)[0] for q in quantiles]
    share = np.exp(-1.5) / (np.exp(-1.5) - np.log(0.3))
    assert [float(s) for s in slopes] == pytest.approx([share, 1.0], rel=1e-12)


def test_a_draw_that_rounding_has_lifted_keeps_its_derivative():
    upper = torch.linspace(-3, 3, 1001, dtype=torch.float64, requires_grad=True)
    free = torch.full_like(upper, 40.0)
    plain = 0.3 - 0.7 * torch.logaddexp((0.3 - upper) / 0.7, -free)
    assert (plain > upper).any()
    drawn = gumbel.truncate(free, upper, loc=0.3, scale=0.7)
    (slope,) = torch.autograd.grad(drawn.sum(), upper)
    torch.testing.assert_close(slope, torch.ones_like(upper))


def test_below_is_truncation_of_the_standard_law(to_array, rng):
    free, upper = rng.gumbel(size=(2, 100))
    np.testing.assert_array_equal(
        np.asarray(gumbel.below(to_array(free), to_array(upper))),
        np.asarray(gumbel.truncate(to_array(free), to_array(upper))),
    )


@pytest.mark.parametrize("number", [np.float32(0.5), np.int64(2), np.float64(0.5), 2])
def test_a_number_of_numpy_goes_with_every_library(number):
    for array in (np.zeros(3), torch.zeros(3)):
        result = gumbel.log_density(array, number, number)
        assert result.dtype == array.dtype
        assert float(result[0]) == pytest.approx(
            float(gumbel.log_density(0.0, float(number), float(number)))
        )


BOUNDS = [-800.0, -700.0, -30.0, -2.0, 0.0, 2.0, 30.0, 800.0]


@pytest.mark.parametrize("bound", BOUNDS)
def test_the_truncated_quantile_is_exact_for_every_bound(bound, to_array):
    probs = np.concatenate([np.geomspace(1e-300, 0.5, 40), np.linspace(0.5, 1, 20)])
    ours = np.asarray(gumbel.truncated_quantile(to_array(probs), bound))
    assert np.isfinite(ours).all()
    assert (ours <= bound).all()
    b = mpmath.mpf(bound)
    exact = [
        -mpmath.log(EXP(-b) - mpmath.log(mpmath.mpf(float(p)))) for p in probs[:-1]
    ]
    for value, truth in zip(ours[:-1], exact, strict=True):
        # Relative to 1 beside the zero, where e^-b - log p = 1 has lost the digits of its terms.
        assert abs(mpmath.mpf(float(value)) - truth) < 1e-12 * max(1, abs(truth))


@pytest.mark.parametrize("bound", BOUNDS)
def test_the_truncated_log_density_is_exact_for_every_bound(bound, to_array):
    gaps = np.concatenate([[0.0], np.geomspace(1e-12, 60, 40)])
    values = bound - gaps
    ours = gumbel.truncated_log_density(to_array(values), bound)
    with mpmath.workdps(800):  # e^800 - e^800 leaves nothing of 60 digits
        b = mpmath.mpf(bound)
        points = [mpmath.mpf(float(value)) for value in values]
        exact = [-x - EXP(-x) + EXP(-b) for x in points]
    for value, x, truth in zip(np.asarray(ours), points, exact, strict=True):
        if truth < -HUGE:
            assert value == -np.inf
        else:
            # Relative to x beside the zero, where -x and the rest cancel.
            assert abs(mpmath.mpf(float(value)) - truth) <= 1e-12 * max(
                abs(truth), abs(x)
            )


@pytest.mark.parametrize("bound", BOUNDS)
def test_the_truncated_log_cdf_is_exact_for_every_bound(bound, to_array):
    gaps = np.concatenate([[-1.0, 0.0], np.geomspace(1e-12, 60, 40)])
    values = bound - gaps
    ours = np.asarray(gumbel.truncated_log_cdf(to_array(values), bound))
    with mpmath.workdps(800):
        b = mpmath.mpf(bound)
        points = [min(mpmath.mpf(float(value)), b) for value in values]
        exact = [EXP(-b) - EXP(-x) for x in points]
    for value, truth in zip(ours, exact, strict=True):
        if truth < -HUGE:
            assert value == -np.inf
        else:
            assert abs(mpmath.mpf(float(value)) - truth) <= 1e-12 * abs(truth) + TINY
    assert gumbel.truncated_log_cdf(to_array([-np.inf]), bound)[0] == -np.inf
    assert gumbel.truncated_log_cdf(to_array([np.inf]), bound)[0] == 0


def test_a_gap_of_one_rounding_counts_where_the_exponential_overflows(to_array):
    value, upper = -720.0, np.nextafter(-720.0, 0)
    gap = mpmath.mpf(float(upper)) - value
    exact = mpmath.exp(720) * mpmath.expm1(-gap)
    ours = gumbel.truncated_log_cdf(to_array([value]), to_array([upper]))
    assert_close_to_exact(ours, [exact])


@pytest.mark.parametrize(
    ("bound", "loc", "scale"), [(1.0, 0.0, 1.0), (-3.0, 2.0, 0.5), (9.0, 2.0, 3.0)]
)
def test_the_truncated_density_integrates_to_one(bound, loc, scale):
    def density(x):
        return float(np.exp(gumbel.truncated_log_density(x, bound, loc, scale)))

    mass = scipy.integrate.quad(
        density, bound - 40 * scale, bound, points=[bound - 0.01]
    )[0]
    assert mass == pytest.approx(1, abs=1e-7)
    assert density(bound + 1e-9) == 0


@pytest.mark.parametrize(
    ("bound", "loc", "scale"), [(1.0, 0.0, 1.0), (-3.0, 2.0, 0.5), (9.0, 2.0, 3.0)]
)
def test_truncated_draws_follow_the_truncated_law(bound, loc, scale, generator):
    free = noise.gumbel(100_000, generator=generator, dtype="float64")
    draws = np.asarray(gumbel.truncate(free, bound, loc, scale))
    law = scipy.stats.gumbel_r(loc, scale)

    def cdf(x):
        return np.exp(law.logcdf(x) - law.logcdf(bound))

    assert (draws <= bound).all()
    assert scipy.stats.kstest(draws, cdf).pvalue > 1e-4
    # The twin: clipping at the bound is not truncating.
    assert (
        scipy.stats.kstest(
            np.minimum(loc + scale * np.asarray(free), bound), cdf
        ).pvalue
        < 1e-4
    )


def test_no_bound_leaves_the_noise_alone(generator):
    free = noise.gumbel(10, generator=generator, dtype="float64")
    np.testing.assert_allclose(
        np.asarray(gumbel.truncate(free, np.inf)), np.asarray(free), rtol=1e-15
    )


def test_truncation_of_an_impossible_bound_stays_finite(to_array):
    free = to_array([-3.0, 0.0, 30.0])
    assert np.asarray(gumbel.truncate(free, -800.0)).tolist() == [-800.0] * 3
    assert np.isfinite(np.asarray(gumbel.truncate(free, 800.0))).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gumbel.log_density(np.nan), "value must not be NaN"),
        (lambda: gumbel.cdf(0.0, np.inf), "loc must be finite, got inf"),
        (lambda: gumbel.density(0.0, 0.0, 0.0), "scale must be positive, got 0.0"),
        (lambda: gumbel.density(0.0, 0.0, -1.0), "scale must be positive, got -1.0"),
        (lambda: gumbel.quantile(1.5), r"prob must lie in \[0, 1\], got 1.5"),
        (
            lambda: gumbel.quantile(np.array([0.5, np.nan])),
            r"prob must lie in \[0, 1\], got nan",
        ),
        (lambda: gumbel.upper_quantile(-0.1), r"tail must lie in \[0, 1\], got -0.1"),
        (lambda: gumbel.truncate(0.0, -np.inf), "upper must be above -inf, got -inf"),
        (
            lambda: gumbel.density(np.zeros(3), np.zeros(2)),
            "shapes must broadcast together, got value",
        ),
    ],
)
def test_bad_values_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_wrong_kinds_are_type_errors():
    with pytest.raises(TypeError, match="value must have a floating dtype"):
        gumbel.density(np.array([1]))
    with pytest.raises(
        TypeError, match="value must be an array of NumPy, torch or JAX, got list"
    ):
        gumbel.density([1.0])
    with pytest.raises(
        TypeError, match="value and loc must come from one array library"
    ):
        gumbel.density(np.zeros(2), torch.zeros(2))


@pytest.mark.parametrize("name", [*FORMULAS, "mean"])
def test_a_formula_checks_nothing_and_its_function_everything(name, to_array):
    bad, function = to_array([np.nan, 1.0]), getattr(gumbel, name)
    with pytest.raises(ValueError, match="must"):
        function(bad)
    rest = [to_array(1.0)] if name == "mean" else [to_array(0.0), to_array(1.0)]
    result = np.asarray(gumbel.unchecked(function)(bad, *rest))
    assert np.isnan(result).tolist() == [True, False]


def test_python_refuses_arguments_that_a_function_does_not_have():
    for args, kwargs in (((), {}), ((0.0,), {"value": 0.0}), ((0.0,), {"bound": 1.0})):
        with pytest.raises(TypeError, match="argument"):
            gumbel.density(*args, **kwargs)
