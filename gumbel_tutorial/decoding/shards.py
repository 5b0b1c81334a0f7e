r"""One draw from logits that lie on several devices, of which each sends two numbers.

Each shard s holds a part of the vocabulary. It sends either its largest perturbed logit and where that is, or
its mass $L_s = \log\sum_{i \in s} e^{\ell_i}$ and a draw from its own part.
"""

from gumbel_tutorial.arrays import (
    Array,
    argmax,
    cast,
    namespace,
    perturb,
    quiet,
    row_maxima,
    sample_dtype,
    take_along,
    widen,
)
from gumbel_tutorial.checks import (
    check_broadcast,
    check_logits,
    check_noise,
)


@quiet
def merge_maxima(maxima: Array, indices: Array) -> tuple[Array, Array]:
    r"""Return the token of the largest maximum, and that maximum.

    $\max_i(\ell_i + G_i) = \max_s \max_{i \in s}(\ell_i + G_i)$: exact for any split, if the noise of no two
    tokens is the same. A seed that the shards share gives them the same noise.

    Args:
        maxima: the largest perturbed logit of each shard, shape ``(..., S)``; -inf where it has none.
        indices: its token, counted in the whole vocabulary, integers broadcastable to ``maxima``.

    Returns:
        Integer tokens and maxima, of the batch shape.

    Raises:
        TypeError: ``maxima`` is not a floating array.
        ValueError: NaN, +inf, or no shard with a maximum; shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> index, maximum = merge_maxima(np.array([0.3, 1.2]), np.array([4, 9]))
        >>> int(index), float(maximum)
        (9, 1.2)
    """
    xp = namespace(maxima=maxima, indices=indices)
    check_logits(maxima, "maxima")
    check_broadcast(indices, "indices", maxima, "maxima")
    shard = argmax(maxima)[..., None]
    tokens = xp.broadcast_to(indices, maxima.shape)
    return take_along(tokens, shard)[..., 0], take_along(maxima, shard)[..., 0]


@quiet
def merge_masses(
    log_masses: Array, indices: Array, noise: Array
) -> tuple[Array, Array]:
    r"""Return the token of the shard that $\arg\max_s(L_s + G_s)$ draws, and the maximum.

    Exact by max-stability: the maximum of a shard is Gumbel at $L_s$, independent of the token that has
    it. So the shards need one noise each, and their tokens may be drawn by whatever algorithm.
    Source: Maddison, Tarlow and Minka (2014), *A\* Sampling*, section 3.

    Args:
        log_masses: $L_s$ of each shard, shape ``(..., S)``; -inf where it has no open token.
        indices: a token drawn from the softmax of the shard's logits, counted in the whole vocabulary,
            integers broadcastable to ``log_masses``.
        noise: standard Gumbel noise, one value for each shard, broadcastable to ``log_masses``.

    Returns:
        Integer tokens and maxima, of the batch shape; a maximum has the law of that of all $\ell_i + G_i$.

    Raises:
        TypeError: ``log_masses`` or ``noise`` is not a floating array.
        ValueError: NaN, +inf, or no shard with an open token; shapes that do not match.

    Examples:
        >>> import numpy as np
        >>> index, _ = merge_masses(np.log([3.0, 1.0]), np.array([4, 9]), np.array([0.0, 0.5]))
        >>> int(index)
        4
    """
    xp = namespace(log_masses=log_masses, indices=indices, noise=noise)
    largest = check_logits(log_masses, "log_masses")
    check_noise(noise, log_masses)
    check_broadcast(indices, "indices", log_masses, "log_masses")
    perturbed = perturb(log_masses, noise, largest=largest)
    shard = argmax(perturbed)[..., None]
    tokens = xp.broadcast_to(indices, perturbed.shape)
    maximum = take_along(perturbed, shard) + row_maxima(widen(log_masses))
    dtype = sample_dtype(log_masses, noise)
    return take_along(tokens, shard)[..., 0], cast(maximum[..., 0], dtype)
