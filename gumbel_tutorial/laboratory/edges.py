r"""Slopes at places along the edges of the simplex: every estimate that a rule can give, with no draw."""

from collections.abc import Sequence

import torch

from gumbel_tutorial.checks import refuse
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
        num_categories: K.
        places: $u_n$, from 0 at the second draw to 1 at the first.
        weights: $w_n$, as many.

    Returns:
        Shape ``(K, K, K)``: first draw, second draw, entry of the estimate.

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
