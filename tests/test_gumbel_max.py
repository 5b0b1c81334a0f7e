"""Gumbel-Max: the law of the winner, of the maximum, of the noise given the winner, and of the top k."""

from itertools import permutations

import numpy as np
import pytest
import scipy.stats
import torch

from gumbel_tutorial import categorical, checks, gumbel_max, noise
from gumbel_tutorial.book import statistics

FAILURE_RATE = 1e-4
DRAWS = 100_000


def p_value(index, probs):
    counts = np.bincount(np.asarray(index).ravel(), minlength=len(probs))
    return statistics.chi_square_p_value(counts, probs)


@pytest.mark.parametrize(
    "weights", [[6, 3, 1], [1, 1], [1, 2, 3, 4, 5, 6, 7, 8], [1, 0, 3, 0.01]]
)
@pytest.mark.parametrize("shift", [0.0, 5000.0])
def test_the_argmax_of_perturbed_logits_follows_softmax(
    weights, shift, generator, to_array
):
    with np.errstate(divide="ignore"):
        logits = np.log(weights) + shift
    draws = np.asarray(
        noise.gumbel((DRAWS, len(weights)), generator=generator, dtype="float64")
    )
    index = gumbel_max.argmax_sample(to_array(logits), to_array(draws))
    assert p_value(index, np.asarray(weights) / sum(weights)) > FAILURE_RATE


WRONG_NOISE = {
    "Gaussian": lambda rng, shape: rng.standard_normal(shape),
    "sign dropped": lambda rng, shape: -rng.gumbel(size=shape),
    "one logarithm": lambda rng, shape: -np.log(rng.random(shape)),
    "shared by two categories": lambda rng, shape: rng.gumbel(size=shape)[
        ..., [0, 1, 1]
    ],
    "scale 1.05": lambda rng, shape: 1.05 * rng.gumbel(size=shape),
}


@pytest.mark.parametrize("name", WRONG_NOISE)
def test_the_check_rejects_wrong_noise(name, rng, example_logits):
    index = gumbel_max.argmax_sample(example_logits, WRONG_NOISE[name](rng, (DRAWS, 3)))
    assert p_value(index, [0.6, 0.3, 0.1]) < FAILURE_RATE


def test_masked_categories_are_never_drawn(generator, to_array, rng):
    logits = rng.standard_normal((DRAWS, 5))
    closed = rng.random((DRAWS, 5)) < 0.7
    closed[np.arange(DRAWS), rng.integers(5, size=DRAWS)] = False
    logits[closed] = -np.inf
    draws = np.asarray(noise.gumbel((DRAWS, 5), generator=generator, dtype="float64"))
    index = np.asarray(gumbel_max.argmax_sample(to_array(logits), to_array(draws)))
    assert not closed[np.arange(DRAWS), index].any()
    ordered = gumbel_max.top_k_sample(to_array(logits), to_array(draws), 1)
    np.testing.assert_array_equal(np.asarray(ordered)[:, 0], index)


def test_an_all_masked_row_is_an_error_that_names_the_row(to_array):
    logits = np.zeros((2, 4, 3))
    logits[1, 2] = -np.inf
    zeros = to_array(np.zeros((2, 4, 3)))
    index = to_array(np.zeros((2, 4)), dtype="int64")
    for call in (
        lambda: gumbel_max.argmax_sample(to_array(logits), zeros),
        lambda: gumbel_max.noise_given_index(to_array(logits), index, zeros),
        lambda: gumbel_max.top_k_sample(to_array(logits), zeros, 1),
        lambda: gumbel_max.top_k_weights(to_array(logits), zeros, 1),
        lambda: gumbel_max.max_location(to_array(logits)),
    ):
        with pytest.raises(ValueError, match=r"only -inf in the row at index \(1, 2\)"):
            call()


