r"""Exponentials in float32, of one word of 32 bits each.

For a word $w$ let $U=(w+\tfrac12)\,2^{-32}$ and $E=-\log(1-U)$. Rounded to float32, $1-U$ has digits enough
unless $U$ is small, and small draws decide who wins an argmax. So below $2^{-7}$, in one draw of 128, the
word is the first of 53 bits, the others are drawn, and $E$ is computed in float64 and rounded once.
Above, rounding moves $\Pr(E<t)$ by $2^{-25}$ at most, which is less than $4\cdot10^{-6}$ of it.
"""

import numpy as np

# Words below this get the bits that are missing to 53.
_SMALL = np.uint32(2**25)
# The midpoint of the cell of the 53-bit number 0, in units of a word.
_LEAST = 2.0**-22


def fill(rng: np.random.Generator, out: np.ndarray) -> None:
    """Draw into a contiguous vector of float32: from 2^-54, and to 33 log 2 = 22.9."""
    # Whole words of 64 bits come quickly from every generator, and halves of one are independent.
    pairs = rng.integers(2**64, dtype=np.uint64, size=(out.size + 1) // 2)
    words = pairs.view(np.uint32)[: out.size]
    place = np.flatnonzero(words < _SMALL)
    first = words[place]
    np.copyto(out, np.invert(words, out=words), casting="unsafe")
    out += 0.5
    out *= 2.0**-32
    np.log(out, out=out)
    np.negative(out, out=out)
    rest = np.maximum(rng.random(place.size), _LEAST)
    out[place] = -np.log1p((first + rest) * -(2.0**-32))
