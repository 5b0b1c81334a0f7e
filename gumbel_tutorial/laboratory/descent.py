r"""Descent by estimated gradients, every step at one price in evaluations of f."""

import torch

from gumbel_tutorial.checks import check_count, refuse
from gumbel_tutorial.estimators.protocol import Estimator, Losses
from gumbel_tutorial.laboratory.measurement import gradients


def affordable(budget: float, counts: tuple[int, int], backward: float) -> int:
    """Return how many estimates a budget of evaluations buys, 0 if none.

    Args:
        budget: evaluations of f.
        counts: evaluations of f and of its slope that one estimate asks for, as
            :func:`~gumbel_tutorial.laboratory.measurement.count_evaluations` finds them.
        backward: what a slope costs, in evaluations.

    Examples:
        >>> affordable(32, (1, 1), backward=1), affordable(32, (3, 2), backward=2)
        (16, 4)
    """
    values, slopes = counts
    return int(budget // (values + backward * slopes))


def descend(
    estimator: str | Estimator,
    f: Losses,
    logits: torch.Tensor,
    rates: torch.Tensor,
    num_steps: int,
    *,
    num_draws: int = 1,
    generator: torch.Generator | None,
) -> torch.Tensor:
    r"""Return the logits along gradient descent, $\ell\leftarrow\ell-s\,\bar g$, for every rate s at once.

    $\bar g$ is the mean of independent estimates; rates share no draw.

    Args:
        estimator: as in :func:`~gumbel_tutorial.laboratory.measurement.gradients`.
        f: samples to losses.
        logits: where all start.
        rates: $s > 0$, any shape ``(...)``.
        num_steps: how many steps.
        num_draws: how many estimates a step takes the mean of.
        generator: draws them; None takes torch's default generator.

    Returns:
        Shape ``(num_steps + 1, ..., *logits.shape)``, the start first.

    Raises:
        ValueError: a rate that is not positive; as :func:`~gumbel_tutorial.laboratory.measurement.gradients`.

    Examples:
        >>> rates = torch.tensor([0.5, 1.0])
        >>> path = descend("exact", lambda z: z[..., 0], torch.zeros(2), rates, 3, generator=None)
        >>> path.shape, bool((path[-1, :, 0] < 0).all())
        (torch.Size([4, 2, 2]), True)
    """
    num_steps = check_count(num_steps, "num_steps", 0)
    if not bool((rates > 0).all()):
        refuse("rates", "be positive", rates.min().item())
    at = logits.detach().expand(*rates.shape, *logits.shape)
    steps = rates.reshape(*rates.shape, *(1 for _ in logits.shape))
    path = [at]
    for _ in range(num_steps):
        drawn = gradients(estimator, f, path[-1], num_draws, generator=generator)
        path.append(path[-1] - steps * drawn.mean(0))
    return torch.stack(path)