@pytest.mark.parametrize("offset", [1e7, -1e7])
def test_a_common_offset_costs_the_noise_nothing(offset, generator, to_array):
    logits = to_array(np.full(3, offset), dtype="float32")
    draws = np.asarray(noise.gumbel((DRAWS, 3), generator=generator, dtype="float32"))
    index = gumbel_max.argmax_sample(logits, to_array(draws, dtype="float32"))
    assert p_value(index, [1 / 3] * 3) > FAILURE_RATE
    ordered = gumbel_max.top_k_sample(logits, to_array(draws, dtype="float32"), 2)
    assert p_value(np.asarray(ordered)[:, 1], [1 / 3] * 3) > FAILURE_RATE
    # The twin: added to the offset itself, the noise is rounded to whole numbers, and ties.
    tied = (np.full(3, offset, dtype=np.float32) + draws).argmax(-1)
    assert p_value(tied, [1 / 3] * 3) < FAILURE_RATE


def test_the_location_of_the_maximum_is_rounded_once():
    many = np.zeros(70_000, np.float16)
    assert gumbel_max.max_location(many) == np.float16(np.log(70_000))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_logits_are_compared_in_float32(dtype, torch_generator):
    kind = getattr(torch, dtype)
    logits = torch.randn(64, generator=torch_generator).to(kind)
    probs = categorical.probs(logits.double()).numpy()
    in_float32, in_dtype = [], []
    for _ in range(100):
        draws = noise.gumbel((10_000, 64), generator=torch_generator)
        in_float32.append(gumbel_max.argmax_sample(logits, draws))
        in_dtype.append((logits + draws.to(kind)).argmax(-1))
    assert p_value(torch.cat(in_float32), probs) > FAILURE_RATE
    if dtype == "bfloat16":  # the twin: compared in the dtype, where sums tie and round
        assert p_value(torch.cat(in_dtype), probs) < FAILURE_RATE


def test_the_maximum_is_gumbel_at_logsumexp_and_independent_of_the_winner(
    rng, example_logits
):
    draws = noise.gumbel((DRAWS, 3), generator=rng)
    perturbed = example_logits + draws
    location = float(gumbel_max.max_location(example_logits))
    assert location == pytest.approx(np.log(10), rel=1e-15)
    law = scipy.stats.gumbel_r(location).cdf
    index = gumbel_max.argmax_sample(example_logits, draws)
    assert scipy.stats.kstest(perturbed.max(-1), law).pvalue > FAILURE_RATE
    for category in range(3):
        maximum = perturbed.max(-1)[index == category]
        assert scipy.stats.kstest(maximum, law).pvalue > FAILURE_RATE
    # The twin: the value of a fixed competitor does depend on who won.
    assert (
        scipy.stats.kstest(
            perturbed[index == 1, 0], scipy.stats.gumbel_r(np.log(6)).cdf
        ).pvalue
        < 1e-8
    )


def test_the_noise_given_the_winner_makes_it_win(generator, to_array, rng):
    logits = rng.uniform(-1e4, 1e4, (2000, 6))
    logits[::2] /= 1e4
    logits[::3, 4] = -np.inf
    index = rng.integers(4, size=2000)
    free = np.asarray(noise.gumbel((2000, 6), generator=generator, dtype="float64"))
    given = gumbel_max.noise_given_index(
        to_array(logits), to_array(index, dtype="int64"), to_array(free)
    )
    assert np.isfinite(np.asarray(given)).all()
    np.testing.assert_array_equal(
        np.asarray(gumbel_max.argmax_sample(to_array(logits), given)), index
    )


def test_the_noise_given_the_winner_equals_rejection(rng, example_logits):
    draws = noise.gumbel((600_000, 3), generator=rng)
    index = gumbel_max.argmax_sample(example_logits, draws)
    for winner in range(3):
        kept = draws[index == winner][:40_000]
        free = noise.gumbel(kept.shape, generator=rng)
        given = gumbel_max.noise_given_index(
            example_logits, np.full(len(kept), winner), free
        )
        for category in range(3):
            assert (
                scipy.stats.ks_2samp(kept[:, category], given[:, category]).pvalue
                > FAILURE_RATE
            )
        np.testing.assert_allclose(np.corrcoef(kept.T), np.corrcoef(given.T), atol=0.03)


