"""Losses and bounds of models with discrete codes, in nats.

Three numbers can stand for the divergence from the prior while codes are relaxed: the exact one of the
discrete laws, the plug-in, which reads the discrete log-ratio off a relaxed code, and the log-ratio of the
relaxed densities. Only the last makes, with the reconstruction at the same relaxed code, a bound on the
evidence, and that of the relaxed model. With one-hot codes the first two bound that of the discrete one.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from gumbel_tutorial import concrete
from gumbel_tutorial.checks import check_count


def categorical_kl(
    logits: torch.Tensor, prior_logits: torch.Tensor | None = None
) -> torch.Tensor:
    r"""Return $\mathrm{KL}(q(z\mid x) \,\|\, p(z))$, exact.

    $\sum_n \big(\log K - H(\mathrm{softmax}(\ell_n))\big)$ for the uniform prior, between 0 and $N \log K$.

    Args:
        logits: of q, shape ``(..., N, K)``.
        prior_logits: of p, shape ``(N, K)``; None is the uniform prior.

    Returns:
        Shape ``(...)``.

    Examples:
        >>> categorical_kl(torch.zeros(5, 3, 4)).tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    log_q = _log_probs(logits)
    ratio = log_q - _log_prior(logits, prior_logits)
    # A category that q excludes counts nothing, not 0 * -inf.
    counted = torch.where(log_q > -torch.inf, ratio, 0.0)
    return (log_q.exp() * counted).sum((-1, -2))


def _log_probs(logits: torch.Tensor) -> torch.Tensor:
    # On a CPU torch's log_softmax takes three times as long for short rows. A log-probability near 0 loses
    # digits here, which a sum with the others does not show.
    return logits - logits.logsumexp(-1, keepdim=True)


def _log_prior(
    logits: torch.Tensor, prior_logits: torch.Tensor | None
) -> torch.Tensor | float:
    if prior_logits is None:
        return -math.log(logits.shape[-1])
    return _log_probs(prior_logits)


def plug_in_kl(
    codes: torch.Tensor, logits: torch.Tensor, prior_logits: torch.Tensor | None = None
) -> torch.Tensor:
    r"""Return $\sum_n z_n^\top\big(\log q_n - \log p_n\big)$, the discrete log-ratio at a code.

    At one-hot codes drawn from q its mean is the divergence. At relaxed codes it is the log-ratio of no two
    densities, and its mean may lie on either side.
    Source: Maddison, Mnih and Teh (2017), equation 21.

    Args:
        codes: one-hot or relaxed, shape ``(..., N, K)``.
        logits: of q, finite, of a shape that broadcasts with it.
        prior_logits: of p, shape ``(N, K)``; None is the uniform prior.

    Returns:
        Shape ``(...)``.
    """
    ratio = _log_probs(logits) - _log_prior(logits, prior_logits)
    return (codes * ratio).sum((-1, -2))


def relaxed_kl(
    log_codes: torch.Tensor,
    logits: torch.Tensor,
    temperature: Any,
    *,
    prior_logits: torch.Tensor | None = None,
    prior_temperature: Any = None,
) -> torch.Tensor:
    r"""Return $\log q_\tau(y) - \log p_{\tau'}(y)$, one sample of the divergence of the relaxed laws.

    With $-\log p(x\mid y)$ at the same y its mean is at least $-\log\int p_{\tau'}(y)\,p(x\mid y)\,dy$.
    Source: Maddison, Mnih and Teh (2017), equation 20.

    Args:
        log_codes: $\log y$ of relaxed codes drawn from q at ``temperature``, shape ``(..., N, K)``.
        logits: of q, of a shape that broadcasts with it.
        temperature: $\tau > 0$.
        prior_logits: of p, shape ``(N, K)``; None is the uniform prior.
        prior_temperature: $\tau' > 0$; None is $\tau$.

    Returns:
        Shape ``(...)``.
    """
    prior = torch.zeros_like(logits) if prior_logits is None else prior_logits
    if prior_temperature is None:
        prior_temperature = temperature
    own = concrete.log_density_in_log_space(log_codes, logits, temperature)
    other = concrete.log_density_in_log_space(log_codes, prior, prior_temperature)
    return (own - other).sum(-1)


def reconstruction_loss(
    pixel_logits: torch.Tensor, images: torch.Tensor
) -> torch.Tensor:
    r"""Return $-\log p(x \mid z)$ for independent Bernoulli pixels.

    Args:
        pixel_logits: of the pixels, shape ``(..., num_pixels)``.
        images: the pixels, in [0, 1], of a shape that broadcasts with it.

    Returns:
        The broadcast batch shape.
    """
    logits, targets = torch.broadcast_tensors(pixel_logits, images)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(-1)


def negative_bound(
    pixel_logits: torch.Tensor, images: torch.Tensor, logits: torch.Tensor
) -> torch.Tensor:
    r"""Return $-\log p(x \mid z) + \mathrm{KL}(q(z\mid x) \,\|\, p(z))$, one sample of the negative bound.

    With one-hot codes drawn from q its expectation is at least $-\log p(x)$. With relaxed codes it is a
    number to train on, and no bound.

    Args:
        pixel_logits: of the pixels given the codes, shape ``(..., num_pixels)``.
        images: the pixels, in [0, 1].
        logits: of q, shape ``(..., N, K)``.

    Returns:
        Shape ``(...)``.
    """
    return reconstruction_loss(pixel_logits, images) + categorical_kl(logits)


def multi_sample_bound(
    log_weights: Callable[[int], torch.Tensor], num_samples: int, *, at_once: int = 50
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Return the negative bounds of one and of m samples, streamed.

    $-\frac1m\sum_i\log w_i$ and $-\log\frac1m\sum_i w_i$ with $w_i = p(x, z_i)/q(z_i\mid x)$ at discrete
    codes. The second never exceeds the first, and its mean falls with m to $-\log p(x)$.
    Source: Burda, Grosse and Salakhutdinov (2016), equation 8.

    Args:
        log_weights: n to fresh log-weights of n samples, shape ``(n, ...)``.
        num_samples: m, at least 1.
        at_once: the largest n to ask for, at least 1, so that memory does not grow with m.

    Returns:
        Two of shape ``(...)``.

    Raises:
        ValueError: a count below 1, or another number of log-weights than was asked for.
    """
    left = check_count(num_samples, "num_samples", 1)
    at_once = check_count(at_once, "at_once", 1)
    sums, log_sums = [], []
    while left > 0:
        asked = min(left, at_once)
        weights = log_weights(asked).double()
        if len(weights) != asked:
            raise ValueError(
                f"log_weights must return {asked} samples, got {len(weights)}"
            )
        sums.append(weights.sum(0))
        log_sums.append(weights.logsumexp(0))
        left -= len(weights)
    total, log_total = torch.stack(sums).sum(0), torch.stack(log_sums).logsumexp(0)
    return -total / num_samples, math.log(num_samples) - log_total
