r"""The unordered-set estimator: a sample without replacement, weighted by the orders that lead to it."""

import math

import torch

from gumbel_tutorial import gumbel, noise
from gumbel_tutorial.arrays import top_k
from gumbel_tutorial.checks import check_count, first_true, refuse
from gumbel_tutorial.estimators.protocol import (
    Losses,
    as_one_hot,
    batch_axes,
    check_arguments,
    evaluate,
    log_prob,
    repeat,
)
from gumbel_tutorial.nn.hard import carry

MOST_SAMPLES = 12


def unordered_set(
    f: Losses,
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    num_samples: int = 2,
) -> torch.Tensor:
    r"""Estimate by $\sum_{s\in S}p(s)R(S,s)\,(f(s) - b_s)\,\nabla\log p(s)$ over a set S of distinct states.

    S is drawn without replacement by Gumbel top-k over the joint states; $R(S,s)$ is the probability to
    complete S after s came first, over the probability of S; and the baseline
    $b_s = \sum_{s'\in S}p(s')R^{\setminus s}(S,s')f(s')$ is the same mean without s in the draw. Every
    remaining mass is a sum over what is left, never one minus what is gone, so nothing cancels.
    Source: Kool, van Hoof and Welling (2020), equation 14; the draw is the stochastic beam search of
    Kool, van Hoof and Welling (2019), which enumerates no states.
    Unbiased. Cost: n evaluations of f, no derivative of f, and $2^n$ cheap steps.

    Args:
        f: samples ``(n, ..., K)`` to losses ``(n, ...)``.
        logits: shape ``(..., K)``.
        generator: draws the set.
        num_samples: n, in 2 ... 12 and at most the number of states; with all states the estimate is exact.

    Returns:
        Unbiased estimates of the mean loss, of the batch shape.

    Raises:
        ValueError: as every estimator; ``num_samples`` below 2, above 12 or above the number of states.

    Examples:
        >>> line = torch.arange(3.0)
        >>> logits = torch.tensor([6.0, 3.0, 1.0]).log()
        >>> value = unordered_set(lambda z: z @ line, logits, num_samples=3)
        >>> round(value.item(), 4)  # exact, since no state is left
        0.5
    """
    logits = check_arguments(logits, generator)
    num_samples = check_count(num_samples, "num_samples", 2)
    if num_samples > MOST_SAMPLES:
        refuse("num_samples", f"be at most {MOST_SAMPLES}", num_samples)
    axes = batch_axes(f, logits)
    size = math.prod(logits.shape[axes:-1])
    variables = logits.detach().reshape(*logits.shape[:axes], size, logits.shape[-1])
    index, log_left = sample_without_replacement(variables, num_samples, generator)
    sample = as_one_hot(index, logits).reshape(num_samples, *logits.shape)
    losses = evaluate(f, sample, several=True)
    joint = log_prob(repeat(logits, num_samples), sample, losses)
    first, second = leave_one_out(joint.detach(), log_left)
    weight = (joint.detach() + first).exp()
    # Entry (s, s') of the square belongs to the baseline of s.
    baseline = ((joint.detach() + second).exp() * losses.detach()).sum(1)
    advantage = weight * (losses.detach() - baseline)
    return carry((weight * losses).sum(0), (advantage * joint).sum(0))


def sample_without_replacement(
    logits: torch.Tensor, num_samples: int, generator: torch.Generator | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw distinct joint states of independent variables, and say what mass is left.

    Variable by variable, each kept prefix hands its perturbed log-probability down to its extensions,
    whose largest it is, and the best prefixes stay.

    Args:
        logits: shape ``(..., N, K)``.
        num_samples: n, at most the number of states.
        generator: draws the noise.

    Returns:
        Categories ``(n, ..., N)``, and the log-probability ``(...)`` of all states that were not drawn.

    Raises:
        ValueError: fewer than n states above probability 0.
    """
    _check_states(logits, num_samples)
    log_probs = logits.log_softmax(-1)
    batch, num_categories = logits.shape[:-2], logits.shape[-1]
    score = perturbed = log_probs.new_zeros(*batch, 1)
    index = torch.zeros(*batch, 1, 0, dtype=torch.long, device=logits.device)
    pruned = []
    for step in log_probs.unbind(-2):
        extended = score[..., None] + step[..., None, :]
        values = _hand_down(perturbed, extended, step[..., None, :], generator)
        kept = top_k(values.flatten(-2), min(num_samples, values.shape[-2:].numel()))
        masses = extended.flatten(-2)
        pruned.append(masses.scatter(-1, kept, -torch.inf).logsumexp(-1))
        score, perturbed = masses.gather(-1, kept), values.flatten(-2).gather(-1, kept)
        parent = (kept // num_categories)[..., None].expand(
            *kept.shape, index.shape[-1]
        )
        index = torch.cat(
            [index.gather(-2, parent), (kept % num_categories)[..., None]], -1
        )
    return index.movedim(-2, 0), torch.stack(pruned).logsumexp(0)


def leave_one_out(
    joint: torch.Tensor, log_left: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Return $\log R(S,s)$ and $\log R^{\setminus s}(S,s')$ for a set drawn without replacement.

    With $h(A)$ the probability that the draw completes S once $A\subseteq S$ is out,
    $h(S) = 1$ and $h(A) = \sum_{s\in S\setminus A}\frac{p(s)}{1 - p(A)}h(A\cup s)$; the ratios are
    $h(s)/h(\emptyset)$ and $h(s, s')/h(s)$, the last 1 for $s' = s$.

    Args:
        joint: log-probabilities of the drawn states, ``(n, ...)``.
        log_left: log-probability of all others, ``(...)``.

    Returns:
        Shapes ``(n, ...)`` and ``(n, n, ...)``.
    """
    num_samples = joint.shape[0]
    everything = (1 << num_samples) - 1
    log_h = {everything: torch.zeros_like(log_left)}
    for out in reversed(range(everything)):
        rest = [s for s in range(num_samples) if not out >> s & 1]
        left = torch.stack([log_left, *(joint[s] for s in rest)]).logsumexp(0)
        paths = torch.stack([joint[s] + log_h[out | 1 << s] for s in rest])
        log_h[out] = paths.logsumexp(0) - left
    singles = [log_h[1 << s] for s in range(num_samples)]
    first = torch.stack([single - log_h[0] for single in singles])
    rows = [
        torch.stack(
            [log_h[1 << s | 1 << other] - single for other in range(num_samples)]
        )
        for s, single in enumerate(singles)
    ]
    return first, torch.stack(rows)


def _check_states(logits: torch.Tensor, num_samples: int) -> None:
    states = (logits > -torch.inf).sum(-1).double().prod(-1)
    few = first_true(states < num_samples)
    if few is not None:
        requirement = f"be at most the {int(states[few])} states"
        refuse("num_samples", requirement, num_samples)


def _hand_down(
    perturbed: torch.Tensor,
    extended: torch.Tensor,
    step: torch.Tensor,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Return Gumbels at the extended log-probabilities, given that their maximum is ``perturbed``."""
    free = noise.gumbel_like(extended, generator=generator)
    winner = (step + noise.gumbel_like(extended, generator=generator)).argmax(-1)
    # A state of probability 0 has no bound to keep and stays at -inf.
    bound = torch.where(
        extended > -torch.inf, perturbed[..., None] - extended, torch.inf
    )
    below = extended + gumbel.below(free, bound)
    return torch.where(as_one_hot(winner, extended) > 0, perturbed[..., None], below)
