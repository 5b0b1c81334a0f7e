"""Coupled draws: how often they agree, counted, computed and bounded."""

import numpy as np
import pytest

from gumbel_tutorial import categorical, decoding, noise

DRAWS = 200_000


def pairs(rng, number, num_categories):
    return 1.5 * rng.standard_normal((2, number, num_categories))


@pytest.mark.parametrize("num_categories", [2, 5])
def test_draws_have_their_laws_and_agree_as_often_as_computed(num_categories, rng):
    for logits, other in zip(*pairs(rng, 3, num_categories), strict=True):
        gumbels = noise.gumbel((DRAWS, num_categories), generator=rng)
        first, second = decoding.coupled_sample(logits, other, gumbels)
        share = decoding.agreement(logits, other)
        error = np.sqrt(share * (1 - share) / DRAWS)
        assert abs((first == second).mean() - share) < 5 * error
        for index, each in ((first, logits), (second, other)):
            share = np.bincount(index, minlength=num_categories) / DRAWS
            probs = categorical.probs(each)
            assert (abs(share - probs) < 5.5 * np.sqrt(probs / DRAWS)).all()


def test_the_agreement_is_the_sum_over_all_pairs_of_categories(rng):
    p, q = (categorical.probs(each) for each in pairs(rng, 200, 7))
    slow = np.zeros(200)
    for k in range(7):
        rates = np.maximum(p / p[:, k : k + 1], q / q[:, k : k + 1])
        slow += 1 / rates.sum(-1)
    np.testing.assert_allclose(
        decoding.agreement(np.log(p), np.log(q)), slow, rtol=1e-13
    )


def test_the_agreement_lies_between_its_bounds_and_reaches_the_upper_for_two(rng):
    for num_categories in (2, 3, 20):
        logits, other = pairs(rng, 500, num_categories)
        low, high = decoding.agreement_bounds(logits, other)
        share = decoding.agreement(logits, other)
        assert (low < share + 1e-14).all()
        assert (share < high + 1e-14).all()
        if num_categories == 2:
            np.testing.assert_allclose(share, high, rtol=1e-12)
        else:
            assert (share < high - 1e-6).mean() > 0.9


def test_categories_that_one_law_excludes_lose_one_race():
    logits, other = np.array([0.0, 0.0, -np.inf]), np.array([0.0, -np.inf, 0.0])
    # Token 0 wins both where its exponential is below two others of rates 1 and 1.
    assert decoding.agreement(logits, other) == pytest.approx(1 / 3, rel=1e-15)
    assert decoding.total_variation(logits, other) == pytest.approx(0.5)
    # Laws that are equal where both are positive reach the lower bound.
    assert decoding.agreement_bounds(logits, other)[0] == pytest.approx(1 / 3)
    apart = np.array([-np.inf, 0.0, -np.inf])
    assert decoding.agreement(apart, other) == 0
    assert decoding.agreement(logits, logits) == pytest.approx(1, rel=1e-15)


def test_laws_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="other_logits must have one entry for each"):
        decoding.total_variation(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="other_logits must have the shape"):
        decoding.agreement(np.zeros((2, 3)), np.zeros(3))
