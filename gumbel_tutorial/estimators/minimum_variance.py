r"""MVE: of all straight-through estimators with a given error on quadratics, the one of least variance."""

import math
from typing import Any, NamedTuple

import torch

from gumbel_tutorial.arrays import finite_or_zero, is_number, one_hot
from gumbel_tutorial.checks import refuse
from gumbel_tutorial.estimators.protocol import (
    Losses,
    check_arguments,
    draw,
    evaluate,
)
from gumbel_tutorial.nn.hard import carry
from gumbel_tutorial.nn.plain import is_watched

# Entries of systems at once: what fits in a processor's cache is fastest.
_AT_ONCE = 2**18
# Of the smallest normal number: so that K / p is finite too.
_RAREST = 2.0**20


def mve(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    temperature: float = math.inf,
) -> torch.Tensor:
    r"""Estimate by $S(z)^\top\nabla f(z)$ with the matrices S of :func:`minimum_variance_jacobian`.

    Among all S that are exact for linear f, they have the least variance plus $\tau$ times the squared error
    on quadratic f. At $\tau = 0$ this is :func:`~gumbel_tutorial.estimators.pathwise.straight_through`; at
    $\tau = \infty$ it is exact for f quadratic in each variable. The variance is that over slopes of all
    directions alike, so for one f another estimator, such as
    :func:`~gumbel_tutorial.estimators.second_order.zgr`, may have less.
    Source: Hooper and Shekhovtsov (2026), whose public code states the system; derived anew below.
    Biased; exact for linear f at every temperature, for quadratic f at $\infty$. Cost: one evaluation of f
    and of its derivative, and one $K\times K$ system per variable, $O(K^3)$, solved for a vector in the
    backward pass, and for K of them where forward derivatives or a compiler ask for all of S.

    Args:
        f: samples ``(..., K)`` to losses, differentiable.
        logits: shape ``(..., K)``.
        generator: draws the sample.
        temperature: $\tau$ in $[0, \infty]$, the price of an error on quadratics.

    Returns:
        Losses of the batch shape.

    Raises:
        ValueError: as every estimator; a temperature that is no number of at least 0.

    Examples:
        >>> logits = torch.tensor([6.0, 3.0, 1.0]).log().requires_grad_()
        >>> mve(lambda z: z @ torch.arange(3.0), logits, temperature=0.0).backward()
        >>> logits.grad  # straight-through, exact since f is linear
        tensor([-0.3000,  0.1500,  0.1500])
    """
    logits = check_arguments(logits, generator)
    if not is_number(temperature) or not temperature >= 0:
        refuse("temperature", "be a number of at least 0", temperature)
    sample = draw(logits, generator)
    if logits.requires_grad and not is_watched():
        return evaluate(f, _Carried.apply(logits, sample, temperature))
    probs = logits.detach().softmax(-1)
    jacobian = minimum_variance_jacobian(probs, sample, temperature)
    path = (jacobian * finite_or_zero(logits)[..., None, :]).sum(-1)
    return evaluate(f, carry(sample, path))


class _Carried(torch.autograd.Function):
    """A sample with the derivative S(z) in the logits, of which the backward pass computes what it needs."""

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, sample: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        ctx.save_for_backward(logits, sample)
        ctx.temperature = temperature
        return sample.clone()

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        logits, sample = ctx.saved_tensors
        probs = logits.detach().softmax(-1)
        found = minimum_variance_gradient(probs, sample, slope, ctx.temperature)
        return found, None, None


