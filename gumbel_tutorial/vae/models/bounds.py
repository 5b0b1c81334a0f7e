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

from gumbel_tutorial import categorical, concrete
from gumbel_tutorial.arrays import log_softmax
from gumbel_tutorial.checks import (
    check_count,
    check_finite,
    check_logits,
    check_no_nan,
    first_true,
    none_is_true,
    refuse,
)
from gumbel_tutorial.nn.plain import is_watched
from gumbel_tutorial.vae.data.images import check_pixels

# The exponential of what lies below is 0 in every dtype.
_NEVER = -1e4


def categorical_kl(
    logits: torch.Tensor, prior_logits: torch.Tensor | None = None
) -> torch.Tensor:
    r"""Return $\mathrm{KL}(q(z\mid x) \,\|\, p(z))$, exact.

    $\sum_n \big(\log K - H(\mathrm{softmax}(\ell_n))\big)$ for the uniform prior, between 0 and $N \log K$.
    A category that q excludes counts nothing; one that the prior alone excludes makes it +inf.

    Args:
        logits: logits of q, shape ``(..., N, K)``; -inf excludes a category.
        prior_logits: logits of p, shape ``(N, K)``; None is the uniform prior.

    Returns:
        Shape ``(...)``.

    Raises:
        TypeError, ValueError: logits that are +inf or NaN, or leave a row no category.

    Examples:
        >>> categorical_kl(torch.zeros(5, 3, 4)).tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    _check_laws(logits, prior_logits)
    return divergence(logits, prior_logits)


def divergence(logits: torch.Tensor, prior_logits: torch.Tensor | None) -> torch.Tensor:
    """Return :func:`categorical_kl`; nothing is checked."""
    if prior_logits is None and logits.requires_grad and not is_watched():
        return _FromUniform.apply(logits)
    log_p = _log_prior(logits, prior_logits)
    return categorical.divergence(log_softmax(logits), log_p).sum(-1)


class _FromUniform(torch.autograd.Function):
    r"""The divergence from the uniform prior; its derivative is $q_i\,(\log q_i - \log p_i - \mathrm{KL}_n)$.

    One node of the graph, and three operations in its backward pass, where the formula would make twenty.
    """

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor) -> torch.Tensor:
        parts = _against_uniform(logits)
        ctx.save_for_backward(logits, *parts)
        return parts[-1].sum((-1, -2))

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> torch.Tensor:
        logits, *parts = ctx.saved_tensors
        # Where a second derivative is asked for, the first has to be a function of the logits.
        again = torch.is_grad_enabled()
        probs, ratio, each = _against_uniform(logits) if again else parts
        return (ratio - each) * probs * slope[..., None, None]


def _against_uniform(
    logits: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return probabilities, their log-ratios to uniform ones, and the divergence of every variable."""
    log_q = log_softmax(logits)
    probs = log_q.exp()
    # So far below, a category has probability 0 and no part, and 0 * -inf is not meant.
    ratio = (log_q - _log_prior(logits, None)).clamp(min=_NEVER)
    return probs, ratio, (probs * ratio).sum(-1, keepdim=True)


def _check_laws(logits: torch.Tensor, prior_logits: torch.Tensor | None) -> None:
    check_logits(logits)
    if prior_logits is not None:
        check_logits(prior_logits, "prior_logits")


def _log_prior(
    logits: torch.Tensor, prior_logits: torch.Tensor | None
) -> torch.Tensor | float:
    if prior_logits is None:
        return -math.log(logits.shape[-1])
    return log_softmax(prior_logits)


def plug_in_kl(
    codes: torch.Tensor, logits: torch.Tensor, prior_logits: torch.Tensor | None = None
) -> torch.Tensor:
    r"""Return $\sum_n z_n^\top\big(\log q_n - \log p_n\big)$, the discrete log-ratio at a code.

    At one-hot codes drawn from q its mean is the divergence. At relaxed codes it is the log-ratio of no two
    densities, and its mean may lie on either side. A category that the code does not touch counts nothing;
    one that it touches although q excludes it makes the ratio -inf.
    Source: Maddison, Mnih and Teh (2017), equation 21.

    Args:
        codes: one-hot or relaxed, shape ``(..., N, K)``.
        logits: logits of q, of a shape that broadcasts with it; -inf excludes a category.
        prior_logits: logits of p, shape ``(N, K)``; None is the uniform prior.

    Returns:
        Shape ``(...)``.

    Raises:
        TypeError, ValueError: as :func:`categorical_kl`.

    Examples:
        >>> certain = torch.tensor([[0.0, -torch.inf]])
        >>> round(plug_in_kl(torch.tensor([[1.0, 0.0]]), certain).item(), 4)  # log 2
        0.6931
    """
    _check_laws(logits, prior_logits)
    return log_ratio(codes, logits, prior_logits)


