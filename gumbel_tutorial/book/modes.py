r"""The shape of the relaxed density: how it bends along a line, and which logits give it a mode."""

import numpy as np
from numpy.typing import ArrayLike


def bend(
    relaxed: ArrayLike, direction: ArrayLike, logits: ArrayLike, temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the first two derivatives of the log-density along $y_k(1 + s\,\delta_k)$ at $s = 0$.

    Args:
        relaxed: y, inside the simplex, shape ``(..., K)``.
        direction: $\delta$ with $\sum_k y_k\delta_k = 0$, which keeps the line on the simplex.
        logits: shape ``(..., K)``.
        temperature: $\tau > 0$.

    Returns:
        Two arrays of the batch shape.

    Examples:
        >>> slope, curvature = bend(np.full(2, 0.5), np.array([1.0, -1.0]), np.zeros(2), 0.5)
        >>> float(slope), round(float(curvature), 12)
        (0.0, 1.5)
    """
    relaxed, direction = np.asarray(relaxed), np.asarray(direction)
    weights = np.asarray(logits) - temperature * np.log(relaxed)
    weights = np.exp(weights - np.logaddexp.reduce(weights, axis=-1, keepdims=True))
    total, square = direction.sum(axis=-1), (direction**2).sum(axis=-1)
    mean = (weights * direction).sum(axis=-1)
    mean_square = (weights * direction**2).sum(axis=-1)
    num = relaxed.shape[-1]
    first = -(temperature + 1) * total + num * temperature * mean
    second = (temperature + 1) * (square - num * temperature * mean_square)
    return first, second + num * temperature**2 * mean**2


def critical_logits(relaxed: ArrayLike, temperature: float) -> np.ndarray:
    r"""Return the logits for which the density is stationary at y, $\ell_k = \log w_k + \tau\log y_k$.

    Args:
        relaxed: y, shape ``(..., K)``, with $w_k = (\tau + 1 - Ky_k)/(K\tau) > 0$; elsewhere there are none.
        temperature: $\tau > 0$.

    Examples:
        >>> critical_logits(np.full(2, 0.5), 1.5).round(4).tolist()
        [-1.7329, -1.7329]
    """
    relaxed = np.asarray(relaxed)
    num = relaxed.shape[-1]
    weights = (temperature + 1 - num * relaxed) / (num * temperature)
    return np.log(weights) + temperature * np.log(relaxed)


def largest_gap(relaxed: np.ndarray, temperature: float) -> float:
    """Return how far apart three logits are, at most, that make one of the given points a mode.

    Args:
        relaxed: points inside the triangle, shape ``(n, 3)``; at least one must be some logits' mode.
        temperature: above 1.
    """
    relaxed = relaxed[(relaxed < (temperature + 1) / 3).all(axis=-1)]
    logits = critical_logits(relaxed, temperature)
    one, other = np.array([1.0, -1.0, 0.0]) / relaxed, np.array([0, 1, -1]) / relaxed
    bends = (
        bend(relaxed, direction, logits, temperature)[1]
        for direction in (one, other, one + other)
    )
    at_one, at_other, at_both = bends
    # Negative definite on the plane that the two directions span.
    mode = at_one < 0
    mode &= 4 * at_one * at_other > (at_both - at_one - at_other) ** 2
    return float(np.ptp(logits[mode], axis=1).max())


def follow(logits: ArrayLike, temperatures: ArrayLike) -> float:
    """Return the last of falling temperatures at which a mode, followed from the first, is still there.

    Args:
        logits: shape ``(K,)``.
        temperatures: falling in small steps, from one above K - 1 or at which there is a mode.
    """
    from scipy.optimize import minimize

    logits = np.asarray(logits)
    num = logits.shape[-1]

    def depth(differences: np.ndarray, temperature: float) -> float:
        x = np.append(differences, 0.0)
        x = x - np.logaddexp.reduce(x)
        weights = np.logaddexp.reduce(logits - temperature * x)
        return (temperature + 1) * x.sum() + num * weights

    place, last = np.zeros(num - 1), np.nan
    for temperature in np.asarray(temperatures):
        place = minimize(depth, place, (temperature,)).x
        if np.abs(place).max() > 15:  # on its way to an edge
            break
        last = temperature
    return float(last)
