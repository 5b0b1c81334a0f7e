"""Samplers for the tests of the checks: sound ones, and one with each planted fault.

Where a fault shows once in millions of numbers, what is drawn is the law that it leads to, exactly.
"""

from functools import wraps

import numpy as np

NUM_BITS = 24


def rng(seed):
    return np.random.default_rng(seed)


def gumbel_noise(seed, shape):
    # In float64: NumPy's exponential numbers in float32 are 0 once in 2^24 or so, and that noise is infinite.
    noise = rng(seed).standard_exponential(shape)
    return -np.log(noise, out=noise).astype(np.float32)


def gumbel_max(logits, num_draws, seed, *, temperature=1.0, dtype="float32"):
    """Draw rightly, whatever the dtype that the logits are exact in."""
    scaled = (logits - logits.max(-1, keepdims=True)) / np.float32(temperature)
    return np.argmax(scaled + gumbel_noise(seed, (num_draws, *logits.shape)), axis=-1)


def inverse_cdf(logits, num_draws, seed):
    """Draw rightly, of one row or several, by one number per draw."""
    logits = np.atleast_2d(logits).astype(float)
    weights = np.exp(logits - logits.max(-1, keepdims=True)).cumsum(-1)
    places = rng(seed).random((num_draws, len(weights))) * weights[:, -1]
    found = [
        np.searchsorted(w, u, "right") for w, u in zip(weights, places.T, strict=True)
    ]
    return np.stack(found, -1)


def one_row(sample):
    """Let a sampler of rows take one row too."""

    @wraps(sample)
    def wrapped(logits, num_draws, seed, **options):
        draws = sample(np.atleast_2d(logits), num_draws, seed, **options)
        return draws[:, 0] if logits.ndim == 1 else draws

    return wrapped


inverse_cdf = one_row(inverse_cdf)


def sometimes_uniform(logits, num_draws, seed):
    """Make one draw in fifty from the uniform law."""
    draws = inverse_cdf(logits, num_draws, seed)
    generator = rng(seed + 1)
    replaced = generator.random(draws.shape) < 1 / 50
    return np.where(
        replaced, generator.integers(logits.shape[-1], size=draws.shape), draws
    )


