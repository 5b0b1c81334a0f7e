r"""Order conditions: which losses a straight-through estimator is exact for, read off its matrices.

An estimator that draws $z = e_i$ with probability $\pi_i$ and returns $A_i\nabla f(e_i)$ is its **table** of
matrices, a tensor of shape ``(K, K, K)``: the winner, the entry of the estimate, the entry of the slope.
"""

import torch

from gumbel_tutorial.checks import check_open_simplex, check_positive, refuse
from gumbel_tutorial.estimators.protocol import Losses, slope_at


def linear_residual(table: torch.Tensor, probs: torch.Tensor) -> torch.Tensor:
    r"""Return $\sum_i\pi_iA_i - J(\pi)$, the error of the mean for linear losses, one column per entry of z.

    $J(\pi) = \mathrm{diag}(\pi) - \pi\pi^\top$.

    Args:
        table: shape ``(K, K, K)``.
        probs: $\pi$, shape ``(K,)``, inside the simplex.

    Returns:
        Shape ``(K, K)``, the entry of the estimate and the entry of z that is the loss.

    Raises:
        ValueError: probs outside the open simplex; a table of another shape.

    Examples:
        >>> probs = torch.tensor([0.25, 0.75])
        >>> jacobian = probs.diag() - probs.outer(probs)
        >>> linear_residual(jacobian.expand(2, 2, 2), probs).abs().max().item()  # straight-through
        0.0
    """
    _check(table, probs)
    return torch.einsum("i,iml->ml", probs, table) - _softmax_jacobian(probs)


def product_residual(table: torch.Tensor, probs: torch.Tensor) -> torch.Tensor:
    r"""Return the error of the mean for losses $z_iz_j$: $\pi_iA_ie_j + \pi_jA_je_i - 1_{\{i=j\}}J(\pi)e_i$.

    Where this and :func:`linear_residual` vanish the estimator is exact for all losses of degree two.

    Args:
        table: shape ``(K, K, K)``.
        probs: $\pi$, shape ``(K,)``, inside the simplex.

    Returns:
        Shape ``(K, K, K)``, i, j and the entry of the estimate.

    Raises:
        ValueError: as :func:`linear_residual`.

    Examples:
        >>> probs = torch.tensor([0.25, 0.75])
        >>> jacobian = probs.diag() - probs.outer(probs)
        >>> product_residual(jacobian.expand(2, 2, 2), probs).abs().max().item()  # straight-through
        0.09375
    """
    _check(table, probs)
    weighted = (probs[:, None, None] * table).mT
    own = torch.diag_embed(_softmax_jacobian(probs)).movedim(0, -1)
    return weighted + weighted.transpose(0, 1) - own


def corner_estimates(f: Losses, table: torch.Tensor) -> torch.Tensor:
    r"""Return $A_i\nabla f(e_i)$ for every corner: all that an estimator with this table can give.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        table: shape ``(K, K, K)``.

    Returns:
        Shape ``(K, K)``, the winner and the entry of the estimate.

    Examples:
        >>> table = torch.eye(2, dtype=torch.float64).expand(2, 2, 2)
        >>> corner_estimates(lambda z: z[..., 0] ** 2, table)  # the slopes themselves
        tensor([[2., 0.],
                [0., 0.]], dtype=torch.float64)
    """
    corners = torch.eye(len(table), dtype=table.dtype, device=table.device)
    _, slopes = slope_at(f, corners)
    return torch.einsum("iml,il->im", table, slopes)


def degree(
    table: torch.Tensor, probs: torch.Tensor, *, tolerance: float = 1e-10
) -> int:
    """Return the degree of the losses that a straight-through estimator is exact for, 0, 1 or 2.

    No slope at a corner tells of more: there are cubics with other differences and the same slopes.

    Args:
        table: shape ``(K, K, K)``.
        probs: shape ``(K,)``, inside the simplex.
        tolerance: the largest residual that counts as rounding, or as the error of a table that was measured.

    Raises:
        ValueError: as :func:`linear_residual`; a tolerance that is not positive.

    Examples:
        >>> probs = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
        >>> degree(least_variance_table(probs), probs)
        2
    """
    check_positive(tolerance, "tolerance")
    if linear_residual(table, probs).abs().max() > tolerance:
        return 0
    return 1 if product_residual(table, probs).abs().max() > tolerance else 2


