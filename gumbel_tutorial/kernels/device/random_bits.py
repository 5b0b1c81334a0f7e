r"""Random words by Philox4x32-10, a bijection of 128-bit counters for every key.

Three numbers of torch's generator, drawn on the device, start a call: 64 bits of key and 32 bits that name
the call. The counter says what a word is for:

====  ==========================================================================================
word  meaning
====  ==========================================================================================
0     the group of four positions, ``position // 4``; the position's word is ``position % 4``
1     the row, its low 32 bits
2     the row's high 29 bits, and 3 bits of the stream: what the number is drawn for
3     the call
====  ==========================================================================================

So no two numbers of a call share a counter, whatever the tiles are, and two calls share a counter and a key
with probability $2^{-96}$. (A seed of the form ``seed + a * tile + b * row`` gives all tiles and rows of one
such sum the same noise.)
Source: Salmon, Moraes, Dror and Shaw (2011), *Parallel random numbers: as easy as 1, 2, 3*.
"""

import triton
import triton.language as tl

# The noise of a category, its further bits, the noise of a cell, the choice within a cell, and theirs.
CATEGORY = tl.constexpr(0)
CATEGORY_FURTHER = tl.constexpr(1)
CELL = tl.constexpr(2)
CELL_FURTHER = tl.constexpr(3)
CHOICE = tl.constexpr(4)
CHOICE_FURTHER = tl.constexpr(5)


@triton.jit
def philox(key, a, b, c, d):
    """Return the four words of Philox4x32-10 at the counter (a, b, c, d).

    Triton's own takes both halves of a product by themselves; from 64 bits they are one instruction.
    """
    first = (key & 0xFFFFFFFF).to(tl.uint32)
    second = (key >> 32).to(tl.uint32)
    for _ in tl.static_range(10):
        left = a.to(tl.uint64) * 0xD2511F53
        right = c.to(tl.uint64) * 0xCD9E8D57
        a = (right >> 32).to(tl.uint32) ^ b ^ first
        c = (left >> 32).to(tl.uint32) ^ d ^ second
        b = right.to(tl.uint32)
        d = left.to(tl.uint32)
        first = tl.add(first, 0x9E3779B9, sanitize_overflow=False)
        second = tl.add(second, 0xBB67AE85, sanitize_overflow=False)
    return a, b, c, d


@triton.jit
def random_words(seed, rows, groups, stream: tl.constexpr):
    """Return four 32-bit words for every row (R, 1) and group (1, Q), each of shape (R, Q)."""
    key = tl.load(seed).to(tl.uint64, bitcast=True)
    call = (tl.load(seed + 1) & 0xFFFFFFFF).to(tl.uint32)
    low = (rows & 0xFFFFFFFF).to(tl.uint32)
    high = (rows >> 32).to(tl.uint32) * 8 + stream
    zeros = low * 0
    return philox(key, groups.to(tl.uint32) + zeros, low, high, call)


@triton.jit
def in_order(a, b, c, d):
    """Return four words for each group, (R, Q) each, as one row of 4 Q positions."""
    quads = tl.join(tl.join(a, c), tl.join(b, d))
    return tl.reshape(quads, (a.shape[0], 4 * a.shape[1]))
