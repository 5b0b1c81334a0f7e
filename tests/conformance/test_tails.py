"""What is left of a thin tail where noise has an upper end, and what the checks of the tail ask for."""

import numpy as np
import pytest
from helpers import samplers
from scipy.stats import binom

from gumbel_tutorial.conformance.suites.laws import law
from gumbel_tutorial.conformance.suites.tails import kept_share


@pytest.mark.parametrize(("gap", "num_bits"), [(16.0, 24), (18.0, 24), (18.0, 23)])
def test_the_share_of_the_tail_is_a_sum_over_the_steps_of_u(gap, num_bits):
    steps = np.arange(1, 1000) / 2**num_bits
    wins = np.exp(-steps * np.exp(gap)).sum() / 2**num_bits
    assert kept_share(gap, num_bits) == pytest.approx(wins / np.exp(-gap), rel=1e-12)


def test_noise_of_24_bits_draws_that_share_of_the_tail():
    logits = np.full(1 << 14, np.float32(-17))
    logits[0], num_draws = 0, 10**7
    drawn = np.count_nonzero(samplers.noise_of_24_bits(logits, num_draws, 0))
    mass = law(logits)[1:].sum()
    expected = mass * kept_share(17.0, 24)
    assert binom.cdf(drawn, num_draws, expected) > 1e-6
    assert binom.sf(drawn, num_draws, expected) > 1e-6
    # And no other one, as the whole of it.
    assert binom.cdf(drawn, num_draws, mass) < 1e-6
