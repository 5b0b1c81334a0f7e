"""One entry for draws: every way draws from its law, and the choice is visible and may be forced."""

from itertools import permutations

import array_api_strict
import numpy as np
import pytest
import torch
from scipy import stats

from gumbel_tutorial import categorical, gumbel_max
from gumbel_tutorial.book import statistics

FAILURE_RATE = 1e-6
WITH = ["gumbel-max", "inverse-cdf", "alias"]
WITHOUT = ["top-k", "distinct"]
WEIGHTS = np.array([0.5, 0.3, 0.1, 0.07, 0.03])


def torch_generator(seed=0):
    return torch.Generator().manual_seed(seed)


LIBRARIES = {
    "NumPy": (np.asarray, np.random.default_rng),
    "torch": (torch.as_tensor, torch_generator),
    "strict": (array_api_strict.asarray, np.random.default_rng),
}


@pytest.fixture(params=LIBRARIES)
def library(request):
    return LIBRARIES[request.param]


@pytest.mark.parametrize("method", WITH)
@pytest.mark.parametrize("spread", [0, 1])
def test_draws_with_replacement_have_the_categorical_law(method, spread, library):
    to_array, generator = library
    # As few categories as a block holds, and so many that there are blocks, of which the last is short.
    logits = np.log(WEIGHTS) if spread == 0 else np.linspace(-3, 3, 50)
    draws = categorical.sample(
        to_array(logits), generator=generator(0), num_samples=40_000, method=method
    )
    counts = np.bincount(np.asarray(draws), minlength=len(logits))
    probs = np.exp(logits) / np.exp(logits).sum()
    assert statistics.chi_square_p_value(counts, probs) > FAILURE_RATE
    # The noncentral law of the statistic lets this twin pass once in 1e20 runs.
    tilted = probs**1.1 / (probs**1.1).sum()
    assert statistics.chi_square_p_value(counts, tilted) < FAILURE_RATE


@pytest.mark.parametrize("method", WITHOUT)
def test_draws_without_replacement_have_the_law_of_plackett_and_luce(method, library):
    to_array, generator = library
    rows, k = 60_000, 4
    # Half the probability on one of five: one row in thirteen runs out of distinct draws.
    logits = to_array(np.broadcast_to(np.log(WEIGHTS**2), (rows, 5)).copy())
    draws = np.asarray(
        categorical.sample(
            logits,
            generator=generator(1),
            num_samples=k,
            replacement=False,
            method=method,
        )
    )
    orders = np.array(list(permutations(range(5), k)))
    one_row = np.log(WEIGHTS**2)
    probs = np.exp(gumbel_max.top_k_log_prob(one_row, orders))
    counts = (draws[:, None, :] == orders).all(-1).sum(0)
    assert counts.sum() == rows
    often = probs * rows >= 5
    grouped = np.append(counts[often], counts[~often].sum())
    expected = np.append(probs[often], probs[~often].sum())
    assert statistics.chi_square_p_value(grouped, expected) > FAILURE_RATE
    # The order counts: the same sets the other way round have another law.
    back = np.exp(gumbel_max.top_k_log_prob(one_row, orders[:, ::-1].copy()))
    assert stats.chisquare(counts, back * rows / back.sum()).pvalue < FAILURE_RATE


def test_a_row_that_runs_out_of_draws_keeps_them():
    """Nineteen of twenty draws are one category: nearly every row goes on by Gumbel noise."""
    logits = torch.log(torch.tensor([0.98, 0.01, 0.006, 0.004])).expand(30_000, 4)
    draws = categorical.sample(
        logits,
        generator=torch_generator(),
        num_samples=3,
        replacement=False,
        method="distinct",
    )
    counts = np.bincount(draws[:, 0].numpy(), minlength=4)
    assert statistics.chi_square_p_value(counts, [0.98, 0.01, 0.006, 0.004]) > 1e-6
    second = np.bincount(draws[draws[:, 0] == 0, 1].numpy(), minlength=4)[1:]
    assert statistics.chi_square_p_value(second, [0.5, 0.3, 0.2]) > FAILURE_RATE
    assert all(len(set(row)) == 3 for row in draws[:500].tolist())


@pytest.mark.parametrize("method", [*WITH, *WITHOUT])
def test_the_shape_is_the_batch_and_the_number_and_an_excluded_category_stays_out(
    method, library
):
    to_array, generator = library
    batch = () if method == "alias" else (2, 3)
    values = np.zeros((*batch, 7))
    values[..., 2] = -np.inf
    draws = categorical.sample(
        to_array(values),
        generator=generator(0),
        num_samples=6,
        replacement=method in WITH,
        method=method,
    )
    assert tuple(draws.shape) == (*batch, 6)
    assert not np.any(np.asarray(draws) == 2)
    assert categorical.sample(to_array(values), generator=generator(0)).shape[-1] == 1