def minimum_variance_jacobian(
    probs: torch.Tensor, sample: torch.Tensor, temperature: float
) -> torch.Tensor:
    r"""Return S(z), which stands for the derivative of a one-hot z in the logits; nothing is checked.

    With $J = \mathrm{diag}(p) - pp^\top$ the matrices $S(x)$, one for each category x, minimise

    $$\sum_x p_x\lVert S(x)\rVert^2 + \frac\tau2\sum_{a,b}\lVert Q_{ab}\rVert^2$$

    with

    $$Q_{ab} = p_bS(b)_a + p_aS(a)_b - 1[a = b]J_a,$$

    subject to $\sum_xp_xS(x) = J$. The constraint is exactness for linear f, and $Q_{ab}$, a row of K
    entries, is the error in the mean for $f(z) = z_az_b$.

    Each column of J is a problem of its own. With multipliers $v_i$ of the constraint, a derivative of zero
    in $S(x)_i$ says $(1 + \tau p_x)S(x)_i + \tau p_iS(i)_x = v_i$ for $i \ne x$, and
    $(1 + 2\tau p_x)S(x)_x = v_x + \tau J_x$. The first, and itself with i and x exchanged, give

    $$S(x)_i = \frac{(1 + \tau p_i)v_i - \tau p_iv_x + \tau1[i = x]J_x}{1 + \tau(p_i + p_x)},$$

    which put into the constraint is $Av = B$ with $A_{ix} = -\tau p_ip_x/(1 + \tau(p_i + p_x))$ off the
    diagonal, $A_{ii} = (1 + \tau p_i)\sum_{x\ne i}p_x/(1 + \tau(p_i + p_x)) + p_i/(1 + 2\tau p_i)$ and
    $B_i = J_i(1 + \tau p_i)/(1 + 2\tau p_i)$. Row i of A sums to
    $h_i = \sum_xp_x/(1 + \tau(p_i + p_x)) > 0$ and is negative off the diagonal, so the solution is unique;
    as $\tau\to\infty$ the sums vanish, and the constant part of v with them from S.

    Args:
        probs: p, ``(..., K)``.
        sample: one-hot, ``(..., K)``.
        temperature: $\tau$ in $[0, \infty]$.

    Returns:
        Shape ``(..., K, K)``, an entry of the sample and a logit.
    """
    probs, s, t = _scaled(probs, temperature)
    jacobian = probs[..., None] * (_eye(probs) - probs[..., None, :])
    right = _share(jacobian, (s + 2 * t * probs)[..., None])
    solution, constant = _solve(probs, s, t, right)
    of_winner = (sample[..., None] * solution).sum(-2, keepdim=True)
    numerator = (s + t * probs)[..., None] * solution + constant
    numerator = numerator - t * probs[..., None] * of_winner
    numerator = numerator + t * sample[..., None] * jacobian
    winner = (sample * probs).sum(-1, keepdim=True)
    return _share(numerator, (s + t * (probs + winner))[..., None])


