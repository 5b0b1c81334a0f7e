r"""The Gumbel law: densities, quantiles, moments, and the law truncated from above.

Gumbel(loc $\mu$, scale $\beta$) has the distribution function $F(x) = \exp(-e^{-z})$ with
$z = (x - \mu)/\beta$. Source: E. J. Gumbel (1954), *Statistical Theory of Extreme Values*.

Arguments are NumPy arrays, torch tensors or numbers, and broadcast together. In float64 every
function of the standard law is within 1e-12 relative of the true value, far in the tails too, and a
quantile also beside its own zero; the truncated law likewise, where it is not crossing zero.
"""

from math import log
from typing import Any

import numpy as np

from gumbel_tutorial.arrays import Array, log_gamma, namespace
from gumbel_tutorial.checks import (
    check_above_minus_infinity,
    check_below_one,
    check_finite,
    check_floating,
    check_no_nan,
    check_positive,
    check_probability,
)

# 1/e as a float64 and what float64 drops of it: 33 digits in two additions.
_INVERSE_E, _INVERSE_E_REST = 0.36787944117144233, -1.2428753672788363e-17

# exp overflowing to inf and log 0 = -inf are the right limits in this module, and where a formula then
# reads inf - inf, the limit is put in its place. NaN cannot come from outside: it is refused.
_limits = np.errstate(over="ignore", divide="ignore", invalid="ignore")

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
    log_value = log_density(value, loc, scale)
    return namespace(value=log_value).exp(log_value)