def same_noise_in_tiles(logits, num_draws, seed, *, tile=1024):
    """Give all tiles of categories the same noise."""
    number = -(-logits.shape[-1] // tile)
    noise = gumbel_noise(seed, (num_draws, *logits.shape[:-1], tile))
    noise = np.tile(noise, number)[..., : logits.shape[-1]]
    return np.argmax(logits + noise, axis=-1)


def noise_of_24_bits(logits, num_draws, seed):
    """Draw from the law of one top category and equal others whose noise -log(-log u) has a u of 24 bits."""
    top, generator = int(np.argmax(logits)), rng(seed)
    number, steps = len(logits) - 1, 2**NUM_BITS
    below = logits.max() - logits.min()
    # The largest of many such numbers is that of the largest u.
    largest = np.floor(generator.random(num_draws) ** (1 / number) * steps)
    own = generator.integers(1, steps, num_draws)
    tail = -np.log(-np.log(np.maximum(largest, 1) / steps)) - below
    wins = tail > -np.log(-np.log(own / steps))
    other = (top + generator.integers(1, number + 1, num_draws)) % len(logits)
    return np.where(wins, other, top)


def rounds_to_one(logits, num_draws, seed):
    """Draw wherever the noise of a category is infinite, as a u of 32 bits is that rounds to 1."""
    draws = inverse_cdf(logits, num_draws, seed)
    generator = rng(seed + 1)
    size = draws.shape
    infinite = generator.binomial(logits.shape[-1], 2.0**-25, size) > 0
    return np.where(infinite, generator.integers(logits.shape[-1], size=size), draws)


def zero_is_first(logits, num_draws, seed):
    """Search for a u of 24 bits from the left, so that 0 is found before the first open category."""
    generator = rng(seed)
    number = generator.binomial(num_draws, 2.0**-NUM_BITS)
    draws = np.full(num_draws, int(np.argmax(logits)), np.int8)
    draws[generator.integers(num_draws, size=number)] = 0
    return draws


def to_bfloat16(values):
    """Round float32 to the nearest bfloat16, ties to even."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    odd = (bits >> 16) & 1
    return ((bits + 0x7FFF + odd) & np.uint32(0xFFFF0000)).view(np.float32)


def bfloat16_maxima(logits, num_draws, seed, *, tile=512):
    """Compare the maxima of tiles in bfloat16."""
    noisy = logits + gumbel_noise(seed, (num_draws, *logits.shape))
    lost = -noisy.shape[-1] % tile
    padding = [(0, 0)] * (noisy.ndim - 1) + [(0, lost)]
    tiles = np.pad(noisy, padding, constant_values=-np.inf)
    tiles = tiles.reshape(*noisy.shape[:-1], -1, tile)
    best = np.argmax(to_bfloat16(tiles.max(-1)), axis=-1)
    within = np.take_along_axis(tiles.argmax(-1), best[..., None], -1)[..., 0]
    return best * tile + within


def adds_in_half(logits, num_draws, seed, *, dtype="float32"):
    """Add the noise in the precision of the logits."""
    noise = gumbel_noise(seed, (num_draws, *logits.shape))
    if dtype == "bfloat16":
        return np.argmax(to_bfloat16(logits + to_bfloat16(noise)), axis=-1)
    half = np.dtype(dtype)
    return np.argmax(logits.astype(half) + noise.astype(half), axis=-1)


def no_maximum_subtracted(logits, num_draws, seed):
    """Take the exponentials of logits as they are."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        weights = np.nan_to_num(probs).cumsum(-1)
    places = rng(seed).random((num_draws, *logits.shape[:-1], 1))
    return np.minimum((places > weights).sum(-1), logits.shape[-1] - 1)


def clamped(logits, num_draws, seed):
    """Clamp logits at 100."""
    return gumbel_max(np.minimum(logits, np.float32(100)), num_draws, seed)


def temperature_twice(logits, num_draws, seed, *, temperature=1.0):
    """Divide by the temperature twice."""
    return gumbel_max(logits, num_draws, seed, temperature=temperature**2)


def of_probabilities(logits, num_draws, seed):
    """Add noise to probabilities in place of their logarithms."""
    probs = np.exp(logits - logits.max(-1, keepdims=True))
    probs /= probs.sum(-1, keepdims=True)
    return gumbel_max(probs, num_draws, seed)


def reads_first_row(logits, num_draws, seed):
    """Give the last row of a batch of odd size the logits of the first."""
    if logits.ndim == 2 and len(logits) % 2:
        logits = np.concatenate([logits[:-1], logits[:1]])
    return gumbel_max(logits, num_draws, seed)


def one_draw_is_greedy(logits, num_draws, seed):
    """Take the most probable category of each row where one draw is asked for."""
    if num_draws == 1:
        return np.argmax(logits, axis=-1)[None]
    return gumbel_max(logits, num_draws, seed)


def rows_in_16_bits(logits, num_draws, seed):
    """Count rows in 16 bits, so that they begin again from the first."""
    if logits.ndim == 2:
        logits = logits[np.arange(len(logits)) % 2**16]
    return gumbel_max(logits, num_draws, seed)


def changes_its_logits(logits, num_draws, seed, *, temperature=1.0):
    """Divide by the temperature in place."""
    logits /= np.float32(temperature)
    return gumbel_max(logits, num_draws, seed)


def full_vectors_only(logits, num_draws, seed):
    """Leave out the categories after the last full vector of 32."""
    whole = logits.shape[-1] // 32 * 32 or logits.shape[-1]
    return gumbel_max(logits[..., :whole], num_draws, seed)


def repeated(noise, axis, generator):
    """Let one in sixteen along an axis have the noise of the one before it."""
    noise = np.moveaxis(noise, axis, 0)
    for place in range(1, len(noise)):
        if generator.random() < 1 / 16:
            noise[place] = noise[place - 1]
    return np.moveaxis(noise, 0, axis)


def rows_repeat(logits, num_draws, seed):
    """Give one row in sixteen the noise of the row before it."""
    noise = gumbel_noise(seed, (num_draws, *logits.shape))
    if logits.ndim == 2:
        noise = repeated(noise, 1, rng(seed + 1))
    return np.argmax(logits + noise, axis=-1)


def draws_repeat(logits, num_draws, seed):
    """Give one draw in sixteen the noise of the draw before it."""
    noise = gumbel_noise(seed, (num_draws, *logits.shape))
    return np.argmax(logits + repeated(noise, 0, rng(seed + 1)), axis=-1)


def seeds_overlap(logits, num_draws, seed):
    """Let seeds 2n and 2n + 1 share the noise of one row in sixteen."""
    draws = gumbel_max(logits, num_draws, seed)
    if logits.ndim == 2:
        shared = gumbel_max(logits, num_draws, seed // 2 + 2**40)
        draws[:, ::16] = shared[:, ::16]
    return draws


def tile_seeds_collide(logits, num_draws, seed, *, tile=1024):
    """Seed each tile by seed + 100 tile + 1000 row + 10000 draw."""
    rows = np.atleast_2d(logits)
    noise = np.empty((num_draws, *rows.shape), np.float32)
    for draw, row in np.ndindex(noise.shape[:2]):
        for number, start in enumerate(range(0, rows.shape[-1], tile)):
            part = noise[draw, row, start : start + tile]
            own = seed + 100 * number + 1000 * row + 10000 * draw
            part[:] = gumbel_noise(own, part.shape)
    draws = np.argmax(rows + noise, axis=-1)
    return draws[:, 0] if logits.ndim == 1 else draws


def global_state():
    """Return a sampler of one stream, whatever the seed."""
    generator = rng(0)

    def sample(logits, num_draws, seed):
        return gumbel_max(logits, num_draws, int(generator.integers(2**40)))

    return sample


def short_seed(logits, num_draws, seed):
    """Use the lowest 16 bits of the seed alone."""
    return gumbel_max(logits, num_draws, seed % 2**16)


def no_invariance(logits, num_draws, seed):
    """Promise draws that do not depend on the batch, and break it."""
    return gumbel_max(logits, num_draws, seed)


no_invariance.batch_invariant = True


def by_row(logits, num_draws, seed):
    """Give every row the noise of its own logits, whatever its place."""
    rows = [gumbel_max(row, num_draws, seed) for row in np.atleast_2d(logits)]
    return rows[0] if logits.ndim == 1 else np.stack(rows, -1)


by_row.batch_invariant = True
