"""Philox4x32-10 in NumPy, written from its paper, and the noise that its words stand for."""

import numpy as np

LOW = np.uint64(0xFFFFFFFF)


def philox(counter, key):
    """Return the four words at counters of four broadcastable words, for a key of two."""
    c = [np.asarray(word, np.uint64) for word in counter]
    k = [np.uint64(word) for word in key]
    for _ in range(10):
        first, second = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [
            (second >> np.uint64(32)) ^ c[1] ^ k[0],
            second & LOW,
            (first >> np.uint64(32)) ^ c[3] ^ k[1],
            first & LOW,
        ]
        k = [(k[0] + np.uint64(0x9E3779B9)) & LOW, (k[1] + np.uint64(0xBB67AE85)) & LOW]
    return np.stack(np.broadcast_arrays(*c), -1)


def words(seed, rows, num_categories, stream):
    """Return the words of rows and positions by the layout that the kernels state."""
    key, call = (np.uint64(int(number) % 2**64) for number in seed)
    group = np.arange(-(-num_categories // 4))
    row = np.asarray(rows)[:, None]
    counter = (group, row % 2**32, (row >> 32) * 8 + stream, call & LOW)
    found = philox(counter, (key & LOW, key >> np.uint64(32)))
    return found.reshape(len(row), -1)[:, :num_categories]


def gumbels(seed, rows, num_categories, refined_below=2**10):
    """Return the noise of rows in float64."""
    word = words(seed, rows, num_categories, 0)
    further = words(seed, rows, num_categories, 1)
    uniform = (word + 0.5) * 2.0**-32
    refined = (word + (further + 0.5) * 2.0**-32) * 2.0**-32
    return -np.log(-np.log1p(-np.where(word < refined_below, refined, uniform)))