@_limits
def log_density(value: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $\log f(x) = -z - e^{-z} - \log\beta$; arguments and errors as :func:`density`.

    Examples:
        >>> float(log_density(0.0))
        -1.0
    """
    xp, value, loc, scale = _arguments(value=value, loc=loc, scale=scale)
    z = (value - loc) / scale
    # At z = -inf the formula reads inf - inf; the limit is that of its second term.
    drop = xp.exp(-z)
    return xp.where(xp.isinf(drop), -drop, -z - drop) - xp.log(scale)


@_limits
def cdf(value: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $F(x) = \Pr(G \le x) = \exp(-e^{-z})$; arguments and errors as :func:`density`.

    Examples:
        >>> round(float(cdf(0.0)), 4)
        0.3679
    """
    log_value = log_cdf(value, loc, scale)
    return namespace(value=log_value).exp(log_value)


@_limits
def log_cdf(value: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $\log F(x) = -e^{-z}$; arguments and errors as :func:`density`.

    Examples:
        >>> float(log_cdf(0.0))
        -1.0
    """
    xp, value, loc, scale = _arguments(value=value, loc=loc, scale=scale)
    return -xp.exp(-(value - loc) / scale)


@_limits
def survival(value: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $\Pr(G > x) = 1 - F(x)$, precise for large x; arguments and errors as :func:`density`.

    Examples:
        >>> float(survival(40.0))
        4.248354255291589e-18
    """
    log_value = log_cdf(value, loc, scale)
    return -namespace(value=log_value).expm1(log_value)


@_limits
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
    xp, prob, loc, scale = _arguments(prob=prob, loc=loc, scale=scale)
    # z is 0 at p = 1/e. Beside it, log(-log p) would lose the digits that p - 1/e still has.
    excess = np.e * ((prob - _INVERSE_E) - _INVERSE_E_REST)
    z = xp.where(xp.abs(excess) < 0.5, _beside_zero(xp, excess), -xp.log(-xp.log(prob)))
    return loc + scale * z


@_limits
def upper_quantile(tail: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return the x with $\Pr(G > x) = q$, that is $\mu - \beta\log(-\log(1 - q))$ without the loss in 1 - q.

    Arguments and errors as :func:`quantile`, with the tail probability ``tail`` for ``prob``.

    Examples:
        >>> round(float(upper_quantile(1e-20)), 4)
        46.0517
    """
    xp, tail, loc, scale = _arguments(tail=tail, loc=loc, scale=scale)
    excess = np.e * (((1 - _INVERSE_E) - tail) - _INVERSE_E_REST)
    z = xp.where(
        xp.abs(excess) < 0.5, _beside_zero(xp, excess), -xp.log(-xp.log1p(-tail))
    )
    return loc + scale * z


def mean(loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $\mathbb E[G] = \mu + \gamma\beta$, $\gamma = 0.5772\ldots$ the Euler-Mascheroni constant.

    Examples:
        >>> round(float(mean()), 4)
        0.5772
    """
    _, loc, scale = _arguments(loc=loc, scale=scale)
    return loc + np.euler_gamma * scale


def mode(loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return the point of the largest density, $\mu$."""
    xp, loc, scale = _arguments(loc=loc, scale=scale)
    return xp.broadcast_arrays(loc, scale)[0]


def median(loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return the median $\mu - \beta\log\log 2$.

    Examples:
        >>> round(float(median()), 4)
        0.3665
    """
    _, loc, scale = _arguments(loc=loc, scale=scale)
    return loc - float(np.log(np.log(2.0))) * scale


def variance(loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $\mathrm{Var}[G] = \pi^2\beta^2/6$, whatever the location.

    Examples:
        >>> round(float(variance()), 4)
        1.6449
    """
    xp, loc, scale = _arguments(loc=loc, scale=scale)
    return np.pi**2 / 6 * xp.broadcast_arrays(scale, loc)[0] ** 2


def entropy(loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return the differential entropy $\log\beta + \gamma + 1$ in nats, whatever the location.

    Examples:
        >>> round(float(entropy()), 4)
        1.5772
    """
    xp, loc, scale = _arguments(loc=loc, scale=scale)
    return xp.log(xp.broadcast_arrays(scale, loc)[0]) + (np.euler_gamma + 1)


@_limits
def moment_generating_function(t: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Return $\mathbb E[e^{tG}] = \Gamma(1 - \beta t)\,e^{\mu t}$, finite for $\beta t < 1$ alone.

    Args:
        t: with $\beta t < 1$.
        loc: $\mu$, finite.
        scale: $\beta > 0$.

    Raises:
        ValueError: $\beta t$ is one or more, where the expectation is infinite.

    Examples:
        >>> round(float(moment_generating_function(0.5)) ** 2, 4)  # Gamma(1/2)^2
        3.1416
    """
    xp, t, loc, scale = _arguments(t=t, loc=loc, scale=scale)
    check_below_one(scale * t, "scale * t")
    return xp.exp(log_gamma(1.0 - scale * t) + loc * t)


@_limits
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
    xp, value, upper, loc, scale = _arguments(
        value=value, upper=upper, loc=loc, scale=scale
    )
    z = (value - loc) / scale
    gap = (upper - value) / scale
    inside = gap >= 0
    drop = _drop(xp, z, xp.where(inside, gap, xp.zeros_like(gap)))
    result = xp.where(xp.isinf(drop), -drop, -z - drop) - xp.log(scale)
    return xp.where(inside, result, xp.full_like(result, -xp.inf))


@_limits
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
    xp, value, upper, loc, scale = _arguments(
        value=value, upper=upper, loc=loc, scale=scale
    )
    gap = (upper - value) / scale
    gap = xp.where(value < upper, gap, xp.zeros_like(gap))
    return 0.0 - _drop(xp, (value - loc) / scale, gap)


def _drop(xp: Any, z: Array, gap: Array) -> Array:
    """Return e^-z - e^-(z + gap) for gap >= 0: exactly 0 at gap 0, inf where it overflows.

    The inner wheres keep the derivative of the branch that is not taken from being 0 * inf.
    """
    plain = -z < log(xp.finfo(z.dtype).max)
    factor = -xp.expm1(-xp.where(plain, gap, xp.zeros_like(gap)))
    product = xp.exp(-xp.where(plain, z, xp.zeros_like(z))) * factor
    # Where e^-z alone overflows, it is combined with its factor in logarithms. At the bound itself the
    # derivative e^-z is beyond the dtype, and left out.
    combined = ~plain & (gap > 0)
    log_factor = xp.log(-xp.expm1(-xp.where(combined, gap, xp.ones_like(gap))))
    power = xp.exp(xp.where(combined, -z, xp.zeros_like(z)) + log_factor)
    return xp.where(combined, power, product)


def truncated_quantile(
    prob: Array, upper: Array, loc: Any = 0.0, scale: Any = 1.0
) -> Array:
    r"""Return the p-quantile of Gumbel(loc, scale) given that it is at most ``upper``.

    $\mu - \beta\log(e^{-b} - \log p)$, $b = (u - \mu)/\beta$: the image of the standard quantile under
    :func:`truncate`, which holds for every bound.

    Examples:
        >>> float(truncated_quantile(1.0, upper=-800.0))
        -800.0
    """
    return truncate(quantile(prob), upper, loc, scale)


@_limits
def truncate(noise: Array, upper: Array, loc: Any = 0.0, scale: Any = 1.0) -> Array:
    r"""Map standard Gumbel noise to a draw of Gumbel(loc, scale) given that it is at most ``upper``.

    With $e^{-G} = E$ exponential, $\mu - \beta\log(e^{-b} + e^{-G})$ has the truncated law; written
    $\mu - \beta\,\mathrm{logaddexp}(-b, -G)$ it never overflows. The law is the one that top-down sampling
    draws from: Maddison, Tarlow and Minka (2014), *A* Sampling*.

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
    xp, noise, upper, loc, scale = _arguments(
        noise=noise, upper=upper, loc=loc, scale=scale
    )
    bound = (upper - loc) / scale
    return xp.minimum(loc - scale * xp.logaddexp(-bound, -noise), upper)


def _arguments(**arguments: Any) -> tuple[Any, ...]:
    """Return the library and the arguments as its arrays, each held to what its name requires."""
    xp = namespace(**arguments)
    arrays = {
        name: value for name, value in arguments.items() if hasattr(value, "dtype")
    }
    for name, value in arrays.items():
        check_floating(value, name)
    dtype = xp.result_type(*arrays.values()) if arrays else xp.float64
    device = next((value.device for value in arrays.values()), None)
    result = []
    for name, value in arguments.items():
        value = (
            value if name in arrays else xp.asarray(value, dtype=dtype, device=device)
        )
        _REQUIREMENTS[name](value, name)
        result.append(value)
    try:
        np.broadcast_shapes(*(tuple(value.shape) for value in result))
    except ValueError:
        shapes = ", ".join(
            f"{name} {tuple(v.shape)}"
            for name, v in zip(arguments, result, strict=True)
        )
        raise ValueError(f"shapes must broadcast together, got {shapes}") from None
    return xp, *result


def _beside_zero(xp: Any, excess: Array) -> Array:
    """Return -log(-log p) for p = (1 + excess) / e, exactly 0 at excess 0."""
    return -xp.log1p(-xp.log1p(excess))
