r"""Expectations of relaxed samples as sums on a grid, so that no draw blurs what a chapter compares."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gumbel_tutorial.arrays import softmax


def relaxed_mean(probs: ArrayLike, temperature: float) -> np.ndarray:
    r"""Return $\mathbb E[\mathrm{softmax}((\ell + G)/\tau)]$, shape ``(K,)``.

    It is $\Pr(i = \arg\max_j \ell_j + S_j)$ for the noise $S = G + \tau H$, H a second Gumbel vector: the
    density of S times the other distribution functions, summed over the winning value. The sums converge
    faster than any power of the step; the result is right to some twelve digits for $\tau$ up to 7, and to
    nine at 10, where the inner step is as wide as the noise.

    Args:
        probs: class probabilities, positive, shape ``(K,)``.
        temperature: $\tau > 0$.

    Examples:
        >>> relaxed_mean([0.8, 0.2], 1.0).round(6).tolist()
        [0.717203, 0.282797]
    """
    values = np.linspace(-5, 40, 1200) * (1 + temperature)
    other = np.arange(-5, 40, 0.1)
    weights = 0.1 * np.exp(-other - np.exp(-other))
    noise = (values[:, None] - np.log(probs))[..., None] - temperature * other
    density = np.exp(-noise - np.exp(-noise)) @ weights
    below = np.exp(-np.exp(-noise)) @ weights
    wins = density / below * below.prod(axis=1, keepdims=True)
    return wins.sum(axis=0) * (values[1] - values[0])


def relaxed_bernoulli_mean(
    f: Callable[[Any], Any], prob: float, temperature: float
) -> float:
    r"""Return $\mathbb E[f(y)]$ for $y = \mathrm{sigmoid}((\ell + L)/\tau)$, an integral over the noise.

    Args:
        f: of a number in (0, 1).
        prob: $p = \mathrm{sigmoid}(\ell)$, in (0, 1).
        temperature: $\tau > 0$.

    Examples:
        >>> round(relaxed_bernoulli_mean(lambda y: y, 0.8, 1.0), 6)
        0.717203
    """
    from scipy.integrate import quad
    from scipy.special import expit

    logit = np.log(prob / (1 - prob))

    def weighted(noise: float) -> float:
        relaxed = expit((logit + noise) / temperature)
        return expit(noise) * expit(-noise) * f(relaxed)

    # Cold samples turn over within a width of the temperature about minus the logit.
    return quad(weighted, -40, 40, points=[-logit], limit=400)[0]


def relaxed_gradient(
    f: Callable[[np.ndarray], np.ndarray], logits: ArrayLike, temperature: float
) -> np.ndarray:
    r"""Return $\nabla_\ell\,\mathbb E[f(y)]$ for three categories, shape ``(3,)``.

    $\mathbb E[f(\mathrm{softmax}(x/\tau))\,(1 - 3w)]$ with $w = \mathrm{softmax}(\ell - x)$, the score of the
    perturbed logits $x = \ell + G$ up to their common offset.

    Args:
        f: relaxed samples ``(..., 3)`` to losses, bounded.
        logits: shape ``(3,)``.
        temperature: $\tau$, not below some 0.05: the grid is a third of it, to a side of 50.

    Examples:
        >>> relaxed_gradient(lambda y: y[..., 0], np.zeros(3), 0.5).round(4).tolist()
        [0.1953, -0.0977, -0.0977]
    """
    step = temperature / 3
    line = np.arange(-25, 25, step)
    perturbed = np.stack([*np.meshgrid(line, line), np.zeros((line.size,) * 2)], -1)
    winner = softmax(np.asarray(logits) - perturbed)
    losses = f(softmax(perturbed / temperature))
    weighted = 2 * winner.prod(axis=-1) * losses * step**2
    return np.einsum("ij,ijk", weighted, 1 - 3 * winner)


def order(remainder: Callable[[float], Any], temperature: float = 0.02) -> float:
    r"""Return the power of $\tau$ with which a remainder vanishes, seen by halving the temperature.

    If the remainder of an expansion is $c\,\tau^k$ to leading order, halving $\tau$ divides it by $2^k$; a
    wrong coefficient before it leaves a lower power.

    Args:
        remainder: of a temperature, to a number or an array.
        temperature: the larger of the two.

    Examples:
        >>> order(lambda tau: 5 * tau**3)
        3.0
    """
    whole, half = (
        np.abs(remainder(tau)).sum() for tau in (temperature, temperature / 2)
    )
    return float(np.log2(whole / half))