def log_ratio(
    codes: torch.Tensor, logits: torch.Tensor, prior_logits: torch.Tensor | None
) -> torch.Tensor:
    """Return :func:`plug_in_kl`; nothing is checked."""
    log_q = log_softmax(logits)
    ratio = log_q - _log_prior(logits, prior_logits)
    # Excluded by both: no such code can be drawn, whatever the prior says.
    ratio = torch.where(log_q > -torch.inf, ratio, -torch.inf)
    # A finite ratio keeps its place in the gradient of a code that is 0 there.
    counted = torch.where((codes == 0) & ratio.isinf(), 0.0, ratio)
    return (codes * counted).sum((-1, -2))


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
        log_codes: $\log y$ of relaxed codes drawn from q at ``temperature``, finite, shape ``(..., N, K)``.
        logits: logits of q, finite, of a shape that broadcasts with it. A law that excludes a category lives
            on a face of the simplex, where the density of the other law is no density.
        temperature: $\tau > 0$.
        prior_logits: logits of p, finite, shape ``(N, K)``; None is the uniform prior.
        prior_temperature: $\tau' > 0$; None is $\tau$.

    Returns:
        Shape ``(...)``.

    Raises:
        TypeError, ValueError: an entry that is not finite, codes off the simplex, a temperature that is not
            positive, shapes that do not match.

    Examples:
        >>> relaxed_kl(torch.tensor([[-0.5, -0.9328]]), torch.zeros(1, 2), 0.5).item()
        0.0
    """
    for name, value in (
        *(("log_codes", log_codes), ("logits", logits)),
        *(() if prior_logits is None else (("prior_logits", prior_logits),)),
    ):
        check_finite(value, name)
    prior = torch.zeros_like(logits) if prior_logits is None else prior_logits
    if prior_temperature is None:
        prior_temperature = temperature
    own = concrete.log_density_in_log_space(log_codes, logits, temperature)
    other = concrete.log_density_in_log_space(log_codes, prior, prior_temperature)
    return (own - other).sum(-1)


def reconstruction_loss(
    pixel_logits: torch.Tensor, images: torch.Tensor
) -> torch.Tensor:
    r"""Return $-\log p(x \mid z)$ for independent Bernoulli pixels, never negative.

    A pixel that is certain costs 0 where the image agrees, and +inf where it does not. Of grey pixels it is
    the cross-entropy: the mean loss of binary images drawn from the grey levels. Its least value is the
    entropy of that draw, not 0, and it is no $-\log p$ of the grey image under any law: that asks for
    the constant of the continuous Bernoulli law, Loaiza-Ganem and Cunningham (2019).

    Args:
        pixel_logits: logits of the pixels, infinite ones included, shape ``(..., num_pixels)``.
        images: the pixels, in [0, 1], of a shape that broadcasts with it.

    Returns:
        The broadcast batch shape.

    Raises:
        TypeError: pixels of no floating dtype.
        ValueError: another number of pixels than of their logits; a pixel outside [0, 1] or NaN.

    Examples:
        >>> reconstruction_loss(torch.tensor([torch.inf, -torch.inf]), torch.tensor([1.0, 0.0])).item()
        0.0
    """
    check_pixels(images, pixel_logits.shape[-1])
    return bernoulli_loss(pixel_logits, images)


def bernoulli_loss(pixel_logits: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Return :func:`reconstruction_loss`; nothing is checked."""
    logits, targets = torch.broadcast_tensors(pixel_logits, images)
    losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    total = losses.sum(-1)
    if none_is_true(total.isnan()):
        return total
    # At an infinite logit torch's formula reads inf - inf, or 0 * inf.
    at_infinity = torch.where(targets == (logits > 0), 0.0, torch.inf)
    return torch.where(logits.isinf(), at_infinity, losses).sum(-1)


def negative_bound(
    pixel_logits: torch.Tensor, images: torch.Tensor, logits: torch.Tensor
) -> torch.Tensor:
    r"""Return $-\log p(x \mid z) + \mathrm{KL}(q(z\mid x) \,\|\, p(z))$, one sample of the negative bound.

    With one-hot codes drawn from q its expectation is at least $-\log p(x)$. With relaxed codes it is a
    number to train on, and no bound.

    Args:
        pixel_logits: logits of the pixels given the codes, shape ``(..., num_pixels)``.
        images: the pixels, in [0, 1].
        logits: logits of q, shape ``(..., N, K)``; -inf excludes a category.

    Returns:
        Shape ``(...)``.

    Raises:
        TypeError, ValueError: as :func:`reconstruction_loss` and :func:`categorical_kl`.

    Examples:
        >>> round(negative_bound(torch.zeros(3), torch.ones(3), torch.zeros(2, 4)).item(), 4)  # 3 log 2
        2.0794
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
        ValueError: a count below 1, another number of log-weights than was asked for, or one that is +inf or
            NaN.

    Examples:
        >>> one, many = multi_sample_bound(lambda n: torch.full((n, 2), -3.0), 1000)
        >>> one.tolist(), many.round(decimals=6).tolist()
        ([3.0, 3.0], [3.0, 3.0])
    """
    left = check_count(num_samples, "num_samples", 1)
    at_once = check_count(at_once, "at_once", 1)
    sums, log_sums = [], []
    while left > 0:
        asked = min(left, at_once)
        weights = log_weights(asked).double()
        if len(weights) != asked:
            refuse("log_weights", f"return {asked} samples", len(weights))
        if first_true(~(weights < math.inf)) is not None:
            check_no_nan(weights, "log_weights")
            refuse("log_weights", "be below +inf", "inf")
        sums.append(weights.sum(0))
        log_sums.append(weights.logsumexp(0))
        left -= len(weights)
    total, log_total = torch.stack(sums).sum(0), torch.stack(log_sums).logsumexp(0)
    return -total / num_samples, math.log(num_samples) - log_total
