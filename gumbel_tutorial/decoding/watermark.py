r"""The Gumbel watermark: noise that a key repeats, and a detector that asks for no model.

A token is $x_t = \arg\max_i(\log \pi_{t,i} + G_{t,i})$ as ever, but $G_t$ is a function of a key and of
the tokens before. Over keys the law is that of the model; who holds the key sees that the noise of the
tokens is large.
Source: Aaronson (2022); Kuditipudi, Thickstun, Hashimoto and Liang (2024).
"""

from collections.abc import Sequence

import numpy as np

from gumbel_tutorial import streams
from gumbel_tutorial.arrays import Array, namespace, quiet
from gumbel_tutorial.checks import check_count, check_finite, check_floating, refuse


def watermark_noise(key: int, context: Sequence[int], num_tokens: int) -> np.ndarray:
    r"""Return the standard Gumbel noise that a key and the tokens before give, the same every time.

    A Philox generator is seeded by all of them, mixed by NumPy's ``SeedSequence``. Where a context comes
    again so does its noise: score each context once.

    Args:
        key: the secret, a whole number of at least 0.
        context: the tokens before, as many as generator and detector agree on.
        num_tokens: size of the vocabulary.

    Returns:
        float64 noise of shape ``(num_tokens,)``.

    Raises:
        ValueError: an argument that is not whole; a negative key or token; ``num_tokens`` below 1.

    Examples:
        >>> watermark_noise(7, [3, 1], 2).round(4).tolist() == watermark_noise(7, [3, 1], 2).round(4).tolist()
        True
    """
    words = [check_count(key, "key", 0)]
    words += [check_count(token, "context", 0) for token in context]
    count = check_count(num_tokens, "num_tokens", 1)
    # The length goes first, since SeedSequence takes trailing zeros for nothing.
    seed = np.random.SeedSequence([len(words), *words])
    rng = np.random.Generator(np.random.Philox(seed))
    return streams.gumbel(rng, (count,), "float64")


@quiet
def watermark_scores(noise: Array) -> Array:
    r"""Return the score of each token, $-\log(1 - e^{-E})$ with $E = e^{-G}$, by the noise that it had.

    Of a text that knows nothing of the key $U = e^{-E}$ is uniform, and the score standard exponential. A
    watermarked token of probability $\pi$ has the larger $U$: $\Pr(U \le u) = u^{1/\pi}$, so that its
    mean score is $\psi(1 + 1/\pi) + \gamma$, which is $1$ at $\pi = 1$ and grows like $\log(1/\pi)$.
    Source: Aaronson (2022), *My projects at OpenAI*.

    Args:
        noise: the noise of the tokens that stand in the text, any shape.

    Returns:
        Scores of the same shape, positive.

    Raises:
        TypeError: ``noise`` is not a floating array.
        ValueError: noise that is not finite.

    Examples:
        >>> watermark_scores(np.array([-1.0, 3.0])).round(4).tolist()
        [0.0683, 3.0248]
    """
    check_floating(noise, "noise")
    check_finite(noise, "noise")
    xp = namespace(noise=noise)
    return -xp.log(-xp.expm1(-xp.exp(-noise)))


def watermark_p_value(scores: Array) -> float:
    r"""Return the probability that a text without the watermark scores as high, exactly.

    The sum of n independent standard exponentials has the law Gamma(n, 1), so that
    $\Pr(S \ge s) = e^{-s}\sum_{k<n} s^k/k!$; summed in logs.

    Args:
        scores: those of :func:`watermark_scores`, of n tokens with n different contexts.

    Returns:
        A number in [0, 1].

    Raises:
        TypeError: ``scores`` is not a floating array.
        ValueError: no score, or one that is negative or not finite.

    Examples:
        >>> round(watermark_p_value(np.array([3.0])), 4)  # e^-3
        0.0498
    """
    check_floating(scores, "scores")
    check_finite(scores, "scores")
    values = np.asarray(scores, np.float64).reshape(-1)
    if values.size == 0:
        refuse("scores", "have at least one entry", f"shape {tuple(scores.shape)}")
    if values.min() < 0:
        refuse("scores", "not be negative", float(values.min()))
    total, counts = values.sum(), np.arange(1, values.size)
    if total == 0:
        return 1.0
    terms = np.concatenate([[0.0], np.cumsum(np.log(total) - np.log(counts))])
    return float(min(1.0, np.exp(np.logaddexp.reduce(terms) - total)))
