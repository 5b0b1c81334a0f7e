"""Standard errors and tests of fit."""

import numpy as np
import pytest
import scipy.stats

from gumbel_tutorial.book import statistics


def test_the_standard_error_agrees_with_scipy(rng):
    samples = rng.standard_normal((50, 3))
    np.testing.assert_allclose(
        statistics.standard_error(samples), scipy.stats.sem(samples)
    )
    np.testing.assert_allclose(
        statistics.standard_error(samples, axis=1), scipy.stats.sem(samples, axis=1)
    )


def test_one_draw_has_no_standard_error():
    with pytest.raises(ValueError, match="samples must hold at least two draws, got 1"):
        statistics.standard_error([1.0])


def test_frequencies_count_every_category():
    assert statistics.frequencies([[0, 3], [3, 3]], 5).tolist() == [0.25, 0, 0, 0.75, 0]


def test_an_index_beyond_the_categories_has_no_share():
    with pytest.raises(ValueError, match=r"index must lie in 0 \.\.\. 2, got 5"):
        statistics.frequencies([5], 3)


def test_total_variation_is_the_largest_gap_of_any_event(rng):
    p, q = rng.dirichlet(np.ones(4), 2)
    events = (np.arange(16)[:, None] >> np.arange(4)) & 1
    assert statistics.total_variation(p, q) == pytest.approx(
        np.abs(events @ (p - q)).max()
    )


def test_p_values_of_the_right_law_are_uniform_and_of_a_wrong_law_are_not(rng):
    probs = np.array([0.5, 0.3, 0.2])
    counts = rng.multinomial(1000, probs, size=500)
    p_values = [statistics.chi_square_p_value(row, probs) for row in counts]
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 1e-4
    wrong = [statistics.chi_square_p_value(row, [0.4, 0.4, 0.2]) for row in counts]
    assert np.median(wrong) < 1e-4


def test_counts_in_an_impossible_category_are_rejected_outright():
    assert statistics.chi_square_p_value([50, 50, 1], [0.5, 0.5, 0.0]) == 0
    assert statistics.chi_square_p_value([50, 50, 0], [0.5, 0.5, 0.0]) == 1


def test_a_test_without_power_is_refused():
    with pytest.raises(
        ValueError, match="expected at least 5 times in every category, got 1"
    ):
        statistics.chi_square_p_value([99, 1], [0.99, 0.01])


@pytest.mark.parametrize("probs", [[0.3, 0.2], [0.6, 0.5], [np.nan, 0.5]])
def test_probabilities_that_do_not_sum_to_one_are_refused(probs):
    with pytest.raises(ValueError, match=f"probs must sum to one, got {sum(probs):g}"):
        statistics.chi_square_p_value([60, 40], probs)


def test_half_widths_hold_the_mean_as_often_as_they_say(rng):
    samples = rng.normal(3.0, 2.0, size=(4000, 3))
    for confidence, least, most in ((0.95, 0.94, 0.96), (0.5, 0.475, 0.525)):
        widths = [statistics.half_width(row, confidence=confidence) for row in samples]
        held = np.abs(samples.mean(1) - 3.0) < widths
        assert least < held.mean() < most


def test_an_interval_names_its_mean_first():
    assert statistics.interval([1.0, 3.0], ".2f") == "2.00 ± 12.71"
    # Two draws have one degree of freedom: the quantile is the tangent of half the confidence in turns.
    assert statistics.interval([1.0, 3.0], confidence=0.5) == "2.0 ± 1.0"


def test_half_widths_of_too_little_are_refused():
    with pytest.raises(ValueError, match="samples must hold at least two draws, got 1"):
        statistics.half_width([1.0])
    with pytest.raises(ValueError, match=r"confidence must lie in \(0, 1\), got 1"):
        statistics.half_width([1.0, 2.0], confidence=1.0)


def test_of_two_rows_the_honest_difference_is_that_of_paired_differences(rng):
    for blocks in (2, 3, 8):
        pair = rng.standard_normal((2, blocks))
        for confidence in (0.5, 0.99):
            assert statistics.honest_difference(
                pair, confidence=confidence
            ) == pytest.approx(
                statistics.half_width(pair[1] - pair[0], confidence=confidence)
            )


def test_equal_rows_differ_honestly_as_often_as_is_said(rng):
    # 20,000 tables of ten equal rows in three blocks, with effects of the blocks: the share of tables with
    # a false difference, between any two rows, has a standard error of 0.0015; five of them are allowed.
    tables = rng.standard_normal((20_000, 10, 3)) + 5 * rng.standard_normal(
        (20_000, 1, 3)
    )
    first = tables[0]
    per_deviation = statistics.honest_difference(first) / statistics.residual_deviation(
        first
    )
    deviations = np.array([statistics.residual_deviation(table) for table in tables])
    farthest = np.ptp(tables.mean(-1), axis=1)
    found = (farthest > per_deviation * deviations).mean()
    assert found == pytest.approx(0.05, abs=5 * 0.0015)


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (3,), (2, 2, 2)])
def test_rows_that_leave_no_residual_are_refused(shape):
    with pytest.raises(ValueError, match="two rows and two blocks at least, got shape"):
        statistics.honest_difference(np.zeros(shape))


def test_a_confidence_of_one_leaves_no_honest_difference():
    with pytest.raises(ValueError, match="confidence must lie in"):
        statistics.honest_difference(np.eye(2), confidence=1.0)


def test_groups_hold_about_the_same_probability_and_every_draw(rng):
    probs = rng.dirichlet(np.full(1000, 0.5))
    index = rng.choice(1000, 50_000, p=probs)
    counts, shares = statistics.by_group(index, probs)
    assert counts.sum() == 50_000
    assert len(shares) == 20
    np.testing.assert_allclose(shares, 1 / 20, atol=2 * probs.max())
    assert statistics.chi_square_p_value(counts, shares) > 1e-6
    others, _ = statistics.by_group(rng.integers(1000, size=50_000), probs)
    assert statistics.chi_square_p_value(others, shares) < 1e-6


def test_a_group_is_its_only_category_where_that_holds_nearly_all():
    counts, shares = statistics.by_group([0, 0, 1, 2], [0.9, 0.05, 0.05], 4)
    np.testing.assert_array_equal(counts, [2, 2])
    np.testing.assert_allclose(shares, [0.9, 0.1])


def test_of_true_hypotheses_holm_calls_any_told_as_often_as_is_said(rng):
    # 20,000 families of five uniform p-values: the least is below a fifth of 0.05 with probability
    # 1 - 0.99^5 = 0.049, known to 0.0015; five standard errors are allowed. Uncorrected it is 0.226.
    families = rng.uniform(size=(20_000, 5))
    corrected = np.array([statistics.holm(family).min() for family in families])
    assert (corrected <= 0.05).mean() == pytest.approx(1 - 0.99**5, abs=5 * 0.0015)
    assert (families.min(1) <= 0.05).mean() > 0.2


def test_holm_steps_down_and_keeps_the_order():
    assert statistics.holm([0.5, 0.001, 0.02]).tolist() == pytest.approx(
        [0.5, 0.003, 0.04]
    )
    assert statistics.holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert statistics.holm([]).tolist() == []


@pytest.mark.parametrize("wrong", [[0.5, 1.5], [-0.1], [float("nan")]])
def test_what_is_no_p_value_is_refused(wrong):
    with pytest.raises(ValueError, match=r"p_values must lie in \[0, 1\], got"):
        statistics.holm(wrong)
    with pytest.raises(ValueError, match="p_values must be a vector, got shape"):
        statistics.holm([wrong])
