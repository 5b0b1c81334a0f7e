r"""The exact gradient, by enumeration."""

import math

import torch

from gumbel_tutorial.checks import refuse
from gumbel_tutorial.estimators.protocol import (
    Losses,
    as_one_hot,
    batch_axes,
    check_arguments,
    evaluate,
    log_prob,
)

MOST_STATES = 2**14


def exact(
    f: Losses, logits: torch.Tensor, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    r"""Return $\mathbb E[f(z)] = \sum_z p(z) f(z)$ over all states, with its exact gradient.

    Unbiased, without variance. Cost: $K^N$ evaluations of f for N variables of K categories, at once.

    Args:
        f: one-hot samples ``(..., K)`` to losses.
        logits: shape ``(..., K)``.
        generator: taken because every estimator takes one; nothing is drawn.

    Returns:
        Losses of the batch shape.

    Raises:
        TypeError, ValueError: as every estimator; more than 16,384 states.

    Examples:
        >>> logits = torch.tensor([6.0, 3.0, 1.0]).log()
        >>> round(exact(lambda z: z @ torch.arange(3.0), logits).item(), 4)
        0.5
    """
    logits = check_arguments(logits, generator)
    batch_ndim = batch_axes(f, logits)
    states = _all_states(logits, batch_ndim)
    losses = evaluate(f, states, several=True)
    probs = log_prob(logits, states, losses).exp()
    # A state of probability 0 counts nothing, whatever is lost there.
    return (probs * torch.where(probs > 0, losses, 0)).sum(0)


def _all_states(logits: torch.Tensor, batch_ndim: int) -> torch.Tensor:
    """Return every one-hot state of the variables, ``(states, *logits.shape)``."""
    variables, num_categories = logits.shape[batch_ndim:-1], logits.shape[-1]
    count = num_categories ** math.prod(variables)
    if count > MOST_STATES:
        refuse("logits", f"have at most {MOST_STATES} states", count)
    index = all_digits(num_categories, variables, logits.device)
    states = as_one_hot(index, logits).reshape(
        count, *(1 for _ in range(batch_ndim)), *logits.shape[batch_ndim:]
    )
    return states.expand(count, *logits.shape).contiguous()


def all_digits(
    base: int, variables: tuple[int, ...], device: torch.device
) -> torch.Tensor:
    """Return every number of a base, its digits one for each variable: ``(base ** N, N)``."""
    size = math.prod(variables)
    number = torch.arange(base**size, device=device)
    digits = []
    for _ in range(size):
        digits.append(number % base)
        number = number // base
    return torch.stack(digits, -1) if digits else number[:, None][:, :0]
