r"""The Concrete law, also called Gumbel-Softmax: a categorical draw relaxed to the simplex.

$Y = \mathrm{softmax}((\ell + G)/\tau)$ with independent standard Gumbels $G$ and temperature $\tau > 0$.
Sources: Maddison, Mnih and Teh (2017), section 3 and appendix B; Jang, Gu and Poole (2017), section 2.

Temperatures are numbers, or arrays of size 1 on the category axis: one for each row. The binary case
takes one logit instead of two, and logistic noise.

:func:`scale`, :func:`soften`, :func:`log_soften`, :func:`exp_concrete_log_density`, :func:`binary_scale`,
:func:`binary_concrete_log_density` and :func:`sigmoid` are the formulas: they check nothing, and take arrays
of float32 at least. Every other function checks its arguments once and calls them.
"""

from math import lgamma, log
from typing import Any

from gumbel_tutorial.arrays import (
    Array,
    below_largest,
    cast,
    common_dtype,
    is_number,
    is_torch,
    log_softmax,
    logsumexp,
    namespace,
    perturb,
    quiet,
    sample_dtype,
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
    check_whole,
    none_is_true,
    smallest_divisor,
)


def scale(perturbed: Array, temperature: Any, *, axis: int = -1) -> Array:
    r"""Return $x/\tau$ up to a constant per row, the largest entry at 0; nothing is checked.

    The largest stays 0 at every temperature; the others may overflow to -inf, which is right.

    Args:
        perturbed: x, perturbed logits or others.
        temperature: $\tau > 0$, a number or an array of size 1 on the category axis.
        axis: where the categories lie.

    Examples:
        >>> import numpy as np
        >>> scale(np.array([3.0, 2.0, -np.inf]), 0.5).tolist()
        [0.0, -2.0, -inf]
    """
    below = below_largest(perturbed, axis=axis)
    if is_number(temperature):
        return below / temperature
    # A learned temperature has the derivative -x/tau^2, which is 0 * inf at an excluded category
    # unless its -inf stays out of the division.
    temperature = cast(temperature, below.dtype)
    if is_torch(below):
        excluded = below.detach() == -float("inf")
        if none_is_true(excluded):
            return below / temperature
        scaled = below.masked_fill(excluded, 0.0) / temperature
        return scaled.masked_fill(excluded, -float("inf"))
    xp = namespace(below=below)
    excluded = below == -xp.inf
    scaled = xp.where(excluded, xp.zeros_like(below), below) / temperature
    return xp.where(excluded, below, scaled)


def soften(logits: Array, temperature: Any, *, axis: int = -1) -> Array:
    r"""Return $\mathrm{softmax}(\ell/\tau)$; arguments as :func:`scale`, and nothing is checked.

    Examples:
        >>> import numpy as np
        >>> soften(np.log([1.0, 3.0]), 0.5).round(4).tolist()
        [0.1, 0.9]
    """
    return softmax(scale(logits, temperature, axis=axis), axis=axis, shifted=True)


def log_soften(logits: Array, temperature: Any, *, axis: int = -1) -> Array:
    r"""Return $\log\mathrm{softmax}(\ell/\tau)$; arguments as :func:`scale`, and nothing is checked."""
    return log_softmax(scale(logits, temperature, axis=axis), axis=axis, shifted=True)


@quiet
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
    perturbed, axis = _perturb(logits, noise, temperature, axis)
    relaxed = soften(perturbed, temperature, axis=axis)
    return cast(relaxed, sample_dtype(logits, noise))


@quiet
def log_relax(
    logits: Array, noise: Array, temperature: Any, *, axis: int = -1
) -> Array:
    r"""Return $\log y$ for the relaxed sample $y$, finite where $y$ itself rounds to 0.

    It is -inf at an excluded category, and past the largest number of the dtype, which is 65504 in float16.
    Arguments and errors are those of :func:`relax`.

    Examples:
        >>> import numpy as np
        >>> log_relax(np.zeros(2), np.array([0.0, 10.0]), 0.01).tolist()
        [-1000.0, 0.0]
    """
    perturbed, axis = _perturb(logits, noise, temperature, axis)
    log_relaxed = log_soften(perturbed, temperature, axis=axis)
    return cast(log_relaxed, sample_dtype(logits, noise))


def _perturb(
    logits: Array, noise: Array, temperature: Any, axis: int
) -> tuple[Array, int]:
    """Return the perturbed logits of checked arguments, and their category axis counted from the end."""
    namespace(logits=logits, noise=noise, temperature=temperature)
    axis = check_whole(axis, "axis")
    largest = check_logits(logits, axis=axis)
    # From the end, where shapes are aligned: noise may have another number of axes.
    axis = axis - logits.ndim if axis >= 0 else axis
    check_noise(noise, logits, axis=axis)
    least = smallest_divisor(logits)
    check_temperature(temperature, logits, axis=axis, least=least)
    return perturb(logits, noise, axis=axis, largest=largest), axis


