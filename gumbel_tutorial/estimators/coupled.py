r"""Coupled pairs for categorical variables: DisARM with any number of categories."""

import torch

from gumbel_tutorial import noise
from gumbel_tutorial.estimators.protocol import (
    Losses,
    along,
    as_one_hot,
    check_arguments,
    evaluate,
    per_variable,
)
from gumbel_tutorial.nn.hard import carry


def categorical_disarm(
    f: Losses, logits: torch.Tensor, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    r"""Estimate by $\frac12w\,(f(z) - f(\tilde z))\,(z - \tilde z)$ from an antithetic pair.

    The categories are sticks broken in ascending order of probability: with
    $\theta_i = \pi_i/\sum_{j\ge i}\pi_j$ the sample is the first i for which $u_i < \theta_i$, its partner
    the first for which $1 - u_i < \theta_i$. Leave-one-out of two would want them independent; the ratio of
    the two joint probabilities is $w = (1 - \theta_a)\prod_{i<a}\frac{(1 - \theta_i)^2}{1 - 2\theta_i}$, a
    the first of the two in that order. For each variable the weight is its own.
    Source: Dong, Mnih and Tucker (2021), DisARM by importance weights with the stick-breaking coupling; their
    code lets one choose the order. In the ascending one every pair of different categories can come up, as
    $\theta_i \le \frac13$ wherever $1 - 2\theta_i$ is divided by, and of two categories this is
    :func:`~gumbel_tutorial.estimators.antithetic.disarm`.
    Unbiased. Cost: two evaluations of f, no derivative of f, whatever the number of variables.

    Args:
        f: one-hot samples ``(..., K)`` to losses; may be any function of the discrete sample.
        logits: shape ``(..., K)``.
        generator: draws u.

    Returns:
        Mean losses of the pair, of the batch shape.

    Examples:
        >>> categorical_disarm(lambda z: z[..., 0], torch.zeros(5, 3)).shape
        torch.Size([5])
    """
    logits = check_arguments(logits, generator)
    probs, order = logits.detach().softmax(-1).sort(dim=-1)
    sticks = probs / probs.flip(-1).cumsum(-1).flip(-1)
    first, second = _pair(sticks, generator)
    weight = _weight(sticks, first, second)
    pair = [
        as_one_hot(order.gather(-1, place[..., None])[..., 0], logits)
        for place in (first, second)
    ]
    losses = evaluate(f, torch.stack(pair), several=True)
    gap = per_variable((losses[0] - losses[1]).detach(), logits)
    slope = gap * (weight / 2)[..., None] * (pair[0] - pair[1])
    return carry(losses.mean(0), along(slope, logits, losses[0]))


def _pair(
    sticks: torch.Tensor, generator: torch.Generator | None
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Return the places of the two first broken sticks.

    The last stick breaks of itself. The others compare $E = -\log(1 - u)$ with $-\log(1 - \theta)$ and
    $-\log\theta$, which keep their digits at both ends.
    """
    free = sticks[..., :-1]
    exponential = (-noise.gumbel_like(free, generator=generator)).exp()
    broken = exponential < -torch.log1p(-free), exponential > -free.log()
    first, second = ((each.cumsum(-1) == 0).sum(-1) for each in broken)
    return first, second


def _weight(
    sticks: torch.Tensor, first: torch.Tensor, second: torch.Tensor
) -> torch.Tensor:
    """Return the ratio of independent to coupled probability; of equal places it is not used."""
    place = torch.minimum(first, second)
    before = torch.arange(sticks.shape[-1], device=sticks.device) < place[..., None]
    before = before & (first != second)[..., None]
    kept = torch.where(before, sticks, torch.zeros_like(sticks))
    ratio = (1 - kept).square() / (1 - 2 * kept)
    return ratio.prod(-1) * (1 - sticks.gather(-1, place[..., None])[..., 0])