def test_the_rejection_check_rejects_the_noise_of_another_winner(rng, example_logits):
    draws = noise.gumbel((100_000, 3), generator=rng)
    kept = draws[gumbel_max.argmax_sample(example_logits, draws) == 0][:10_000]
    given = gumbel_max.noise_given_index(
        example_logits, np.ones(10_000, int), noise.gumbel((10_000, 3), generator=rng)
    )
    assert scipy.stats.ks_2samp(kept[:, 0], given[:, 0]).pvalue < 1e-8


def test_the_posterior_averaged_over_winners_is_the_prior(rng, example_logits):
    index = rng.choice(3, size=DRAWS, p=[0.6, 0.3, 0.1])
    free = noise.gumbel((DRAWS, 3), generator=rng)
    given = gumbel_max.noise_given_index(example_logits, index, free)
    for category in range(3):
        assert (
            scipy.stats.kstest(given[:, category], scipy.stats.gumbel_r.cdf).pvalue
            > FAILURE_RATE
        )


def test_excluded_categories_keep_their_free_noise(to_array):
    free = to_array([0.3, -0.2, 1.1])
    given = gumbel_max.noise_given_index(
        to_array([0.0, -np.inf, 1.0]), to_array(0, dtype="int64"), free
    )
    assert float(given[1]) == float(free[1])


def test_a_winner_that_cannot_win_is_refused(to_array):
    with pytest.raises(ValueError, match="index must be a category above -inf, got 1"):
        gumbel_max.noise_given_index(
            to_array([0.0, -np.inf]), to_array(1, dtype="int64"), to_array([0.0, 0.0])
        )


def test_the_noise_given_the_winner_is_differentiable(torch_generator):
    logits = torch.randn(
        3, 4, dtype=torch.float64, generator=torch_generator, requires_grad=True
    )
    free = noise.gumbel((3, 4), generator=torch_generator, dtype="float64")
    index = torch.tensor([0, 3, 1])
    torch.autograd.gradcheck(
        lambda x: gumbel_max.noise_given_index(x, index, free), [logits]
    )


def plackett_luce(probs, order):
    left, total = 1.0, 1.0
    for category in order:
        total *= probs[category] / left
        left -= probs[category]
    return total


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_top_k_is_a_plackett_luce_draw(k, rng, to_array):
    probs = np.array([0.4, 0.3, 0.2, 0.1])
    orders = list(permutations(range(4), k))
    draws = noise.gumbel((DRAWS, 4), generator=rng)
    sample = np.asarray(
        gumbel_max.top_k_sample(to_array(np.log(probs)), to_array(draws), k)
    )
    codes = sample @ (4 ** np.arange(k))
    counts = [(codes == np.dot(order, 4 ** np.arange(k))).sum() for order in orders]
    law = np.array([plackett_luce(probs, order) for order in orders])
    assert statistics.chi_square_p_value(counts, law) > FAILURE_RATE
    ours = gumbel_max.top_k_log_prob(
        to_array(np.log(probs)), to_array(orders, dtype="int64")
    )
    np.testing.assert_allclose(np.exp(np.asarray(ours)), law, rtol=1e-12)
    if k > 1:  # the twin: k independent draws are no sample without replacement
        codes = rng.choice(4, size=(DRAWS, k), p=probs) @ (4 ** np.arange(k))
        counts = [(codes == np.dot(order, 4 ** np.arange(k))).sum() for order in orders]
        assert statistics.chi_square_p_value(counts, law) < FAILURE_RATE


def threshold_weights(probs, values, k, rank):
    """Weigh the k largest by the chance to pass the value of the given rank, in plain NumPy."""
    ordered = np.sort(values, axis=-1)[:, ::-1]
    passing = 1 - np.exp(-probs * np.exp(-ordered[:, rank - 1, None]))
    return np.where(values >= ordered[:, k - 1, None], probs / passing, 0.0)