@quiet
def log_density(relaxed: Array, logits: Array, temperature: Any) -> Array:
    r"""Return the log-density of the relaxed sample on the simplex.

    $p(y) = (K-1)!\,\tau^{K-1} \prod_i \pi_i y_i^{-\tau-1} \big/ \big(\sum_i \pi_i y_i^{-\tau}\big)^K$,
    with respect to $dy_1 \cdots dy_{K-1}$; logits need not be normalised, since their offset cancels.
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
    _check_law(logits, temperature, relaxed, "relaxed")
    log_relaxed = xp.log(widen(relaxed))
    in_log_space = exp_concrete_log_density(log_relaxed, widen(logits), temperature)
    density = in_log_space - xp.sum(log_relaxed, axis=-1)
    return cast(density, common_dtype(relaxed, logits))


@quiet
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
    namespace(log_relaxed=log_relaxed, logits=logits, temperature=temperature)
    check_log_simplex(log_relaxed, "log_relaxed")
    _check_law(logits, temperature, log_relaxed, "log_relaxed")
    density = exp_concrete_log_density(widen(log_relaxed), widen(logits), temperature)
    return cast(density, common_dtype(log_relaxed, logits))


def _check_law(logits: Array, temperature: Any, point: Array, name: str) -> None:
    """Require finite logits and a temperature of the law of a point, which the caller calls ``name``."""
    check_logits(logits)
    check_finite(logits, "logits")
    check_same_categories(point, name, logits)
    check_temperature(temperature, point, logits_name=name)
    if not is_number(temperature):
        check_broadcast(temperature, "temperature", logits, "logits")


def exp_concrete_log_density(
    log_relaxed: Array, logits: Array, temperature: Any
) -> Array:
    """Return the formula of :func:`log_density_in_log_space`; nothing is checked."""
    xp = namespace(log_relaxed=log_relaxed)
    num_categories = logits.shape[-1]
    weights = logits - temperature * log_relaxed
    log_temperature = _log(temperature)
    if getattr(log_temperature, "ndim", 0) > 0:
        # One temperature per row, of shape (..., 1): summing over that axis drops it, and nothing else.
        log_temperature = xp.sum(log_temperature, axis=-1)
    return (
        lgamma(num_categories)
        + (num_categories - 1) * log_temperature
        + xp.sum(weights, axis=-1)
        - num_categories * logsumexp(weights)
    )


def _log(temperature: Any) -> Any:
    """Return the log of a temperature, a number of a number, of an array in float32 at least."""
    if is_number(temperature):
        return log(temperature)
    return namespace(temperature=temperature).log(widen(temperature))


@quiet
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
    _check_binary(noise, "noise", logit, temperature)
    relaxed = sigmoid(binary_scale(logit, noise, temperature))
    return cast(relaxed, sample_dtype(logit, noise))


@quiet
def binary_relax_logit(logit: Array, noise: Array, temperature: Any) -> Array:
    r"""Return $x = (\ell + L)/\tau$, the logit of the relaxed Bernoulli sample.

    It does not saturate where the sample rounds to 0 or 1, and overflows only past the largest number of
    the dtype, which is 65504 in float16. Arguments and errors are those of :func:`binary_relax`.

    Examples:
        >>> import numpy as np
        >>> float(binary_relax_logit(np.array(100.0), np.array(0.0), 0.5))
        200.0
    """
    _check_binary(noise, "noise", logit, temperature)
    scaled = binary_scale(logit, noise, temperature)
    return cast(scaled, sample_dtype(logit, noise))


def binary_scale(logit: Array, noise: Array, temperature: Any) -> Array:
    """Return the formula of :func:`binary_relax_logit` in float32 at least; nothing is checked."""
    return (widen(logit) + widen(noise)) / temperature


def _check_binary(value: Array, name: str, logit: Array, temperature: Any) -> None:
    """Require finite arrays of one library and a positive temperature that broadcast together."""
    namespace(**{name: value, "logit": logit, "temperature": temperature})
    for array, array_name in ((logit, "logit"), (value, name)):
        check_floating(array, array_name)
        check_finite(array, array_name)
    check_broadcast(value, name, logit, "logit")
    check_positive(temperature, "temperature", least=smallest_divisor(logit))
    if not is_number(temperature):
        check_broadcast(temperature, "temperature", logit, "logit")
        check_broadcast(temperature, "temperature", value, name)


@quiet
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
    density = binary_concrete_log_density(log_one - log_zero, widen(logit), temperature)
    return cast(density - log_one - log_zero, common_dtype(relaxed, logit))


@quiet
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
    density = binary_concrete_log_density(
        widen(relaxed_logit), widen(logit), temperature
    )
    return cast(density, common_dtype(relaxed_logit, logit))


def binary_concrete_log_density(
    relaxed_logit: Array, logit: Array, temperature: Any
) -> Array:
    """Return the formula of :func:`binary_log_density_in_logit_space`; nothing is checked."""
    shift = logit - temperature * relaxed_logit
    return _log(temperature) + shift - 2 * _softplus(shift)


def sigmoid(logit: Array) -> Array:
    r"""Return $1/(1 + e^{-x})$, with its derivative where it rounds to 1; nothing is checked."""
    return namespace(logit=logit).exp(-_softplus(-logit))


def _softplus(values: Array) -> Array:
    xp = namespace(values=values)
    return xp.logaddexp(values, xp.zeros_like(values))
