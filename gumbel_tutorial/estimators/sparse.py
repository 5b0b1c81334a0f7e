r"""Sparsemax, and the exact sum over its support."""

import math

import torch

from gumbel_tutorial.checks import check_logits, extremes, refuse
from gumbel_tutorial.estimators.enumeration import MOST_STATES, all_digits
from gumbel_tutorial.estimators.protocol import (
    Losses,
    as_one_hot,
    batch_axes,
    check_arguments,
    check_tensor,
    evaluate,
)


def sparsemax(logits: torch.Tensor) -> torch.Tensor:
    r"""Return the point of the simplex that is nearest to the logits.

    $p_k = (\ell_k - c)_+$ with c such that they sum to 1: $c = \frac1m(\sum_{k\le m}\ell_{(k)} - 1)$ over
    the m largest logits, m the last for which $1 + m\ell_{(m)} > \sum_{k\le m}\ell_{(k)}$. On a support S the
    Jacobian is $\mathrm{diag}(1_S) - \frac1m1_S1_S^\top$.
    Source: Martins and Astudillo (2016), algorithm 1.

    Args:
        logits: shape ``(..., K)``.

    Returns:
        Probabilities of the same shape, some of them 0, where their derivative is 0 as well.

    Raises:
        TypeError, ValueError: logits that are no floating tensor, NaN, or +inf or -inf in a whole row.

    Examples:
        >>> sparsemax(torch.tensor([1.0, 0.5, -1.0]))
        tensor([0.7500, 0.2500, 0.0000])
    """
    check_tensor(logits)
    check_logits(logits)
    return _sparsemax(logits)


def _sparsemax(logits: torch.Tensor) -> torch.Tensor:
    fixed = logits.detach()
    ordered = fixed.sort(dim=-1, descending=True).values
    rank = torch.arange(1, fixed.shape[-1] + 1, device=fixed.device, dtype=fixed.dtype)
    kept = 1 + rank * ordered > ordered.cumsum(-1)
    least = torch.where(kept, ordered, torch.inf).amin(-1, keepdim=True)
    inside = fixed >= least
    total = torch.where(inside, logits, 0).sum(-1, keepdim=True)
    level = (total - 1) / inside.sum(-1, keepdim=True)
    return torch.where(inside, logits - level, 0)


def sparse_marginalisation(
    f: Losses, logits: torch.Tensor, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    r"""Return $\sum_zp(z)f(z)$ with $p = \mathrm{sparsemax}(\ell)$ for each variable, and its exact gradient.

    Exact, without variance, for the law that it sums over; that law is not $\mathrm{softmax}(\ell)$, for
    which it is biased. A model that is trained by it has sparsemax for its posterior, and a divergence
    beside the loss must be that of sparsemax too.
    Source: Correia et al. (2020), for one sparsemax per variable.
    Cost: as many evaluations of f as the widest support of the batch asks for, $m^N$ for N variables, which
    falls as the logits grow apart: 1 at the end. Where values cannot be read, as in a graph, all $K^N$.

    Args:
        f: one-hot samples ``(..., K)`` to losses; may be any function of the discrete sample.
        logits: shape ``(..., K)``.
        generator: taken because every estimator takes one; nothing is drawn.

    Returns:
        Losses of the batch shape.

    Raises:
        TypeError, ValueError: as every estimator; more than 16,384 states in the support.

    Examples:
        >>> logits = torch.tensor([1.0, 0.5, -1.0]).requires_grad_()
        >>> loss = sparse_marginalisation(lambda z: z @ torch.arange(3.0), logits)
        >>> loss.backward()
        >>> loss.item(), logits.grad
        (0.25, tensor([-0.5000,  0.5000,  0.0000]))
    """
    logits = check_arguments(logits, generator)
    probs = _sparsemax(logits)
    states = _support(probs.detach(), batch_axes(f, logits))
    losses = evaluate(f, states, several=True)
    each = (states * probs).sum(-1)
    joint = each.flatten(losses.ndim).prod(-1) if each.ndim > losses.ndim else each
    return (joint * torch.where(joint > 0, losses, 0)).sum(0)


def _support(probs: torch.Tensor, batch_ndim: int) -> torch.Tensor:
    """Return one-hot states that hold the support of every row, ``(states, *probs.shape)``."""
    width = _widest(probs)
    categories = probs.topk(width, dim=-1).indices
    variables = probs.shape[batch_ndim:-1]
    count = width ** math.prod(variables)
    if count > MOST_STATES:
        refuse("logits", f"have a support of at most {MOST_STATES} states", count)
    digits = all_digits(width, variables, probs.device)
    ones = (1 for _ in range(batch_ndim))
    digits = digits.reshape(count, *ones, *variables, 1)
    digits = digits.expand(count, *probs.shape[:-1], 1)
    categories = categories.expand(count, *categories.shape)
    return as_one_hot(categories.gather(-1, digits)[..., 0], probs)


def _widest(probs: torch.Tensor) -> int:
    """Return the most categories above 0 in a row, or all where values cannot be read."""
    found = extremes((probs > 0).sum(-1))
    return probs.shape[-1] if found is None else int(found[1])