def free_dimension(probs: torch.Tensor, *, symmetric: bool = False) -> int:
    r"""Return the dimension of the tables that are exact to degree two, by the rank of the conditions.

    It is $\frac12K(K-1)(K-2)$, and 0, one table, among those whose matrices are symmetric. The rank is that
    of a matrix with $K^3$ columns.

    Args:
        probs: $\pi$, shape ``(K,)``, inside the simplex, in float64: the rank is a matter of digits.
        symmetric: whether to count symmetric matrices alone.

    Raises:
        ValueError: probs outside the open simplex.

    Examples:
        >>> free_dimension(torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64))
        3
    """
    _check_probs(probs)
    size = len(probs)
    zero = probs.new_zeros(size, size, size)
    units = torch.eye(size**3, dtype=probs.dtype, device=probs.device)

    def conditions(table: torch.Tensor) -> torch.Tensor:
        parts = [linear_residual(table, probs), product_residual(table, probs)]
        parts += [table - table.mT] if symmetric else []
        return torch.cat([part.flatten() for part in parts])

    constant = conditions(zero)
    columns = [conditions(unit.view_as(zero)) - constant for unit in units]
    return size**3 - int(torch.linalg.matrix_rank(torch.stack(columns)).item())


def mean_square(table: torch.Tensor, probs: torch.Tensor) -> torch.Tensor:
    r"""Return $\sum_i\pi_i\lVert A_i\rVert^2$, the mean square of an estimate for slopes of all directions.

    It is $\mathbb E\lVert\hat g\rVert^2$ over random f whose $\mathbb E[\nabla f(e_i)\nabla f(e_i)^\top]$ is
    the identity at every corner.

    Args:
        table: shape ``(K, K, K)``.
        probs: $\pi$, shape ``(K,)``, inside the simplex.

    Returns:
        A number, shape ``()``.

    Raises:
        ValueError: as :func:`linear_residual`.

    Examples:
        >>> mean_square(torch.eye(2).expand(2, 2, 2), torch.tensor([0.5, 0.5])).item()
        2.0
    """
    _check(table, probs)
    return torch.einsum("i,iml,iml", probs, table, table)


def least_variance_table(probs: torch.Tensor) -> torch.Tensor:
    r"""Return the table exact to degree two whose :func:`mean_square` is least.

    $\pi_iA_ie_j = c_{ij}(V_i - V_j)$ for $i\ne j$ is the current between the corners of the simplex, joined
    by the conductances $c_{ij} = \pi_i\pi_j/(\pi_i + \pi_j)$, when $-\frac12\pi_i(e_i - \pi)$ flows in at
    corner i, one circuit per entry; and $A_ie_i = \frac12(e_i - \pi)$.
    It is the limit $\tau\to\infty$ of the estimators of Hooper and Shekhovtsov (2026).

    Args:
        probs: $\pi$, shape ``(K,)``, inside the simplex.

    Returns:
        Shape ``(K, K, K)``.

    Raises:
        ValueError: probs outside the open simplex.

    Examples:
        >>> least_variance_table(torch.tensor([0.5, 0.5], dtype=torch.float64))[0]
        tensor([[ 0.2500, -0.2500],
                [-0.2500,  0.2500]], dtype=torch.float64)
    """
    _check_probs(probs)
    eye = torch.eye(len(probs), dtype=probs.dtype, device=probs.device)
    both = probs[:, None] + probs
    conductance = probs[:, None] * probs / both * (1 - eye)
    laplacian = conductance.sum(1).diag() - conductance
    inflow = -_softmax_jacobian(probs) / 2
    # The potentials are free up to a constant, which the term of ones sets: their weighted sum is 0.
    potential = torch.linalg.solve(laplacian + probs.outer(probs), inflow)
    # Divided by the probability of the winner, of which nothing is left to underflow.
    share = probs / both * (1 - eye)
    across = share[..., None] * (potential[:, None] - potential)
    return (across + eye[..., None] * (eye - probs)[:, None] / 2).mT


def _softmax_jacobian(probs: torch.Tensor) -> torch.Tensor:
    return probs.diag() - probs.outer(probs)


def _check_probs(probs: torch.Tensor) -> None:
    if probs.ndim != 1:
        refuse("probs", "have shape (K,)", f"shape {tuple(probs.shape)}")
    check_open_simplex(probs, "probs")


def _check(table: torch.Tensor, probs: torch.Tensor) -> None:
    _check_probs(probs)
    shape = (len(probs),) * 3
    if table.shape != shape:
        refuse("table", f"have shape {shape}", f"shape {tuple(table.shape)}")
