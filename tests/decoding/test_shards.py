"""Shards: the merged draw is the whole vocabulary's, and what a shared seed makes of it."""

import numpy as np
import pytest
import scipy.stats

from gumbel_tutorial import decoding, gumbel_max, noise
from gumbel_tutorial.book import statistics

FAILURE_RATE = 1e-6
DRAWS = 200_000
PROBS = np.array([0.3, 0.05, 0.15, 0.1, 0.25, 0.02, 0.08, 0.05])
LOGITS = np.log(PROBS) + 3.0
SHARDS = (slice(0, 3), slice(3, 4), slice(4, 8))
HALVES = (slice(0, 4), slice(4, 8))


def maxima_of(noise_of, shards=SHARDS):
    """Return the largest perturbed logit of each shard and its token, of noise by shard."""
    maxima, indices = [], []
    for shard in shards:
        perturbed = LOGITS[shard] + noise_of(shard)
        maxima.append(perturbed.max(-1))
        indices.append(perturbed.argmax(-1) + shard.start)
    return np.stack(maxima, -1), np.stack(indices, -1)


def p_value(index):
    counts = np.bincount(index, minlength=PROBS.size)
    return statistics.chi_square_p_value(counts, PROBS)


def test_merged_maxima_are_the_draw_of_the_whole(rng):
    gumbels = noise.gumbel((DRAWS, PROBS.size), generator=rng)
    index, maximum = decoding.merge_maxima(*maxima_of(lambda s: gumbels[:, s]))
    np.testing.assert_array_equal(index, gumbel_max.argmax_sample(LOGITS, gumbels))
    np.testing.assert_array_equal(maximum, (LOGITS + gumbels).max(-1))


def test_shards_that_share_a_seed_draw_from_another_law(rng):
    seed = int(rng.integers(2**32))

    def shared(shard):
        shape = (DRAWS, shard.stop - shard.start)
        return noise.gumbel(shape, generator=np.random.default_rng(seed))

    index, _ = decoding.merge_maxima(*maxima_of(shared, HALVES))
    assert p_value(index) < FAILURE_RATE


@pytest.mark.parametrize("shared", [False, True])
def test_merged_masses_draw_from_the_whole_unless_the_shards_share_their_noise(
    rng, shared
):
    def drawn(shard):
        shape = (DRAWS, shard.stop - shard.start)
        return shard.start + gumbel_max.argmax_sample(
            LOGITS[shard], noise.gumbel(shape, generator=rng)
        )

    indices = np.stack([drawn(shard) for shard in SHARDS], -1)
    masses = np.array([gumbel_max.max_location(LOGITS[shard]) for shard in SHARDS])
    size = 1 if shared else len(SHARDS)
    gumbels = noise.gumbel((DRAWS, size), generator=rng) + np.zeros(len(SHARDS))
    index, maximum = decoding.merge_masses(masses, indices, gumbels)
    assert (p_value(index) > FAILURE_RATE) != shared
    if not shared:
        location = gumbel_max.max_location(LOGITS)
        law = scipy.stats.gumbel_r(location).cdf
        assert scipy.stats.kstest(maximum, law).pvalue > FAILURE_RATE


def test_a_shard_without_an_open_token_is_never_taken():
    masses = np.array([-np.inf, 0.0])
    index, maximum = decoding.merge_masses(
        masses, np.array([0, 5]), np.array([30.0, 0])
    )
    assert (int(index), float(maximum)) == (5, 0.0)
    index, maximum = decoding.merge_maxima(masses, np.array([0, 5]))
    assert (int(index), float(maximum)) == (5, 0.0)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="indices must"):
        decoding.merge_maxima(np.zeros((2, 3)), np.zeros(4, int))
    with pytest.raises(ValueError, match="maxima must not be NaN"):
        decoding.merge_maxima(np.array([0.0, np.nan]), np.zeros(2, int))
