"""Seven samplers with the faults of published ones, written from their descriptions, and sound ones beside.

Noise is a hash of seed, draw, row and category, as in the samplers that had the faults.
"""

from functools import partial

import numpy as np

# Numbers of one part: what stays in a cache, and enough that a call of NumPy costs little beside them.
PART = 2**20
# What the faulty kernels had: columns of a tile, and rows of one.
TILE, TILE_ROWS = 128, 16
TWO_TO_MINUS_24, TINY = np.float32(2.0**-24), np.finfo(np.float32).tiny


@np.errstate(over="ignore")
def hashed(stream, place):
    """Return 64 bits for every stream and place, by two rounds of splitmix64's finaliser."""
    word = np.asarray(stream, np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for summand in (place, np.uint64(0x632BE59BD9B4E019)):
        word = word + np.asarray(summand, np.uint64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            word = (word ^ (word >> np.uint64(shift))) * np.uint64(factor)
        word = word ^ (word >> np.uint64(31))
    return word


def gumbel(word):
    """Return the Gumbel of 53 of a word's bits."""
    uniform = (np.asarray(word >> np.uint64(11), float) + 0.5) * 2.0**-53
    return -np.log(-np.log1p(-uniform))


def words(seed, draws, num_rows, num_categories):
    """Return 64 bits for the draws, rows and categories."""
    key = hashed(hashed(seed, draws[:, None]), np.arange(num_rows))
    return hashed(key[..., None], np.arange(num_categories))


def race(logits, num_draws, choose):
    """Return the choices of rows, for which ``choose(rows, draws)`` takes a part of the draws at a time."""
    logits = np.asarray(logits)
    rows = logits.reshape(-1, logits.shape[-1])
    step = max(1, PART // rows.size)
    parts = [
        choose(rows, np.arange(start, min(start + step, num_draws)))
        for start in range(0, num_draws, step)
    ]
    return np.concatenate(parts).reshape(num_draws, *logits.shape[:-1])


def sound(logits, num_draws, seed, *, temperature=1.0):
    """Draw by Gumbel-Max from 53 bits."""

    def choose(rows, draws):
        noise = gumbel(words(seed, draws, *rows.shape))
        return np.argmax(rows / temperature + noise, -1)

    return race(logits, num_draws, choose)


def temperature_twice(logits, num_draws, seed, *, temperature=1.0):
    """Divide by the temperature in the sampler too, where the caller's logits are divided already."""
    return sound(logits / temperature, num_draws, seed, temperature=temperature)


def probabilities_for_logits(logits, num_draws, seed, *, temperature=1.0):
    """Add Gumbel noise to the softmax of the logits, where their log-softmax belongs."""
    scaled = np.asarray(logits, float) / temperature
    weights = np.exp(scaled - scaled.max(-1, keepdims=True))
    return sound(weights / weights.sum(-1, keepdims=True), num_draws, seed)


def tail_of_24_bits(logits, num_draws, seed):
    """Draw the uniform number of a Gumbel on the grid of 2^-24 of float32: no Gumbel passes 16.64."""

    def choose(rows, draws):
        word = words(seed, draws, *rows.shape) >> np.uint64(40)
        uniform = np.maximum(word.astype(np.float32) * TWO_TO_MINUS_24, TINY)
        return np.argmax(rows - np.log(-np.log(uniform)), -1)

    return race(logits, num_draws, choose)


def uniform_rounded_to_one(logits, num_draws, seed):
    """Take 32 bits to float32: the largest of them round to 1, whose Gumbel is infinite.

    A masked category then has -inf + inf, which is NaN, and NaN is what argmax returns first.
    """

    def choose(rows, draws):
        word = words(seed, draws, *rows.shape) >> np.uint64(32)
        uniform = word.astype(np.float32) * np.float32(2.0**-32)
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = -np.log(-np.log(np.maximum(uniform, TINY)))
            return np.argmax(rows + noise, -1)

    return race(logits, num_draws, choose)


def tile_seed_collision(logits, num_draws, seed):
    """Seed tile v of row block h in draw s by seed + 100 v + 1000 h + 10000 s: sums that meet again."""

    def choose(rows, draws):
        num_rows, num_categories = rows.shape
        row, category = np.arange(num_rows)[:, None], np.arange(num_categories)
        tile = 100 * (category // TILE) + 1000 * (row // TILE_ROWS)
        stream = seed + tile + 10_000 * draws[:, None, None]
        place = (row % TILE_ROWS) * TILE + category % TILE
        return np.argmax(rows + gumbel(hashed(stream, place)), -1)

    return race(logits, num_draws, choose)


def tile_maxima_in_bfloat16(logits, num_draws, seed):
    """Keep the largest perturbed logit of every tile in bfloat16: tiles tie, and the first of them wins."""

    def choose(rows, draws):
        noise = gumbel(words(seed, draws, *rows.shape))
        values = (rows + noise).astype(np.float32)
        short = -values.shape[-1] % TILE
        padding = [(0, 0)] * (values.ndim - 1) + [(0, short)]
        values = np.pad(values, padding, constant_values=-np.inf)
        tiles = values.reshape(*values.shape[:-1], -1, TILE)
        inside = np.argmax(tiles, -1)
        tile = np.argmax(to_bfloat16(np.max(tiles, -1)), -1)
        place = np.take_along_axis(inside, tile[..., None], -1)[..., 0]
        return TILE * tile + place

    return race(logits, num_draws, choose)


def to_bfloat16(values):
    """Round float32 to the nearest bfloat16, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = (bits + np.uint32(0x7FFF) + odd) & np.uint32(0xFFFF0000)
    return np.where(np.isinf(values), values, rounded.view(np.float32))


def speculate(draft_logits, target_logits, num_draws, seed, *, shared):
    """Draft by Gumbel-Max, accept by p/q, and draw the residual from the draft's noise or fresh noise."""
    log_q, log_p = (
        each - np.logaddexp.reduce(each)
        for each in (np.asarray(x, float) for x in (draft_logits, target_logits))
    )
    with np.errstate(divide="ignore"):
        residual = np.log(np.maximum(np.exp(log_p) - np.exp(log_q), 0))

    def choose(rows, draws):
        size = (len(draws), 1, rows.shape[-1])
        noise, fresh, uniform = (
            gumbel(words(hashed(seed, stream), draws, *size[1:])) for stream in range(3)
        )
        drafted = np.argmax(log_q + noise, -1)
        # -log u of the first number of the third stream, by which the draft is kept.
        patience = np.exp(-uniform[..., 0])
        kept = log_p[drafted] - log_q[drafted] > -patience
        second = np.argmax(residual + (noise if shared else fresh), -1)
        emitted = np.where(kept, drafted, second)
        return len(log_p) * drafted + emitted

    pair = race(log_p, num_draws, choose)
    return pair // len(log_p), pair % len(log_p)


shared_draft_noise = partial(speculate, shared=True)
fresh_residual_noise = partial(speculate, shared=False)
