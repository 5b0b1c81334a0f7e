r"""Masks that leave the likelier tokens open, and what is drawn under them.

Excluding tokens conditions the law on the others: $\Pr(I = i \mid I \in A) = \pi_i / \pi(A)$, since
softmax and Gumbel-Max both depend on the open logits alone. A temperature changes which tokens nucleus
and min-p leave open when it comes before them, and never those of top-k: divide the logits first, or
after.
"""

import math
from typing import Any

from gumbel_tutorial.arrays import (
    Array,
    cast,
    namespace,
    quiet,
    row_maxima,
    running_sum,
    softmax,
    widen,
)
from gumbel_tutorial.checks import (
    check_count,
    check_floating,
    check_logits,
    check_mask,
    check_open_categories,
    refuse,
)


@quiet
def top_k_mask(logits: Array, k: int) -> Array:
    r"""Leave open the k largest logits, and whatever ties with the last of them.

    Source: Fan, Lewis and Dauphin (2018), *Hierarchical neural story generation*, section 5.4.

    Args:
        logits: shape ``(..., K)``; -inf excludes a token and stays excluded.
        k: how many, in 1 ... the number of open tokens of every row.

    Returns:
        A boolean array of the shape of ``logits``, true where a token stays open.

    Raises:
        TypeError: ``logits`` is not a floating array.
        ValueError: NaN, +inf or a row of -inf; ``k`` below 1 or above the open tokens.

    Examples:
        >>> import numpy as np
        >>> top_k_mask(np.log([0.5, 0.1, 0.3, 0.1]), 2).tolist()
        [True, False, True, False]
    """
    check_logits(logits)
    k = check_count(k, "k", 1)
    check_open_categories(k, "k", logits)
    return logits >= namespace(logits=logits).sort(logits, axis=-1)[..., -k, None]


@quiet
def nucleus_mask(logits: Array, mass: float) -> Array:
    r"""Leave open the fewest tokens, likeliest first, whose probabilities reach ``mass``, and their ties.

    Source: Holtzman, Buys, Du, Forbes and Choi (2020), *The curious case of neural text degeneration*,
    section 3.1, where it is called top-p.

    Args:
        logits: shape ``(..., K)``; -inf excludes a token.
        mass: in (0, 1]; 1 leaves every token open whose probability does not vanish in rounding.

    Returns:
        A boolean array of the shape of ``logits``, true where a token stays open.

    Raises:
        TypeError: ``logits`` is not a floating array, ``mass`` is not a number.
        ValueError: as :func:`top_k_mask`; a ``mass`` outside (0, 1].

    Examples:
        >>> import numpy as np
        >>> nucleus_mask(np.log([0.5, 0.1, 0.3, 0.1]), 0.7).tolist()
        [True, False, True, False]
    """
    check_logits(logits)
    _check_share(mass, "mass")
    xp = namespace(logits=logits)
    ordered = xp.sort(widen(logits), axis=-1, descending=True)
    probs = softmax(ordered)
    before = running_sum(probs) - probs
    last = xp.min(xp.where(before < mass, ordered, xp.inf), axis=-1, keepdims=True)
    return (logits >= cast(last, logits.dtype)) & (logits > -xp.inf)


@quiet
def min_p_mask(logits: Array, share: float) -> Array:
    r"""Leave open every token at least ``share`` times as likely as the likeliest.

    Source: Nguyen, Baker, Neo, Roush, Kirsch and Shwartz-Ziv (2025), *Turning up the heat: min-p sampling*.

    Args:
        logits: shape ``(..., K)``; -inf excludes a token.
        share: in (0, 1].

    Returns:
        A boolean array of the shape of ``logits``, true where a token stays open.

    Raises:
        TypeError: ``logits`` is not a floating array, ``share`` is not a number.
        ValueError: as :func:`top_k_mask`; a ``share`` outside (0, 1].

    Examples:
        >>> import numpy as np
        >>> min_p_mask(np.log([0.5, 0.1, 0.3, 0.1]), 0.4).tolist()
        [True, False, True, False]
    """
    check_logits(logits)
    _check_share(share, "share")
    wide = widen(logits)
    return wide - row_maxima(wide) >= math.log(share)


@quiet
def apply_mask(logits: Array, mask: Array) -> Array:
    r"""Return logits with -inf where the mask is false; what is drawn from them is drawn given the mask.

    Args:
        logits: shape ``(..., K)``.
        mask: boolean, broadcastable to ``logits``, true where a token stays open.

    Raises:
        TypeError: ``logits`` is not a floating array, ``mask`` not a boolean one.
        ValueError: a mask of another shape, or one that leaves a row without an open token.

    Examples:
        >>> import numpy as np
        >>> apply_mask(np.zeros(3), np.array([True, False, True])).tolist()
        [0.0, -inf, 0.0]
    """
    check_floating(logits, "logits")
    check_mask(mask, logits)
    masked = namespace(logits=logits).where(mask, logits, -float("inf"))
    check_logits(masked)
    return masked


def _check_share(value: Any, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        refuse(name, "be a number", type(value).__name__, TypeError)
    if not 0 < value <= 1:
        refuse(name, "lie in (0, 1]", value)
