r"""The Concrete law, also called Gumbel-Softmax: a categorical draw relaxed to the simplex.

$Y = \mathrm{softmax}((\ell + G)/\tau)$ with independent standard Gumbels $G$ and temperature $\tau > 0$.
Sources: Maddison, Mnih and Teh (2017), section 3 and appendix B; Jang, Gu and Poole (2017), section 2.

Temperatures are numbers, or arrays of size 1 on the category axis: one for each row. The binary case
takes one logit instead of two, and logistic noise.
"""

from math import lgamma
from typing import Any

from gumbel_tutorial.arrays import (
    Array,
    log_softmax,
    logsumexp,
    namespace,
    softmax,
    widen,
)
from gumbel_tutorial.checks import (
    check_broadcast,
    check_finite,
    check_floating,
    check_logits,
    check_noise,
    check_open_simplex,
    check_open_unit_interval,
    check_positive,
    check_same_categories,
    check_temperature,
)


def relax(logits: Array, noise: Array, temperature: Any, *, axis: int = -1) -> Array:
    r"""Return $y = \mathrm{softmax}((\ell + G)/\tau)$, the relaxed sample.

    Computed in float32 at least, and rounded once.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category, whose entry is then 0.
        noise: standard Gumbel noise, broadcastable to ``logits``, one value for each category.
        temperature: $\tau > 0$, a number or an array of size 1 on the category axis.
        axis: where the categories lie.

    Returns:
        The broadcast shape; rows are nonnegative and sum to one.

    Raises:
        TypeError: an argument is not a floating array, or libraries are mixed.
        ValueError: NaN, +inf, a row of -inf, noise that is not finite, a temperature that is not
            positive, shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> relax(np.log([6.0, 3.0, 1.0]), np.zeros(3), 1.0).round(2).tolist()
        [0.6, 0.3, 0.1]
    """
    _check(logits, noise, temperature, axis)
    return _relax(logits, noise, temperature, axis)


def log_relax(
    logits: Array, noise: Array, temperature: Any, *, axis: int = -1
) -> Array:
    r"""Return $\log y$ for the relaxed sample $y$, finite where $y$ itself rounds to 0.

    Arguments and errors are those of :func:`relax`.

    Examples:
        >>> import numpy as np
        >>> log_relax(np.zeros(2), np.array([0.0, 10.0]), 0.01).tolist()
        [-1000.0, 0.0]
    """
    _check(logits, noise, temperature, axis)
    log_relaxed = log_softmax(_scale(logits, noise, temperature), axis=axis)
    return _cast(log_relaxed, namespace(logits=logits).result_type(logits, noise))


def _relax(logits: Array, noise: Array, temperature: Any, axis: int) -> Array:
    """Do the work of :func:`relax` for a caller that has checked its arguments under its own names."""
    relaxed = softmax(_scale(logits, noise, temperature), axis=axis)
    return _cast(relaxed, namespace(logits=logits).result_type(logits, noise))


def _check(logits: Array, noise: Array, temperature: Any, axis: int) -> None:
    check_logits(logits, axis=axis)
    check_noise(noise, logits, axis=axis)
    check_temperature(temperature, logits, axis=axis)


def _scale(logits: Array, noise: Array, temperature: Any) -> Array:
    """Return (logits + noise) / temperature in float32 at least."""
    perturbed = widen(logits) + widen(noise)
    if isinstance(temperature, (int, float)):
        return perturbed / temperature
    # A learned temperature has the derivative -x/tau^2, which is 0 * inf at an excluded category
    # unless its -inf stays out of the division.
    xp = namespace(perturbed=perturbed)
    temperature = xp.astype(temperature, perturbed.dtype)
    excluded = perturbed == -xp.inf
    finite = xp.where(excluded, xp.zeros_like(perturbed), perturbed)
    return xp.where(excluded, -xp.inf, finite / temperature)


def _cast(array: Array, dtype: Any) -> Array:
    return namespace(array=array).astype(array, dtype, copy=False)