def minimum_variance_gradient(
    probs: torch.Tensor, sample: torch.Tensor, slope: torch.Tensor, temperature: float
) -> torch.Tensor:
    r"""Return $S(z)^\top g$ for a slope g, by one right side in place of K; nothing is checked.

    S depends linearly on the solution v of $Av = B$, and $B = DJ$ with a diagonal D. So with the weights w of
    v in $g^\top S$ it is $J\big(DA^{-\top}w + \tau g_xe_x/(1 + 2\tau p_x)\big)$, and J times a vector y is
    $p\circ(y - p^\top y)$.

    Args:
        probs: p, ``(..., K)``.
        sample: one-hot, ``(..., K)``.
        slope: g, ``(..., K)``.
        temperature: $\tau$ in $[0, \infty]$.

    Returns:
        Shape ``(..., K)``.
    """
    size = probs.shape[-1]
    rows = max(1, _AT_ONCE // size**2) if probs.device.type == "cpu" else 2**62
    parts = (each.reshape(-1, size).split(rows) for each in (probs, sample, slope))
    made = [_gradient(p, z, g, temperature) for p, z, g in zip(*parts, strict=True)]
    return torch.cat(made).reshape(probs.shape)


def _gradient(
    probs: torch.Tensor, sample: torch.Tensor, slope: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Return what :func:`minimum_variance_gradient` does, of rows ``(rows, K)`` all at once."""
    probs, s, t = _scaled(probs, temperature)
    winner = (sample * probs).sum(-1, keepdim=True)
    shares = _share(slope, s + t * (probs + winner))
    of_winner = t * (shares * probs).sum(-1, keepdim=True)
    weights = (s + t * probs) * shares - sample * of_winner
    system = _system(probs, s, t)
    of_constant = shares.sum(-1, keepdim=True) / system.size
    weights = torch.where(system.first > 0, of_constant, weights)
    found = torch.linalg.solve_ex(system.matrix.mT, weights[..., None]).result[..., 0]
    of_total = system.scale / 2 * (system.first * found).sum(-1, keepdim=True)
    found = torch.where(system.first > 0, torch.zeros_like(found), found) + of_total
    found = _share(found, s + 2 * t * probs) + t * sample * shares
    return probs * (found - (probs * found).sum(-1, keepdim=True))


def _scaled(
    probs: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, float, float]:
    """Return p, s and t: all is divided by 1 + tau, so that infinity is a number like others.

    1 becomes s, and tau becomes t. A category too rare for its reciprocal is one that is never drawn.
    """
    least = _RAREST * torch.finfo(probs.dtype).tiny
    s = 1 / (1 + temperature)
    return torch.where(probs > least, probs, torch.zeros_like(probs)), s, 1 - s


class _System(NamedTuple):
    """The equations of :func:`_system`.

    Attributes:
        matrix: ``(..., K, K)``.
        first: the most probable category, one-hot.
        size: of the entries of the column of c, which is divided by it; ``(..., 1)``.
        scale: of the row of the sum of all; ``(..., 1)``.
    """

    matrix: torch.Tensor
    first: torch.Tensor
    size: torch.Tensor
    scale: torch.Tensor


def _system(probs: torch.Tensor, s: float, t: float) -> _System:
    r"""Return equations for u and c with v = u + c / s, u being 0 at the most probable category.

    Of v that is all that S needs, and it has a limit where v has none. The unknown c takes the place of u at
    the most probable category; in place of that category's equation stands the sum of all, whose right side
    $\frac s2\sum_iJ_i/(s + 2tp_i)$ has no rounding left in it as s vanishes, since $\sum_iJ_i = 0$. Every
    other equation is divided by $s + tp_i$, which leaves numbers of one size however rare a category is.
    """
    index = probs.argmax(-1, keepdim=True)
    first = one_hot(index[..., 0], probs.shape[-1], dtype=probs.dtype)
    own = s + t * probs
    # Where a category has no share, whatever it is divided by.
    pair = (t * probs)[..., None] + torch.where(own > 0, own, 1.0)[..., None, :]
    weights = probs[..., None, :] / pair
    alone = weights.diagonal(dim1=-2, dim2=-1).clone()
    weights = weights.masked_fill(_eye(probs) > 0, 0.0)
    others = weights.sum(-1)
    sums = others + alone
    relative = _share(probs, own)
    diagonal = others + _share(s * relative, own + t * probs)
    column = _share(sums, own)
    size = column.amax(-1, keepdim=True)
    scale = s * size / sums.sum(-1, keepdim=True)
    row = torch.where(first > 0, 1.0, scale * sums)
    matrix = weights * (-t * relative)[..., None]
    matrix.diagonal(dim1=-2, dim2=-1).copy_(diagonal)
    across = index[..., None, :].expand(*probs.shape, 1)
    matrix = matrix.scatter(-1, across, (column / size)[..., None])
    matrix = matrix.scatter(-2, across.mT, row[..., None, :])
    return _System(matrix, first, size, scale)


def _solve(
    probs: torch.Tensor, s: float, t: float, right: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return u and c of :func:`_system`."""
    system = _system(probs, s, t)
    chosen = system.first[..., None] > 0
    total = (system.scale / 2)[..., None] * right.sum(-2, keepdim=True)
    # The form that reads no error flag: the system has a solution for every p.
    right = torch.where(chosen, total, right)
    found = torch.linalg.solve_ex(system.matrix, right).result
    constant = (system.first[..., None] * found).sum(-2, keepdim=True)
    constant = constant / system.size[..., None]
    return torch.where(chosen, torch.zeros_like(found), found), constant


def _eye(probs: torch.Tensor) -> torch.Tensor:
    size = probs.shape[-1]
    return torch.eye(size, dtype=probs.dtype, device=probs.device)


def _share(part: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """Return part / whole, and the part itself, which is 0, where nothing is there."""
    return part / torch.where(whole > 0, whole, torch.ones_like(whole))