def test_rows_are_drawn_from_their_own_laws(library):
    to_array, generator = library
    logits = np.full((3, 100), -np.inf)
    logits[range(3), [5, 70, 99]] = 0
    for method in ("gumbel-max", "inverse-cdf"):
        draws = categorical.sample(
            to_array(logits), generator=generator(0), num_samples=4, method=method
        )
        np.testing.assert_array_equal(
            np.asarray(draws), np.repeat([5, 70, 99], 4).reshape(3, 4)
        )


def test_a_seed_repeats_and_the_choice_is_the_one_that_is_named():
    for shape, number, replacement in [
        ((4, 10), 3, True),
        ((4, 1000), 3, True),
        ((10,), 1000, True),
        ((4, 20), 5, False),
        ((2, 20_000), 5, False),
    ]:
        logits = torch.randn(shape, generator=torch_generator(3))
        named = categorical.sampling_method(shape, number, replacement)
        options = {"num_samples": number, "replacement": replacement}
        by_size, forced = (
            categorical.sample(
                logits, generator=torch_generator(), method=method, **options
            )
            for method in (None, named)
        )
        assert torch.equal(by_size, forced)


def upper_edges(logits, index):
    """Return the numbers up to which categories are drawn at most, by bisection."""
    low, high = np.zeros(len(index)), np.ones(len(index))
    for _ in range(56):
        middle = (low + high) / 2
        inside = np.clip(middle, 2.0**-60, 1 - 2.0**-53)
        above = categorical.inverse_cdf_sample(logits, inside) > index
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.where(index == len(logits) - 1, 1.0, high)


SIZES = [(k, n) for k in (1, 2, 31, 1000, 50_257, 10**6) for n in (8, 1200)]
SIZES[-1] = pytest.param(*SIZES[-1], marks=pytest.mark.slow)


@pytest.mark.parametrize(("num_categories", "number"), SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_inverse_distribution_function_gives_each_category_its_probability(
    num_categories, dtype, number
):
    """The numbers at which the category changes are found, and nothing is sampled.

    Few of them are looked for in two steps, many in one.
    """
    rng = np.random.default_rng(5)
    logits = (3 * rng.standard_normal(num_categories)).astype(dtype)
    # The last ones too, which stand in a block that may be shorter.
    index = rng.integers(0, num_categories, number)
    index[:4] = np.maximum(num_categories - np.array([1, 2, 20, 60]), 0)
    index = np.unique(index)
    before = np.where(index == 0, 0.0, upper_edges(logits, np.maximum(index - 1, 0)))
    exact = np.exp(logits.astype(np.float64) - logits.max())
    exact = (exact / exact.sum())[index]
    # An edge is a double below one: it may be off by a unit of 2^-53 on both sides.
    error = np.abs(upper_edges(logits, index) - before - exact)
    assert (error <= 5e-6 * exact + 4 * 2.0**-53).all()


def test_bad_arguments_are_refused_by_name():
    logits, generator = torch.zeros(2, 5), torch_generator()

    def refused(message, error=ValueError, logits=logits, **options):
        with pytest.raises(error, match=message):
            categorical.sample(logits, **{"generator": generator, **options})

    refused("num_samples must be a whole number of at least 1, got 0", num_samples=0)
    refused(
        "num_samples must be at most the 5 open categories",
        num_samples=6,
        replacement=False,
    )
    refused(
        "method must be 'gumbel-max' or 'inverse-cdf' or 'alias' with replacement, "
        "got 'top-k'",
        method="top-k",
    )
    refused(
        "method must be 'top-k' or 'distinct' without replacement, got 'alias'",
        method="alias",
        replacement=False,
    )
    refused("logits must have one axis", method="alias")
    refused(
        "generator must be a torch.Generator, got Generator",
        TypeError,
        generator=np.random.default_rng(0),
    )
    refused(
        "generator must be a numpy.random.Generator",
        TypeError,
        logits=np.zeros((2, 500)),
    )
    refused(
        "generator must be a torch.Generator, got NoneType",
        TypeError,
        logits=torch.zeros(2, 500),
        generator=None,
    )


@pytest.mark.parametrize(
    ("method", "replacement"), [("gumbel-max", True), ("top-k", False)]
)
@pytest.mark.parametrize("num_samples", [1, 3])
def test_logits_as_far_apart_as_the_dtype_holds_are_drawn_from_in_silence(
    method, replacement, num_samples
):
    logits = np.array([-3e38, 3e38, 0.0, 2e38], np.float32)
    found = categorical.sample(
        np.tile(logits, (5000, 1)),
        generator=np.random.default_rng(0),
        num_samples=num_samples,
        replacement=replacement,
        method=method,
    )
    assert (found[:, 0] == 1).all()
