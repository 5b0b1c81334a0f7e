r"""Slopes at places along the edges of the simplex: every estimate that a rule can give, with no draw."""

from collections.abc import Sequence

import numpy as np
import torch

from gumbel_tutorial.checks import check_count, refuse
from gumbel_tutorial.estimators.protocol import Losses, slope_at


def edge_estimates(
    f: Losses,
    num_categories: int,
    places: Sequence[float],
    weights: Sequence[float],
) -> torch.Tensor:
    r"""Return the estimates of a rule along the edges for every pair of draws $z = e_j$, $z' = e_k$.

    $\frac12\sum_nw_n\big(\nabla f(u_nz + (1 - u_n)z')\cdot(z - z')\big)(z - z')$, to be averaged over two
    independent draws.

    Args:
        f: points ``(..., K)`` to losses, differentiable.
        num_categories: the number of categories, K.
        places: $u_n$, from 0 at the second draw to 1 at the first.
        weights: $w_n$, as many.

    Returns:
        Shape ``(K, K, K)``, first draw, second draw and entry of the estimate.

    Raises:
        ValueError: places and weights of different numbers.

    Examples:
        >>> line = edge_estimates(lambda x: x[..., 0], 2, [0.5], [1.0])
        >>> line[0, 1]  # half the difference along the edge
        tensor([ 0.5000, -0.5000], dtype=torch.float64)
    """
    if len(places) != len(weights):
        refuse("weights", f"be as many as the {len(places)} places", len(weights))
    corners = torch.eye(num_categories, dtype=torch.float64)
    along = corners[:, None] - corners
    rates = along.new_zeros(along.shape[:2])
    for place, weight in zip(places, weights, strict=True):
        _, slopes = slope_at(f, place * corners[:, None] + (1 - place) * corners)
        rates = rates + weight * (slopes * along).sum(-1)
    return rates[..., None] * along / 2


def gauss_places(number: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the places in (0, 1) and the weights of the Gauss-Legendre rule, exact for degree $2n - 1$.

    Args:
        number: n, how many places.

    Raises:
        ValueError: less than one place.

    Examples:
        >>> gauss_places(1)
        (array([0.5]), array([1.]))
    """
    nodes, weights = np.polynomial.legendre.leggauss(check_count(number, "number", 1))
    return (1 + nodes) / 2, weights / 2


def upper_gauss_places(number: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the upper half of the 2n places of :func:`gauss_places`, with their weights doubled.

    Along an edge between two draws, either of which may come first, it has the mean of all 2n: it is exact
    for losses of degree $4n$.

    Args:
        number: n, how many places.

    Raises:
        ValueError: less than one place.

    Examples:
        >>> places, weights = upper_gauss_places(1)
        >>> f"{places[0]:.4f}", weights
        ('0.7887', array([1.]))
    """
    places, weights = gauss_places(2 * check_count(number, "number", 1))
    return places[number:], 2 * weights[number:]