def log_density(relaxed: Array, logits: Array, temperature: Any) -> Array:
    r"""Return the log-density of the relaxed sample on the simplex.

    $p(y) = (K-1)!\,\tau^{K-1} \prod_i \pi_i y_i^{-\tau-1} \big/ \big(\sum_i \pi_i y_i^{-\tau}\big)^K$,
    with respect to $dy_1 \cdots dy_{K-1}$; unnormalised logits do, since their offset cancels.
    Source: Maddison, Mnih and Teh (2017), equation 10; Jang, Gu and Poole (2017), equation 3.

    A sample at low temperature has entries that round to 0, where the density is 0 or infinite
    according to the direction of approach. Such points are refused: take
    :func:`log_relax` and :func:`log_density_in_log_space`, which lose nothing.

    Args:
        relaxed: y, inside the simplex, shape ``(..., K)``.
        logits: broadcastable to ``relaxed``, finite, same K.
        temperature: $\tau > 0$, a number or an array of shape ``(..., 1)``.

    Returns:
        The broadcast batch shape.

    Raises:
        TypeError: an argument is not a floating array, or libraries are mixed.
        ValueError: a point outside the open simplex, logits that are not finite, a temperature that
            is not positive, shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> float(np.exp(log_density(np.array([0.5, 0.5]), np.zeros(2), 1.0)))  # uniform
        1.0
    """
    check_open_simplex(relaxed, "relaxed")
    xp = namespace(relaxed=relaxed)
    log_relaxed = xp.log(widen(relaxed))
    density = _log_space(log_relaxed, logits, temperature) - xp.sum(
        log_relaxed, axis=-1
    )
    return _cast(density, xp.result_type(relaxed, logits))


def log_density_in_log_space(
    log_relaxed: Array, logits: Array, temperature: Any
) -> Array:
    r"""Return the log-density of $x = \log y$, finite wherever :func:`log_relax` is.

    $\log (K-1)! + (K-1)\log\tau + \sum_i(\ell_i - \tau x_i) - K \log\sum_i e^{\ell_i - \tau x_i}$, with
    respect to the measure $\delta(\log\sum_i e^{x_i})\,dx$, that is $dx_1 \cdots dx_{K-1}/y_K$. Subtract
    $\sum_i x_i$ for the density of $y$ on the simplex. Differences of two such log-densities at one
    point, all that a KL needs, are the same in either space.
    Source: Maddison, Mnih and Teh (2017), ExpConcrete, appendix C.3.

    Args:
        log_relaxed: x with $\sum_i e^{x_i} = 1$, finite, shape ``(..., K)``.
        logits: broadcastable to ``log_relaxed``, finite, same K.
        temperature: $\tau > 0$, a number or an array of shape ``(..., 1)``.

    Returns:
        The broadcast batch shape.

    Raises:
        TypeError: an argument is not a floating array, or libraries are mixed.
        ValueError: entries that are not finite, a temperature that is not positive, shapes that do
            not match.

    Examples:
        >>> import numpy as np
        >>> round(float(log_density_in_log_space(np.array([-1000.0, 0.0]), np.zeros(2), 0.01)), 4)
        -14.6053
    """
    check_floating(log_relaxed, "log_relaxed")
    check_finite(log_relaxed, "log_relaxed")
    xp = namespace(log_relaxed=log_relaxed)
    density = _log_space(widen(log_relaxed), logits, temperature)
    return _cast(density, xp.result_type(log_relaxed, logits))


def _log_space(log_relaxed: Array, logits: Array, temperature: Any) -> Array:
    check_logits(logits)
    check_finite(logits, "logits")
    check_same_categories(log_relaxed, "relaxed", logits)
    check_temperature(temperature, log_relaxed)
    xp = namespace(log_relaxed=log_relaxed, logits=logits)
    num_categories = logits.shape[-1]
    if isinstance(temperature, (int, float)):
        temperature = xp.full(
            (1,), temperature, dtype=log_relaxed.dtype, device=log_relaxed.device
        )
    # One temperature a row, of shape (..., 1): summing over that axis drops it, and nothing else.
    log_temperature = xp.sum(xp.log(temperature), axis=-1)
    weights = widen(logits) - temperature * log_relaxed
    return (
        lgamma(num_categories)
        + (num_categories - 1) * log_temperature
        + xp.sum(weights, axis=-1)
        - num_categories * logsumexp(weights)
    )


def binary_relax(logit: Array, noise: Array, temperature: Any) -> Array:
    r"""Return $y = \mathrm{sigmoid}((\ell + L)/\tau)$, the relaxed Bernoulli sample.

    It is the first entry of :func:`relax` for K = 2, with $\ell = \ell_1 - \ell_2$ and $L = G_1 - G_2$.

    Args:
        logit: $\ell = \log\frac{\pi}{1 - \pi}$, any shape, finite.
        noise: standard logistic noise, broadcastable to ``logit``.
        temperature: $\tau > 0$, a number or an array broadcastable to ``logit``.

    Returns:
        The broadcast shape, in [0, 1].

    Raises:
        TypeError: an argument is not a floating array, or libraries are mixed.
        ValueError: entries that are not finite, a temperature that is not positive, shapes that do
            not match.

    Examples:
        >>> import numpy as np
        >>> float(binary_relax(np.array(0.0), np.array(0.0), 0.5))
        0.5
    """
    xp = namespace(logit=logit, noise=noise)
    scaled = widen(binary_relax_logit(logit, noise, temperature))
    return _cast(xp.exp(-_softplus(-scaled)), xp.result_type(logit, noise))


