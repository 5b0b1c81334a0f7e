r"""The Gumbel law: densities, quantiles, moments, and the law truncated from above.

Gumbel(loc $\mu$, scale $\beta$) has the distribution function $F(x) = \exp(-e^{-z})$ with
$z = (x - \mu)/\beta$. Source: E. J. Gumbel (1954), *Statistical Theory of Extreme Values*.

Arguments are NumPy arrays, torch tensors or numbers, and broadcast together. In float64 every
function of the standard law is within 1e-12 relative of the true value, far in the tails too, and a
quantile also beside its own zero; the truncated law likewise, where it is not crossing zero. Derivatives
by torch and JAX are right where the values are, infinite where they are infinite, and never NaN.

Every function checks its arguments once and calls a formula, which :func:`unchecked` gives; :func:`below` is
a formula that checks nothing.
"""

from collections.abc import Callable
from functools import wraps
from inspect import signature, unwrap
from math import e, log
from typing import Any, ParamSpec

import array_api_compat.numpy
import numpy as np

from gumbel_tutorial.arrays import (
    Array,
    constant_like,
    is_number,
    log_gamma,
    namespace,
    quiet,
    stop_gradient,
)
from gumbel_tutorial.checks import (
    check_above_minus_infinity,
    check_below_one,
    check_finite,
    check_floating,
    check_no_nan,
    check_positive,
    check_probability,
    check_shapes,
)

# 1/e as a float64 and what float64 drops of it: 33 digits in two additions.
_INVERSE_E, _INVERSE_E_REST = 0.36787944117144233, -1.2428753672788363e-17

_REQUIREMENTS = {
    "value": check_no_nan,
    "noise": check_no_nan,
    "t": check_finite,
    "prob": check_probability,
    "tail": check_probability,
    "loc": check_finite,
    "scale": check_positive,
    "upper": check_above_minus_infinity,
}

P = ParamSpec("P")


def unchecked(function: Callable[P, Array]) -> Callable[P, Array]:
    """Return the formula of a function of this module, on arrays of one library; nothing is checked."""
    return unwrap(function)


def _checked(formula: Callable[P, Array]) -> Callable[P, Array]:
    """Return a function that checks its arguments, makes arrays of them and calls the formula."""
    parameters = signature(formula)

    @quiet
    @wraps(formula)
    def call(*args: P.args, **kwargs: P.kwargs) -> Array:
        given = parameters.bind(*args, **kwargs)
        given.apply_defaults()
        return formula(*_arguments(**given.arguments))  # type: ignore[call-arg]

    return call


