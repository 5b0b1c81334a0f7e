"""The watermark: repeatable noise, the model's law over keys, and a detector with an exact null law."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

from gumbel_tutorial import decoding, gumbel_max
from gumbel_tutorial.book import statistics

FAILURE_RATE = 1e-6
PROBS = np.array([0.5, 0.3, 0.15, 0.05])


def noises(number):
    return np.stack([decoding.watermark_noise(key, [5, 2], 4) for key in range(number)])


def test_noise_is_a_function_of_key_context_and_nothing_else():
    first = decoding.watermark_noise(1, [4, 0], 6)
    np.testing.assert_array_equal(first, decoding.watermark_noise(1, (4, 0), 6))
    others = [(2, [4, 0]), (1, [4]), (1, [0, 4]), (1, [4, 0, 0]), (4, [1, 0]), (1, [])]
    for key, context in others:
        assert not (first == decoding.watermark_noise(key, context, 6)).any()


def test_over_keys_the_noise_is_gumbel_and_the_tokens_have_their_law():
    gumbels = noises(20_000)
    law = scipy.stats.gumbel_r.cdf
    assert scipy.stats.kstest(gumbels.reshape(-1), law).pvalue > FAILURE_RATE
    index = gumbel_max.argmax_sample(np.log(PROBS), gumbels)
    counts = np.bincount(index, minlength=4)
    assert statistics.chi_square_p_value(counts, PROBS) > FAILURE_RATE


def test_scores_are_exponential_without_and_larger_with_the_watermark():
    gumbels = noises(20_000)
    rows = np.arange(len(gumbels))
    written = gumbel_max.argmax_sample(np.log(PROBS), gumbels)
    unrelated = np.random.default_rng(0).choice(4, len(gumbels), p=PROBS)
    for index, watermarked in ((unrelated, False), (written, True)):
        scores = decoding.watermark_scores(gumbels[rows, index])
        p_value = scipy.stats.kstest(scores, scipy.stats.expon.cdf).pvalue
        assert (p_value < FAILURE_RATE) == watermarked
    means = scipy.special.psi(1 + 1 / PROBS) + np.euler_gamma
    scores = decoding.watermark_scores(gumbels[rows, written])
    for token, mean in enumerate(means):
        of_token = scores[written == token]
        error = of_token.std() / np.sqrt(len(of_token))
        assert abs(of_token.mean() - mean) < 5 * error


def test_the_p_value_is_the_gamma_laws():
    rng = np.random.default_rng(1)
    for number in (1, 2, 30, 2000):
        scores = rng.exponential(size=number) * rng.uniform(0.5, 2)
        expected = scipy.stats.gamma.sf(scores.sum(), number)
        assert decoding.watermark_p_value(scores) == pytest.approx(expected, rel=1e-9)
    assert decoding.watermark_p_value(np.zeros(3)) == 1
    assert decoding.watermark_p_value(np.full(50, 40.0)) < 1e-300


def test_scores_keep_their_digits_at_both_ends():
    low, high = decoding.watermark_scores(np.array([-3.5, 37.0]))
    assert low == pytest.approx(np.exp(-np.exp(3.5)), rel=1e-9)
    assert high == pytest.approx(37.0, rel=1e-14)


def test_what_is_out_of_range_is_refused():
    with pytest.raises(
        ValueError, match="key must be a whole number of at least 0, got -1"
    ):
        decoding.watermark_noise(-1, [], 3)
    with pytest.raises(
        ValueError, match="context must be a whole number of at least 0"
    ):
        decoding.watermark_noise(1, [0.5], 3)
    with pytest.raises(ValueError, match="scores must not be negative, got -1.0"):
        decoding.watermark_p_value(np.array([-1.0]))
    with pytest.raises(ValueError, match="scores must have at least one entry"):
        decoding.watermark_p_value(np.zeros(0))
