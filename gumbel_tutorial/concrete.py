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
    below_largest,
    cast,
    log_softmax,
    logsumexp,
    namespace,
    perturb,
    softmax,
    widen,
)
from gumbel_tutorial.checks import (
    check_broadcast,
    check_finite,
    check_floating,
    check_log_simplex,
    check_logits,
    check_noise,
    check_open_simplex,
    check_open_unit_interval,
    check_positive,
    check_same_categories,
    check_temperature,
    smallest_divisor,
)


def relax(logits: Array, noise: Array, temperature: Any, *, axis: int = -1) -> Array:
    r"""Return $y = \mathrm{softmax}((\ell + G)/\tau)$, the relaxed sample.

    Computed in float32 at least, and rounded once.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category, whose entry is then 0.
        noise: standard Gumbel noise, broadcastable to ``logits``, one value for each category.
        temperature: $\tau > 0$, a number or an array of size 1 on the category axis.
        axis: where the categories lie in ``logits``; counted from the end, they lie there in ``noise`` too.

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
    scaled, axis = _scaled(logits, noise, temperature, axis)
    relaxed = softmax(scaled, axis=axis, shifted=True)
    return cast(relaxed, namespace(logits=logits).result_type(logits, noise))


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
    scaled, axis = _scaled(logits, noise, temperature, axis)
    log_relaxed = log_softmax(scaled, axis=axis)
    return cast(log_relaxed, namespace(logits=logits).result_type(logits, noise))


def _scaled(
    logits: Array, noise: Array, temperature: Any, axis: int
) -> tuple[Array, int]:
    """Return the scaled logits of checked arguments, and their category axis counted from the end."""
    namespace(logits=logits, noise=noise, temperature=temperature)
    check_logits(logits, axis=axis)
    # From the end, where shapes are aligned: noise may have another number of axes.
    axis = axis - logits.ndim if axis >= 0 else axis
    check_noise(noise, logits, axis=axis)
    least = smallest_divisor(logits)
    check_temperature(temperature, logits, axis=axis, least=least)
    return _scale(perturb(logits, noise, axis=axis), temperature, axis=axis), axis


def _scale(perturbed: Array, temperature: Any, *, axis: int) -> Array:
    """Return perturbed / temperature up to a constant in every row, the largest entry at 0.

    At 0 it stays for every temperature; the others may overflow, to -inf, which is right.
    """
    below = below_largest(perturbed, axis=axis)
    if isinstance(temperature, (int, float)):
        return below / temperature
    # A learned temperature has the derivative -x/tau^2, which is 0 * inf at an excluded category
    # unless its -inf stays out of the division.
    xp = namespace(below=below)
    temperature = xp.astype(temperature, below.dtype)
    excluded = below == -xp.inf
    finite = xp.where(excluded, xp.zeros_like(below), below)
    return xp.where(excluded, -xp.inf, finite / temperature)


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
    xp = namespace(relaxed=relaxed, logits=logits, temperature=temperature)
    check_open_simplex(relaxed, "relaxed")
    log_relaxed = xp.log(widen(relaxed))
    in_log_space = _log_space(log_relaxed, logits, temperature, "relaxed")
    density = in_log_space - xp.sum(log_relaxed, axis=-1)
    return cast(density, xp.result_type(relaxed, logits))


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
        ValueError: entries that are not finite or do not satisfy $\sum_i e^{x_i} = 1$, a temperature
            that is not positive, shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> round(float(log_density_in_log_space(np.array([-1000.0, 0.0]), np.zeros(2), 0.01)), 4)
        -14.6053
    """
    xp = namespace(log_relaxed=log_relaxed, logits=logits, temperature=temperature)
    check_log_simplex(log_relaxed, "log_relaxed")
    density = _log_space(widen(log_relaxed), logits, temperature, "log_relaxed")
    return cast(density, xp.result_type(log_relaxed, logits))


def _log_space(log_relaxed: Array, logits: Array, temperature: Any, name: str) -> Array:
    """Return the log-density of log_relaxed, in float32 at least, for a caller that calls it ``name``."""
    check_logits(logits)
    check_finite(logits, "logits")
    check_same_categories(log_relaxed, name, logits)
    check_temperature(temperature, log_relaxed, logits_name=name)
    xp = namespace(log_relaxed=log_relaxed)
    num_categories = logits.shape[-1]
    weights = widen(logits) - temperature * log_relaxed
    # One temperature a row, of shape (..., 1): summing over that axis drops it, and nothing else.
    log_temperature = xp.sum(_log(temperature, weights), axis=-1)
    return (
        lgamma(num_categories)
        + (num_categories - 1) * log_temperature
        + xp.sum(weights, axis=-1)
        - num_categories * logsumexp(weights)
    )