@pytest.mark.parametrize("k", [2, 3])
def test_the_weights_of_the_top_k_have_the_probabilities_as_means(k, rng, to_array):
    probs = np.array([0.5, 0.3, 0.15, 0.04, 0.01])
    draws = noise.gumbel((DRAWS, 5), generator=rng)
    given = to_array(np.log(probs)), to_array(draws)
    weights = np.asarray(gumbel_max.top_k_weights(*given, k))
    drawn = np.asarray(gumbel_max.top_k_sample(*given, k))
    assert ((weights > 0).sum(-1) == k).all()
    assert (np.take_along_axis(weights, drawn, -1) > 0).all()
    values = np.log(probs) + draws
    expected = threshold_weights(probs, values, k, rank=k + 1)
    np.testing.assert_allclose(weights, expected, rtol=1e-9)
    # Five means, normal to the precision of the bound: beyond 4.6 errors with probability 2e-5.
    error = statistics.standard_error(weights)
    assert (np.abs(weights.mean(0) - probs) < 4.6 * error).all()
    # The twin: the k-th value as threshold, which belongs to the sample itself.
    wrong = threshold_weights(probs, values, k, rank=k)
    error = statistics.standard_error(wrong)
    assert (np.abs(wrong.mean(0) - probs) > 4.6 * error).any()


def test_the_weights_of_all_categories_are_the_probabilities(to_array):
    logits = to_array([1.0, -2.0, -np.inf, 0.5])
    draws = to_array([0.3, 2.0, 5.0, -1.0])
    ours = np.asarray(gumbel_max.top_k_weights(logits, draws, 3))
    np.testing.assert_allclose(ours, np.asarray(categorical.probs(logits)), rtol=1e-12)
    whole = to_array([1.0, -2.0, 0.5])
    ours = np.asarray(gumbel_max.top_k_weights(whole, to_array([0.3, 2.0, -1.0]), 3))
    np.testing.assert_allclose(ours, np.asarray(categorical.probs(whole)), rtol=1e-12)


def test_weights_survive_a_chance_that_rounds_to_zero(to_array):
    # Category 2 passes the threshold -1 with the chance 1 - exp(-e^-1e4), and weighs e^-1e4 over that.
    logits, draws = to_array([0.0, -1e4, 0.0]), to_array([-1.0, 1e4 + 1.0, 0.0])
    ours = np.asarray(gumbel_max.top_k_weights(logits, draws, 2))
    share = 0.5 / (1 - np.exp(-np.exp(1.0)))
    np.testing.assert_allclose(ours, [0.0, 0.5 * np.exp(-1.0), share], rtol=1e-11)


def test_the_derivative_of_the_weighted_sum_is_unbiased(torch_generator):
    values = torch.tensor([2.0, -1.0, 0.5, 3.0], dtype=torch.float64)
    logits = torch.tensor([0.5, 0.0, -0.5, -1.5], dtype=torch.float64)
    draws = noise.gumbel((DRAWS, 4), generator=torch_generator, dtype="float64")
    rows = logits.expand(DRAWS, 4).clone().requires_grad_()
    (gumbel_max.top_k_weights(rows, draws, 2) @ values).sum().backward()
    probs = logits.softmax(-1)
    exact = probs * (values - probs @ values)
    gap = (rows.grad.mean(0) - exact).abs().numpy()
    assert (gap < 4.6 * statistics.standard_error(rows.grad.numpy())).all()


def test_the_log_probability_of_an_order_survives_far_logits(to_array):
    logits = to_array([1e4, 0.0, -1e4])
    indices = to_array([[2, 1, 0], [0, 1, 2]], dtype="int64")
    assert np.asarray(gumbel_max.top_k_log_prob(logits, indices)).tolist() == [
        -3e4,
        0.0,
    ]


def test_the_log_probability_of_an_excluded_category_is_minus_infinity(to_array):
    logits = to_array([0.0, 0.0, -np.inf])
    indices = to_array([[0, 1, 2], [2, 0, 1]], dtype="int64")
    assert np.asarray(gumbel_max.top_k_log_prob(logits, indices)).tolist() == [
        -np.inf,
        -np.inf,
    ]


