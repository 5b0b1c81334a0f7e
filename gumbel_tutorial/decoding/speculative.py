r"""Speculative decoding: a cheap law drafts a token, and an accept or a second draw makes it the target's.

Draw x from the draft q, accept it with probability $\min(1, p_x/q_x)$, and otherwise draw from the residual
$r_i \propto \max(p_i - q_i, 0)$: the result has the law p, and the draft is accepted with probability
$1 - \mathrm{TV}(p, q)$. Source: Leviathan, Kalman and Matias (2023); Chen et al. (2023).
"""

from typing import Any

from gumbel_tutorial.arrays import (
    Array,
    argmax,
    log_softmax,
    namespace,
    one_hot,
    quiet,
    row_maxima,
    take_along,
    to_widest,
)
from gumbel_tutorial.checks import (
    check_batch,
    check_logits,
    check_noise,
    check_open_unit_interval,
    check_same_categories,
)


@quiet
def speculative_step(
    draft_logits: Array,
    logits: Array,
    noise: Array,
    uniform: Array,
    *,
    residual_noise: Array | None = None,
) -> tuple[Array, Array]:
    r"""Return a draw from $p = \mathrm{softmax}(\ell)$, and whether it is the draft's.

    The draft is $x = \arg\max_i(\log q_i + G_i)$. The noise that drew it must not draw the residual: where
    x was rejected, the others lost against it. What they lost by is new noise, though. With
    $E_i = e^{-G_i}$ the race of the draft is $E_i/q_i$, and given its winner the excesses
    $E'_i = E_i - q_i E_x/q_x$, $i \ne x$, are independent standard exponentials, since the exponential law
    has no memory. A rejected x has $p_x < q_x$, hence no share in the residual, and
    $\arg\min_i E'_i/\max(p_i - q_i, 0)$ draws from it exactly, from no new number.
    In logs and in float64, $\log E'_i = -G_i + \log(1 - e^{z_i - z_x})$ with $z_i = \log q_i + G_i$: where i
    nearly won the two terms of the difference nearly cancel, and this one never is negative.

    Args:
        draft_logits: logits of q, shape ``(..., K)``; -inf excludes a token.
        logits: logits of p, broadcastable to ``draft_logits``, same K.
        noise: standard Gumbel noise, one value for each token, broadcastable to the logits.
        uniform: in (0, 1), of the batch shape, independent of the noise; it decides on acceptance.
        residual_noise: fresh standard Gumbel noise for the residual, in place of what is left of ``noise``.

    Returns:
        Integer tokens and booleans, of the broadcast batch shape.

    Raises:
        TypeError: an argument is not a floating array, or libraries are mixed.
        ValueError: NaN, +inf, a row of -inf, noise that is not finite, ``uniform`` outside (0, 1), shapes
            that do not match.

    Examples:
        >>> import numpy as np
        >>> draft, target = np.log([0.5, 0.3, 0.2]), np.log([0.1, 0.6, 0.3])
        >>> index, accepted = speculative_step(draft, target, np.array([2.0, 0.0, 0.1]), np.array(0.9))
        >>> int(index), bool(accepted)
        (1, False)
    """
    xp = namespace(
        draft_logits=draft_logits, logits=logits, noise=noise, uniform=uniform
    )
    check_logits(draft_logits, "draft_logits")
    check_logits(logits)
    check_same_categories(logits, "logits", draft_logits)
    check_noise(noise, draft_logits)
    check_open_unit_interval(uniform, "uniform")
    check_batch(uniform, "uniform", draft_logits)
    log_q, log_p = (log_softmax(to_widest(each)) for each in (draft_logits, logits))
    log_q, log_p, gumbels = xp.broadcast_arrays(log_q, log_p, to_widest(noise))
    draft = argmax(log_q + gumbels)
    own = draft[..., None]
    log_ratio = (take_along(log_p, own) - take_along(log_q, own))[..., 0]
    accepted = xp.log(to_widest(uniform)) < log_ratio
    if residual_noise is None:
        left = _left_over(xp, log_q, gumbels, own)
    else:
        check_noise(residual_noise, draft_logits)
        left = to_widest(residual_noise)
    log_residual = _log_residual(xp, log_p, log_q)
    # Where rounding leaves no residual the two laws are one, and the draft is as good.
    none = row_maxima(log_residual)[..., 0] == -xp.inf
    closed = log_residual == -xp.inf
    second = argmax(xp.where(closed, -xp.inf, log_residual + left))
    accepted = accepted | none
    return xp.where(accepted, draft, second), accepted


def _left_over(xp: Any, log_q: Array, noise: Array, winner: Array) -> Array:
    """Return the Gumbel noise that is left of the race for those that lost it; +inf for the winner."""
    values = log_q + noise
    behind = values - take_along(values, winner)
    won = one_hot(winner[..., 0], log_q.shape[-1], dtype=xp.bool)
    return xp.where(won, xp.inf, noise - xp.log(-xp.expm1(behind)))


def _log_residual(xp: Any, log_p: Array, log_q: Array) -> Array:
    """Return log max(p - q, 0)."""
    more = log_p > log_q
    share = -xp.expm1(xp.where(more, log_q - log_p, -1.0))
    return xp.where(more, log_p + xp.log(share), -xp.inf)