def _log(temperature: Any, like: Array) -> Array:
    """Return the log of a temperature in float32 at least; that of a number in the dtype of ``like``."""
    xp = namespace(like=like)
    if isinstance(temperature, (int, float)):
        temperature = xp.full((), temperature, dtype=like.dtype, device=like.device)
    return xp.log(widen(temperature))


def binary_relax(logit: Array, noise: Array, temperature: Any) -> Array:
    r"""Return $y = \mathrm{sigmoid}((\ell + L)/\tau)$, the relaxed Bernoulli sample.

    It is the first entry of :func:`relax` for K = 2, with $\ell = \ell_1 - \ell_2$ and $L = G_1 - G_2$.
    Computed in float32 at least, and rounded once.

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
    scaled = _binary_relax_logit(logit, noise, temperature)
    xp = namespace(scaled=scaled)
    return cast(xp.exp(-_softplus(-scaled)), xp.result_type(logit, noise))


def binary_relax_logit(logit: Array, noise: Array, temperature: Any) -> Array:
    r"""Return $x = (\ell + L)/\tau$, the logit of the relaxed Bernoulli sample.

    It does not saturate where the sample rounds to 0 or 1, and overflows only past the largest number of
    the dtype, which is 65504 in float16. Arguments and errors are those of :func:`binary_relax`.

    Examples:
        >>> import numpy as np
        >>> float(binary_relax_logit(np.array(100.0), np.array(0.0), 0.5))
        200.0
    """
    scaled = _binary_relax_logit(logit, noise, temperature)
    return cast(scaled, namespace(logit=logit).result_type(logit, noise))


def _binary_relax_logit(logit: Array, noise: Array, temperature: Any) -> Array:
    """Return (logit + noise) / temperature in float32 at least."""
    _check_binary(noise, "noise", logit, temperature)
    return (widen(logit) + widen(noise)) / temperature


def _check_binary(value: Array, name: str, logit: Array, temperature: Any) -> None:
    """Require finite arrays of one library and a positive temperature that broadcast together."""
    namespace(**{name: value, "logit": logit, "temperature": temperature})
    for array, array_name in ((logit, "logit"), (value, name)):
        check_floating(array, array_name)
        check_finite(array, array_name)
    check_broadcast(value, name, logit, "logit")
    check_positive(temperature, "temperature", least=smallest_divisor(logit))
    if not isinstance(temperature, (int, float)):
        check_broadcast(temperature, "temperature", logit, "logit")
        check_broadcast(temperature, "temperature", value, name)


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
        ValueError: y outside (0, 1), a logit that is not finite, a temperature that is not positive,
            shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> round(float(np.exp(binary_log_density(np.array(0.3), np.array(0.0), 1.0))), 4)  # uniform
        1.0
    """
    _check_binary(relaxed, "relaxed", logit, temperature)
    check_open_unit_interval(relaxed, "relaxed")
    xp = namespace(relaxed=relaxed)
    wide = widen(relaxed)
    log_one, log_zero = xp.log(wide), xp.log1p(-wide)
    density = _logit_space(log_one - log_zero, logit, temperature)
    return cast(density - log_one - log_zero, xp.result_type(relaxed, logit))


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
        ValueError: entries that are not finite, a temperature that is not positive, shapes that do
            not match.

    Examples:
        >>> import numpy as np
        >>> float(binary_log_density_in_logit_space(np.array(0.0), np.array(100.0), 0.5))
        -100.69314718055995
    """
    _check_binary(relaxed_logit, "relaxed_logit", logit, temperature)
    density = _logit_space(widen(relaxed_logit), logit, temperature)
    return cast(density, namespace(logit=logit).result_type(relaxed_logit, logit))


def _logit_space(relaxed_logit: Array, logit: Array, temperature: Any) -> Array:
    """Return the log-density of a relaxed logit that is float32 at least."""
    shift = widen(logit) - temperature * relaxed_logit
    return _log(temperature, shift) + shift - 2 * _softplus(shift)


def _softplus(values: Array) -> Array:
    xp = namespace(values=values)
    return xp.logaddexp(values, xp.zeros_like(values))