def binary_relax_logit(logit: Array, noise: Array, temperature: Any) -> Array:
    r"""Return $x = (\ell + L)/\tau$, the logit of the relaxed Bernoulli sample, which never saturates.

    Arguments and errors are those of :func:`binary_relax`.

    Examples:
        >>> import numpy as np
        >>> float(binary_relax_logit(np.array(100.0), np.array(0.0), 0.5))
        200.0
    """
    xp = namespace(logit=logit, noise=noise)
    for value, name in ((logit, "logit"), (noise, "noise")):
        check_floating(value, name)
        check_finite(value, name)
    check_broadcast(noise, "noise", logit, "logit")
    check_positive(temperature, "temperature")
    return _cast(
        (widen(logit) + widen(noise)) / temperature, xp.result_type(logit, noise)
    )


def binary_log_density(relaxed: Array, logit: Array, temperature: Any) -> Array:
    r"""Return the log-density of the relaxed Bernoulli sample y on (0, 1).

    $p(y) = \tau\, e^{-u}(1 + e^{-u})^{-2}\big/\big(y(1 - y)\big)$ with $u = \ell - \tau \log\frac{y}{1-y}$,
    written so that it overflows for no logit. For samples that round to 0 or 1 take
    :func:`binary_relax_logit` and :func:`binary_log_density_in_logit_space`.
    Source: Maddison, Mnih and Teh (2017), appendix B.

    Args:
        relaxed: y in (0, 1).
        logit: $\ell$, broadcastable to ``relaxed``, finite.
        temperature: $\tau > 0$, a number or an array broadcastable to ``logit``.

    Returns:
        The broadcast shape.

    Raises:
        TypeError: an argument is not a floating array, or libraries are mixed.
        ValueError: y outside (0, 1), a logit that is not finite, a temperature that is not positive.

    Examples:
        >>> import numpy as np
        >>> round(float(np.exp(binary_log_density(np.array(0.3), np.array(0.0), 1.0))), 4)  # uniform
        1.0
    """
    check_open_unit_interval(relaxed, "relaxed")
    xp = namespace(relaxed=relaxed)
    wide = widen(relaxed)
    log_one, log_zero = xp.log(wide), xp.log1p(-wide)
    density = binary_log_density_in_logit_space(
        log_one - log_zero, widen(logit), temperature
    )
    return _cast(density - log_one - log_zero, xp.result_type(relaxed, logit))


def binary_log_density_in_logit_space(
    relaxed_logit: Array, logit: Array, temperature: Any
) -> Array:
    r"""Return the log-density of $x = \log\frac{y}{1 - y}$ on the real line.

    $\log\tau + u - 2\log(1 + e^u)$ with $u = \ell - \tau x$: a logistic law of location $\ell/\tau$ and scale
    $1/\tau$. Source: Maddison, Mnih and Teh (2017), appendix B.

    Args:
        relaxed_logit: x, finite.
        logit: $\ell$, broadcastable to ``relaxed_logit``, finite.
        temperature: $\tau > 0$, a number or an array broadcastable to ``logit``.

    Returns:
        The broadcast shape.

    Raises:
        TypeError: an argument is not a floating array, or libraries are mixed.
        ValueError: entries that are not finite, a temperature that is not positive.

    Examples:
        >>> import numpy as np
        >>> float(binary_log_density_in_logit_space(np.array(0.0), np.array(100.0), 0.5))
        -100.69314718055995
    """
    for value, name in ((relaxed_logit, "relaxed_logit"), (logit, "logit")):
        check_floating(value, name)
        check_finite(value, name)
    check_broadcast(logit, "logit", relaxed_logit, "relaxed_logit")
    check_positive(temperature, "temperature")
    xp = namespace(relaxed_logit=relaxed_logit, logit=logit)
    shift = widen(logit) - temperature * widen(relaxed_logit)
    if isinstance(temperature, (int, float)):
        temperature = xp.full((), temperature, dtype=shift.dtype, device=shift.device)
    density = xp.log(temperature) + shift - 2 * _softplus(shift)
    return _cast(density, xp.result_type(relaxed_logit, logit))


def _softplus(values: Array) -> Array:
    xp = namespace(values=values)
    return xp.logaddexp(values, xp.zeros_like(values))
