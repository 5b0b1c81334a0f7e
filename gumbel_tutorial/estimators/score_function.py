r"""Score function estimators: the loss times the gradient of the log-probability of the sample."""

import math

import torch

from gumbel_tutorial.arrays import to_widest
from gumbel_tutorial.checks import check_broadcasts_to, check_count, refuse
from gumbel_tutorial.estimators.protocol import (
    Losses,
    check_arguments,
    draw,
    evaluate,
    log_prob,
    repeat,
)
from gumbel_tutorial.nn.hard import carry


class MovingAverage:
    r"""A baseline that remembers past losses: $b \leftarrow d\,b + (1 - d)\,\bar f$.

    It is read before the current losses enter, so that it stays independent of them. The first
    batch meets a baseline of 0, and sets the average to its mean.

    Args:
        decay: d, in (0, 1).

    Examples:
        >>> average = MovingAverage(decay=0.5)
        >>> average.read_and_update(torch.tensor([4.0, 2.0]))
        tensor(0.)
        >>> average.read_and_update(torch.tensor([5.0]))
        tensor(3.)
    """

    def __init__(self, decay: float = 0.9) -> None:
        if not 0 < decay < 1:
            refuse("decay", "lie in (0, 1)", decay)
        self.decay = decay
        self.value: torch.Tensor | None = None

    def read_and_update(self, losses: torch.Tensor) -> torch.Tensor:
        """Return the baseline for these losses, then let them in."""
        value = losses.new_zeros(()) if self.value is None else self.value.to(losses)
        if losses.numel() > 0:
            # In double precision: a slow average moves by less than a half can hold.
            mean = to_widest(losses.detach()).mean()
            before = mean if self.value is None else self.value
            self.value = _keep(self.decay * before + (1 - self.decay) * mean)
        return value


def _keep(mean: torch.Tensor) -> torch.Tensor:
    """Return a mean that outlives the transform of ``torch.func`` that it was computed in."""
    if torch.compiler.is_compiling():
        return mean
    kept = torch.func.debug_unwrap(mean)
    if kept.shape != mean.shape:
        requirement = "not be a MovingAverage under torch.func.vmap"
        refuse("baseline", requirement, f"a mean for each of {len(kept)} rows")
    return kept


def reinforce(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    baseline: float | torch.Tensor | MovingAverage = 0.0,
) -> torch.Tensor:
    r"""Estimate the gradient by $(f(z) - b)\,\nabla\log p(z)$.

    Source: Williams (1992); with a moving average as b, Mnih and Gregor (2014), section 2.3.
    Unbiased for every b that does not depend on z. Cost: one evaluation of f, no derivative of f.

    Args:
        f: samples ``(..., K)`` to losses; may be any function of the discrete sample.
        logits: shape ``(..., K)``.
        generator: draws the sample.
        baseline: b, a number, a tensor that broadcasts to the losses, or a :class:`MovingAverage`.

    Returns:
        Losses of the batch shape.

    Examples:
        >>> logits = torch.zeros(5, 3, requires_grad=True)
        >>> loss = reinforce(lambda z: z[..., 0], logits, baseline=1 / 3)
        >>> loss.mean().backward()
        >>> logits.grad.shape
        torch.Size([5, 3])
    """
    logits = check_arguments(logits, generator)
    sample = draw(logits, generator)
    losses = evaluate(f, sample)
    if isinstance(baseline, MovingAverage):
        baseline = baseline.read_and_update(losses)
    if isinstance(baseline, torch.Tensor):
        check_broadcasts_to(baseline, "baseline", losses)
    advantage = (losses - baseline).detach()
    return carry(losses, advantage * log_prob(logits, sample, losses))


def reinforce_moving_average(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    baseline: MovingAverage,
) -> torch.Tensor:
    """Estimate as :func:`reinforce` with a moving average for the baseline, which is required.

    Source: Mnih and Gregor (2014), section 2.3. Unbiased. Cost: one evaluation of f, no derivative of f.

    Args:
        f: samples ``(..., K)`` to losses; may be any function of the discrete sample.
        logits: shape ``(..., K)``.
        generator: draws the sample.
        baseline: is read, then takes the losses in.

    Returns:
        Losses of the batch shape.

    Examples:
        >>> average = MovingAverage()
        >>> def f(z):
        ...     return 2 * z.sum(-1)
        >>> loss = reinforce_moving_average(f, torch.zeros(5, 3), baseline=average)
        >>> average.value.item()
        2.0
    """
    if not isinstance(baseline, MovingAverage):
        refuse("baseline", "be a MovingAverage", type(baseline).__name__, TypeError)
    return reinforce(f, logits, generator=generator, baseline=baseline)


