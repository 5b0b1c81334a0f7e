r"""Gumbel noise of 64 random bits in float32, small exponentials resolved.

Everything is in base 2, in which the hardware takes logarithms: $E' = -\log_2(1-U)$ is an exponential over
$\ln 2$, and the Gumbel is $G = -\ln E = -\ln 2\,\log_2 E' - \ln\ln 2$. Neither an argmax nor a softmax
sees the constant, so it is added where a maximum or the noise itself is asked for.

One Philox call has four words, so a number has 32 bits of its own, $U = (w + 1/2)\,2^{-32}$. Where the word
is below $2^{10}$, once in four million numbers, 32 more bits follow from a second stream, and
$U = (w + (w' + 1/2)\,2^{-32})\,2^{-32}$. The second stream is computed for the whole tile, if one number of
it needs that. Its words do not depend on the tile, so neither does a number.

**Claim.** $|\Pr(U < t)/t - 1| \le 2^{-11}$ for $2^{-22}\le t\le 1$, and for
$2^{-54}\le t\le 2^{-22}$. Proof: U takes each of its values with the probability of the cell whose
midpoint it is, so $\Pr(U<t)$ misses t by half a cell at most: $2^{-33}$ from $2^{-22}$ on, where words are
not refined, and $2^{-65}$ below. Rounding to float32 moves U by $2^{-24}$ of itself. The smallest exponential
is $2^{-65}$, whose Gumbel is 45; among $10^9$ numbers the largest is about 21.

The large side is coarse, since $1-U$ has the digits of a float32 below one: E stays below 17.4, and
$\Pr(E>t)$ is right to $2^{-24}$. Such an exponential is the noise of a category that loses.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from gumbel_tutorial.kernels.device.random_bits import (
    CATEGORY,
    CATEGORY_FURTHER,
    in_order,
    random_words,
)
from gumbel_tutorial.kernels.device.tiles import INTERPRETED

REFINED_BELOW = tl.constexpr(2**10)
LN_2 = tl.constexpr(0.6931471805599453)
MINUS_LN_LN_2 = tl.constexpr(0.36651292058166435)


@triton.jit
def log2(x):
    """Return the logarithm of a normal number, right to 2^-22."""
    if INTERPRETED:  # NumPy has no other
        return tl.log2(x)
    return libdevice.fast_log2f(x)


@triton.jit
def uniform_of_word(word):
    """Return the middle of the 2^-32 that a word stands for."""
    return tl.fma(word.to(tl.float32), 2.0**-32, 2.0**-33)


@triton.jit
def uniform_of_words(word, further):
    """Return the middle of the 2^-64 that two words stand for."""
    return tl.fma(
        further.to(tl.float32),
        2.0**-64,
        tl.fma(word.to(tl.float32), 2.0**-32, 2.0**-65),
    )


@triton.jit
def gumbel_of_uniform(uniform):
    """Return -log2(-log2(1 - U)), with all digits of a small U.

    Below 1/8 a polynomial of degree 4 times U, whose coefficients minimise the relative error (1.7e-7 with
    all roundings), elsewhere the logarithm, whose error of 2^-22 is 1.3e-6 of the exponential there.
    """
    ratio = tl.fma(uniform, 0.3491937816143036, 0.3570901155471802)
    ratio = tl.fma(ratio, uniform, 0.48092496395111084)
    ratio = tl.fma(ratio, uniform, 0.7213475108146667)
    ratio = tl.fma(ratio, uniform, 1.4426950216293335)
    rest = tl.maximum(1 - uniform, 2.0**-25)
    exponential = tl.where(uniform < 0.125, ratio * uniform, -log2(rest))
    return -log2(exponential)


@triton.jit
def refine(uniform, further):
    """Put 32 more bits in the place of the half that stands for them."""
    # The two halves do not fit one float32.
    return tl.fma(further.to(tl.float32), 2.0**-64, (uniform - 2.0**-33) + 2.0**-65)


@triton.jit
def gumbels_of_categories(seed, rows, groups, refined_below: tl.constexpr):
    """Return -log2 of the exponentials of categories: four for each group, one row for each row."""
    a, b, c, d = random_words(seed, rows, groups, CATEGORY)
    smallest = tl.minimum(tl.minimum(a, b), tl.minimum(c, d))
    uniform = uniform_of_word(in_order(a, b, c, d))
    if tl.min(tl.min(smallest, 1), 0) < refined_below:
        a, b, c, d = random_words(seed, rows, groups, CATEGORY_FURTHER)
        is_small = uniform < refined_below * 2.0**-32
        refined = refine(uniform, in_order(a, b, c, d))
        uniform = tl.where(is_small, refined, uniform)
    return gumbel_of_uniform(uniform)


@triton.jit
def gumbels_of_64_bits(seed, rows, groups, stream: tl.constexpr):
    """Return -log2 of exponentials that all have 64 bits, from a stream and the one after it."""
    a, b, c, d = random_words(seed, rows, groups, stream)
    word = in_order(a, b, c, d)
    a, b, c, d = random_words(seed, rows, groups, stream + 1)
    return gumbel_of_uniform(uniform_of_words(word, in_order(a, b, c, d)))