def test_the_log_probability_of_an_order_passes_gradcheck(torch_generator):
    logits = torch.randn(
        2, 4, dtype=torch.float64, generator=torch_generator, requires_grad=True
    )
    indices = torch.tensor([[3, 1, 0], [0, 1, 2]])
    torch.autograd.gradcheck(lambda x: gumbel_max.top_k_log_prob(x, indices), [logits])


def test_an_excluded_category_spoils_the_gradient_of_no_other_row():
    logits = torch.tensor([[0.0, -torch.inf], [0.0, 0.0]], requires_grad=True)
    order = torch.tensor([[0, 1], [1, 0]])
    gumbel_max.top_k_log_prob(logits, order)[1].backward()
    assert logits.grad.tolist() == [[0.0, 0.0], [-0.5, 0.5]]


def test_winners_that_fit_no_batch_are_refused_by_name(to_array):
    logits, draws = to_array(np.zeros((4, 3))), to_array(np.zeros((4, 3)))
    five = to_array(np.zeros(5), dtype="int64")
    with pytest.raises(ValueError, match="index must broadcast against the batch of l"):
        gumbel_max.noise_given_index(logits, five, draws)
    with pytest.raises(ValueError, match="index must broadcast against the batch of n"):
        gumbel_max.noise_given_index(logits[0], five, draws)
    with pytest.raises(
        TypeError, match="index must be an array of NumPy, torch or JAX"
    ):
        gumbel_max.noise_given_index(logits, 1, draws)
    with pytest.raises(ValueError, match="indices must broadcast against the batch of"):
        gumbel_max.top_k_log_prob(logits, five[:, None])
    with pytest.raises(ValueError, match=r"indices must have axis -1, got shape \(\)"):
        gumbel_max.top_k_log_prob(logits[0], five[0, ...])


@pytest.mark.parametrize(
    ("k", "message"),
    [
        (0, "at least 1, got 0"),
        (1.5, "at least 1, got 1.5"),
        (3, r"at most the 2 open categories of row \(1,\)"),
    ],
)
def test_a_k_that_cannot_be_drawn_is_refused(k, message, to_array):
    logits = to_array([[0.0, 0.0, 0.0], [0.0, 0.0, -np.inf]])
    with pytest.raises(ValueError, match=message):
        gumbel_max.top_k_sample(logits, to_array(np.zeros((2, 3))), k)
    with pytest.raises(ValueError, match=message):
        gumbel_max.top_k_weights(logits, to_array(np.zeros((2, 3))), k)


def test_a_k_above_the_categories_of_the_only_row_is_refused_without_a_row(to_array):
    zeros = to_array([0.0] * 3)
    message = "k must be at most the 3 open categories, got 4"
    with pytest.raises(ValueError, match=message):
        gumbel_max.top_k_sample(zeros, zeros, 4)
    with (
        checks.check_values(False),
        pytest.raises(ValueError, match="k must be at most the 3 categories, got 4"),
    ):
        gumbel_max.top_k_sample(zeros, zeros, 4)


def test_repeated_indices_are_refused(to_array):
    with pytest.raises(
        ValueError, match="indices must be distinct in every row, got 1 twice"
    ):
        gumbel_max.top_k_log_prob(
            to_array(np.zeros(3)), to_array([0, 1, 1], dtype="int64")
        )


def test_one_category_always_wins(to_array):
    assert int(gumbel_max.argmax_sample(to_array([2.0]), to_array([-1.0]))) == 0
    given = gumbel_max.noise_given_index(
        to_array([2.0]), to_array(0, dtype="int64"), to_array([-1.0])
    )
    assert np.asarray(given).tolist() == [-1.0]


def test_common_noise_couples_a_batch_of_laws(to_array, rng):
    logits = to_array(rng.standard_normal((5, 3)))
    shared = to_array(rng.gumbel(size=3))
    index = gumbel_max.argmax_sample(logits, shared)
    assert index.shape == (5,)