@_checked
def density(value: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return the density $f(x) = \frac1\beta e^{-z - e^{-z}}$.

    Args:
        value: x, any real number, infinite ones included.
        loc: $\mu$, finite.
        scale: $\beta > 0$.

    Returns:
        The broadcast shape of the arguments.

    Raises:
        TypeError: an argument is not a floating array or a number, or libraries are mixed.
        ValueError: ``value`` is NaN, ``loc`` is not finite or ``scale`` is not positive.

    Examples:
        >>> round(float(density(0.0)), 4)
        0.3679
    """
    xp = namespace(value=value)
    inside, z = _where_exp_is_finite(xp, value, loc, scale)
    inner = xp.exp(-z - xp.exp(-z) - xp.log(scale))
    return xp.where(inside, inner, xp.zeros_like(inner))


@_checked
def log_density(value: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $\log f(x) = -z - e^{-z} - \log\beta$; arguments and errors as :func:`density`.

    Examples:
        >>> float(log_density(0.0))
        -1.0
    """
    xp = namespace(value=value)
    z = (value - loc) / scale
    # At z = -inf the formula reads inf - inf; the limit is that of its second term.
    drop = xp.exp(-z)
    return xp.where(xp.isinf(drop), -drop, -z - drop) - xp.log(scale)


@_checked
def cdf(value: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $F(x) = \Pr(G \le x) = \exp(-e^{-z})$; arguments and errors as :func:`density`.

    Examples:
        >>> round(float(cdf(0.0)), 4)
        0.3679
    """
    xp = namespace(value=value)
    inside, z = _where_exp_is_finite(xp, value, loc, scale)
    inner = xp.exp(-xp.exp(-z))
    return xp.where(inside, inner, xp.astype(value > loc, inner.dtype))


@_checked
def log_cdf(value: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $\log F(x) = -e^{-z}$; arguments and errors as :func:`density`.

    Examples:
        >>> float(log_cdf(0.0))
        -1.0
    """
    xp = namespace(value=value)
    return -xp.exp(-(value - loc) / scale)


@_checked
def survival(value: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $\Pr(G > x) = 1 - F(x)$, precise for large x; arguments and errors as :func:`density`.

    Examples:
        >>> float(survival(40.0))
        4.248354255291589e-18
    """
    xp = namespace(value=value)
    inside, z = _where_exp_is_finite(xp, value, loc, scale)
    inner = _one_minus_exp(xp, xp.exp(-z))
    return xp.where(inside, inner, xp.astype(value < loc, inner.dtype))


def _one_minus_exp(xp: Any, drop: Array) -> Array:
    """Return 1 - e^-x for x >= 0, precise near 0, and in its derivative far from it.

    The derivative of expm1 is found as its value plus 1, which loses the digits of e^-x.
    """
    near = drop < 1
    small = xp.where(near, drop, xp.zeros_like(drop))
    return xp.where(near, -xp.expm1(-small), 1 - xp.exp(-drop))


def _where_exp_is_finite(
    xp: Any, value: Array, loc: Array, scale: Array
) -> tuple[Array, Array]:
    """Return where z is below +inf and e^-z too, and z there; elsewhere 0, of derivative 0."""
    z = stop_gradient((value - loc) / scale)
    # So put that NaN, which a formula may meet unchecked, is inside and stays NaN.
    inside = ~((-z >= log(xp.finfo(z.dtype).max)) | (z == xp.inf))
    return inside, (xp.where(inside, value, loc) - loc) / scale


@_checked
def quantile(prob: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $F^{-1}(p) = \mu - \beta \log(-\log p)$, infinite at 0 and 1.

    For p near one use :func:`upper_quantile`, whose argument can resolve what is left.

    Args:
        prob: p in [0, 1].
        loc: $\mu$, finite.
        scale: $\beta > 0$.

    Raises:
        TypeError: an argument is not a floating array or a number, or libraries are mixed.
        ValueError: ``prob`` is outside [0, 1], ``loc`` not finite or ``scale`` not positive.

    Examples:
        >>> round(float(quantile(0.5)), 4)
        0.3665
    """
    xp = namespace(prob=prob)
    # z is 0 at p = 1/e. Beside it, log(-log p) would lose the digits that p - 1/e still has.
    excess = e * ((prob - _INVERSE_E) - _INVERSE_E_REST)
    return loc + scale * _standard_quantile(xp, prob, xp.log, prob == 0, excess)


@_checked
def upper_quantile(tail: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return the x with $\Pr(G > x) = q$, that is $\mu - \beta\log(-\log(1 - q))$ without the loss in 1 - q.

    Arguments and errors as :func:`quantile`, with the tail probability ``tail`` for ``prob``.

    Examples:
        >>> round(float(upper_quantile(1e-20)), 4)
        46.0517
    """
    xp = namespace(tail=tail)
    excess = e * (((1 - _INVERSE_E) - tail) - _INVERSE_E_REST)

    def log_prob(tail: Array) -> Array:
        return xp.log1p(-tail)

    return loc + scale * _standard_quantile(xp, tail, log_prob, tail == 1, excess)


def _standard_quantile(
    xp: Any,
    argument: Array,
    log_prob: Callable[[Array], Array],
    is_zero: Array,
    excess: Array,
) -> Array:
    """Return -log(-log p) of an argument with ``log_prob(argument)`` = log p and p = (1 + excess) / e.

    Each branch sees a harmless number in the place of arguments that belong to another: the derivative of a
    branch that is not taken would otherwise be 0 * inf.
    """
    harmless = xp.full_like(argument, 0.5)
    beside = xp.abs(excess) < 0.5
    plain = xp.where(beside | is_zero, harmless, argument)
    # Subtracted from 0 for the sign of log 1 = 0: the derivative is 1 / +0 there, and not 1 / -0.
    z = -xp.log(0.0 - log_prob(plain))
    close = xp.where(beside, excess, xp.zeros_like(excess))
    z = xp.where(beside, -xp.log1p(-xp.log1p(close)), z)
    # At p = 0 the outer logarithm has the derivative 1 / inf; the inner one alone has the right limit
    # and derivative.
    return xp.where(is_zero, log_prob(xp.where(is_zero, argument, harmless)), z)


@_checked
def mean(loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $\mathbb E[G] = \mu + \gamma\beta$, $\gamma = 0.5772\ldots$ the Euler-Mascheroni constant.

    Examples:
        >>> round(float(mean()), 4)
        0.5772
    """
    return loc + np.euler_gamma * scale


@_checked
def mode(loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return the point of the largest density, $\mu$."""
    xp = namespace(loc=loc)
    return xp.broadcast_arrays(loc, scale)[0]


@_checked
def median(loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return the median $\mu - \beta\log\log 2$.

    Examples:
        >>> round(float(median()), 4)
        0.3665
    """
    return loc - log(log(2.0)) * scale


@_checked
def variance(loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $\mathrm{Var}[G] = \pi^2\beta^2/6$, whatever the location.

    Examples:
        >>> round(float(variance()), 4)
        1.6449
    """
    xp = namespace(loc=loc)
    return np.pi**2 / 6 * xp.broadcast_arrays(scale, loc)[0] ** 2


@_checked
def entropy(loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return the differential entropy $\log\beta + \gamma + 1$ in nats, whatever the location.

    Examples:
        >>> round(float(entropy()), 4)
        1.5772
    """
    xp = namespace(loc=loc)
    return xp.log(xp.broadcast_arrays(scale, loc)[0]) + (np.euler_gamma + 1)


@quiet
def moment_generating_function(t: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $\mathbb E[e^{tG}] = \Gamma(1 - \beta t)\,e^{\mu t}$, finite for $\beta t < 1$ alone.

    Args:
        t: any number with $\beta t < 1$.
        loc: $\mu$, finite.
        scale: $\beta > 0$.

    Raises:
        ValueError: $\beta t$ is one or more, where the expectation is infinite.

    Examples:
        >>> round(float(moment_generating_function(0.5)) ** 2, 4)  # Gamma(1/2)^2
        3.1416
    """
    t, loc, scale = _arguments(t=t, loc=loc, scale=scale)
    xp = namespace(t=t)
    check_below_one(scale * t, "scale * t")
    return xp.exp(log_gamma(1.0 - scale * t) + loc * t)


@_checked
def truncated_log_density(
    value: Array, upper: Array, loc: Any = 0.0, scale: Any = 1.0
) -> Array:
    r"""Return the log-density of Gumbel(loc, scale) given that it is at most ``upper``.

    $\log f(x) - \log F(u) = -z - e^{-z} + e^{-b} - \log\beta$ for $x \le u$, with $b = (u - \mu)/\beta$, and
    $-\infty$ above. The two exponentials are combined before they can overflow. The derivative is finite at
    the bound too, where a draw of :func:`truncate` may lie.

    Args:
        value: x, any real number.
        upper: the bound u, above -inf.
        loc: $\mu$, finite.
        scale: $\beta > 0$.

    Raises:
        TypeError: an argument is not a floating array or a number, or libraries are mixed.
        ValueError: NaN, a bound of -inf, ``loc`` not finite, ``scale`` not positive.

    Examples:
        >>> float(truncated_log_density(-800.0, upper=-800.0))
        800.0
    """
    xp = namespace(value=value)
    z = (value - loc) / scale
    gap = (upper - value) / scale
    inside = gap >= 0
    drop = _drop(xp, z, xp.where(inside, gap, xp.zeros_like(gap)))
    result = xp.where(xp.isinf(drop), -drop, -z - drop) - xp.log(scale)
    return xp.where(inside, result, xp.full_like(result, -xp.inf))


@_checked
def truncated_log_cdf(
    value: Array, upper: Array, loc: Any = 0.0, scale: Any = 1.0
) -> Array:
    r"""Return $\log\Pr(X \le x)$ for Gumbel(loc, scale) given that it is at most ``upper``.

    $\log F(x) - \log F(u) = e^{-b} - e^{-z}$ for $x \le u$, the difference taken as in
    :func:`truncated_log_density`, and 0 above. Arguments and errors are those of that function.

    Examples:
        >>> float(truncated_log_cdf(-800.0, upper=-800.0))
        0.0
    """
    xp = namespace(value=value)
    gap = (upper - value) / scale
    gap = xp.where(value < upper, gap, xp.zeros_like(gap))
    return 0.0 - _drop(xp, (value - loc) / scale, gap)


def _drop(xp: Any, z: Array, gap: Array) -> Array:
    """Return e^-z - e^-(z + gap) for gap >= 0: exactly 0 at gap 0, inf where it overflows.

    The inner wheres keep the derivative of the branch that is not taken from being 0 * inf.
    """
    plain = -z < log(xp.finfo(z.dtype).max)
    factor = _one_minus_exp(xp, xp.where(plain, gap, xp.zeros_like(gap)))
    product = xp.exp(-xp.where(plain, z, xp.zeros_like(z))) * factor
    # Where e^-z alone overflows, it is combined with its factor in logarithms. At the bound itself the
    # derivative e^-z is beyond the dtype, and left out.
    combined = ~plain & (gap > 0)
    share = _one_minus_exp(xp, xp.where(combined, gap, xp.ones_like(gap)))
    power = xp.exp(xp.where(combined, -z, xp.zeros_like(z)) + xp.log(share))
    return xp.where(combined, power, product)


@_checked
def truncated_quantile(
    prob: Array, upper: Array, loc: Any = 0.0, scale: Any = 1.0
) -> Array:
    r"""Return the p-quantile of Gumbel(loc, scale) given that it is at most ``upper``.

    $\mu - \beta\log(e^{-b} - \log p)$ with $b = (u - \mu)/\beta$, which for negative bounds is written
    $u - \beta\log(1 - e^b \log p)$. Arguments and errors as :func:`quantile`, with the bound of
    :func:`truncate`.

    Examples:
        >>> float(truncated_quantile(1.0, upper=-800.0))
        -800.0
    """
    xp = namespace(prob=prob)
    bound = (upper - loc) / scale
    is_zero = prob == 0
    rest = 0.0 - xp.log(xp.where(is_zero, xp.full_like(prob, 0.5), prob))
    # e^-b is factored out where it may overflow, or be all that is left; without a bound it is 0.
    free = bound == xp.inf
    low = (bound <= 0) | ((prob == 1) & ~free)
    zero = xp.zeros_like(bound)
    largest = log(xp.finfo(bound.dtype).max)
    inner = xp.where(low & (bound < largest), bound, zero + largest)
    z_low = bound - xp.log1p(rest * xp.exp(xp.where(low, inner, zero)))
    floor = xp.where(free, zero, xp.exp(-xp.where(low | free, zero, bound)))
    z = xp.where(low, z_low, -xp.log(floor + rest))
    at_zero = xp.log(xp.where(is_zero, prob, xp.ones_like(prob)))
    return _at_most(xp, loc + scale * xp.where(is_zero, at_zero, z), upper)


@_checked
def truncate(noise: Array, upper: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Map standard Gumbel noise to a draw of Gumbel(loc, scale) given that it is at most ``upper``.

    With $e^{-G} = E$ exponential, $\mu - \beta\log(e^{-b} + e^{-G})$ has the truncated law; written
    $\mu - \beta\,\mathrm{logaddexp}(-b, -G)$ it never overflows. The law is the one that top-down sampling
    draws from: Maddison, Tarlow and Minka (2014), *A\* Sampling*.

    Args:
        noise: standard Gumbel noise.
        upper: the bound u, above -inf; +inf leaves the noise untruncated.
        loc: $\mu$, finite.
        scale: $\beta > 0$.

    Returns:
        The broadcast shape, nowhere above ``upper``.

    Raises:
        TypeError: an argument is not a floating array or a number, or libraries are mixed.
        ValueError: NaN, a bound of -inf, ``loc`` not finite, ``scale`` not positive.

    Examples:
        >>> float(truncate(5.0, upper=-800.0))
        -800.0
    """
    xp = namespace(noise=noise)
    bound = (upper - loc) / scale
    return _at_most(xp, loc - scale * xp.logaddexp(-bound, -noise), upper)


def below(noise: Array, upper: Array) -> Array:
    """Return :func:`truncate` of the standard law; nothing is checked."""
    xp = namespace(noise=noise, upper=upper)
    return _at_most(xp, -xp.logaddexp(-upper, -noise), upper)


def _at_most(xp: Any, value: Array, upper: Array) -> Array:
    """Lower a value that rounding has lifted above its bound, and keep its derivative."""
    fixed, bound = stop_gradient(value), stop_gradient(upper)
    lowered = xp.where(fixed > bound, value + (bound - fixed), value)
    return xp.where((fixed == xp.inf) & (bound < xp.inf), upper, lowered)


def _arguments(**arguments: Any) -> tuple[Any, ...]:
    """Return the arguments as arrays of one library, each held to what its name requires."""
    xp = namespace(**arguments)
    arrays = {
        name: value
        for name, value in arguments.items()
        if not is_number(value)
        or (xp is array_api_compat.numpy and isinstance(value, np.floating))
    }
    for name, value in arrays.items():
        check_floating(value, name)
    for name, value in arguments.items():
        _REQUIREMENTS[name](value, name)
    check_shapes(arrays)
    if not arrays:
        return tuple(np.asarray(value, dtype=float) for value in arguments.values())
    first = next(iter(arrays.values()))
    dtype = xp.result_type(*(value.dtype for value in arrays.values()))
    return tuple(
        value if name in arrays else constant_like(value, first, dtype)
        for name, value in arguments.items()
    )