def rloo(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    num_samples: int = 2,
) -> torch.Tensor:
    r"""Estimate by $\frac1n\sum_i\big(f(z_i) - \frac{1}{n-1}\sum_{j\neq i} f(z_j)\big)\nabla\log p(z_i)$.

    This is what the training of language models runs: n answers to one prompt, f the negative reward of
    each. It is $\frac n{n-1}$ times GRPO without its division by the standard deviation, since f less the
    mean of the others is that multiple of f less the mean of all; with the division the mean is in general
    no multiple of the gradient, which chapter 9 proves.
    Source: Kool, van Hoof and Welling (2019), equation 8; Salimans and Knowles (2014); for language models
    Ahmadian et al. (2024), and GRPO is of Shao et al. (2024).
    Unbiased. Cost: n evaluations of f, no derivative of f.

    Args:
        f: samples ``(n, ..., K)`` to losses ``(n, ...)``.
        logits: shape ``(..., K)``.
        generator: draws the samples.
        num_samples: n, at least 2.

    Returns:
        Mean losses of the batch shape.

    Raises:
        ValueError: as every estimator; ``num_samples`` below 2.

    Examples:
        >>> rloo(lambda z: z[..., 0], torch.zeros(5, 3), num_samples=4).shape
        torch.Size([5])
    """
    logits = check_arguments(logits, generator)
    num_samples = check_count(num_samples, "num_samples", 2)
    logits = repeat(logits, num_samples)
    sample = draw(logits, generator)
    losses = evaluate(f, sample, several=True)
    advantage = less_others(losses)
    return carry(losses, advantage * log_prob(logits, sample, losses)).mean(0)


def less_others(losses: torch.Tensor) -> torch.Tensor:
    """Return each loss less the mean of the others along the first axis, cut off; nothing is checked."""
    num_samples = losses.shape[0]
    # That is a multiple of each less the mean of all.
    return (losses - losses.mean(0)).detach() * num_samples / (num_samples - 1)


def vimco(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    num_samples: int = 2,
) -> torch.Tensor:
    r"""Estimate the gradient of the multi-sample bound $-\mathbb E\big[\log\frac1n\sum_i e^{-f(z_i)}\big]$.

    Here f is a negative log-weight, $-\log\frac{p(x,z)}{q(z|x)}$. Sample i learns from how much the bound
    falls when its log-weight is replaced by the mean of the others'.
    Source: Mnih and Rezende (2016), equations 9 and 10.
    Unbiased for the multi-sample bound, not for $\mathbb E[f]$. Cost: n evaluations of f, no derivative.

    Args:
        f: samples ``(n, ..., K)`` to negative log-weights ``(n, ...)``.
        logits: shape ``(..., K)``.
        generator: draws the samples.
        num_samples: n, at least 2.

    Returns:
        The negative bound, of the batch shape.

    Raises:
        ValueError: as every estimator; ``num_samples`` below 2.

    Examples:
        >>> vimco(lambda z: z[..., 0], torch.zeros(5, 3), num_samples=4).shape
        torch.Size([5])
    """
    logits = check_arguments(logits, generator)
    num_samples = check_count(num_samples, "num_samples", 2)
    logits = repeat(logits, num_samples)
    sample = draw(logits, generator)
    losses = evaluate(f, sample, several=True)
    bound = _multi_sample_bound(losses)
    others = (losses.sum(0) - losses) / (num_samples - 1)
    # Row i of the square has the i-th loss replaced, so that sample i does not enter its baseline.
    diagonal = torch.eye(num_samples, dtype=torch.bool, device=losses.device)
    diagonal = diagonal.reshape(
        num_samples, num_samples, *(1 for _ in losses.shape[1:])
    )
    without = _multi_sample_bound(torch.where(diagonal, others, losses).transpose(0, 1))
    advantage = (bound - without).detach()
    return carry(bound, (advantage * log_prob(logits, sample, losses)).sum(0))


def _multi_sample_bound(losses: torch.Tensor) -> torch.Tensor:
    r"""Return $-\log\frac1n\sum_i e^{-f_i}$ over the first axis."""
    return math.log(losses.shape[0]) - (-losses).logsumexp(0)
