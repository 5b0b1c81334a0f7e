"""The categorical law, and the samplers that rival Gumbel-Max."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from gumbel_tutorial import categorical, noise
from gumbel_tutorial.book import statistics

FAILURE_RATE = 1e-4
DRAWS = 200_000


def test_probs_and_log_probs_agree_with_torch(rng):
    logits = torch.as_tensor(5 * rng.standard_normal((20, 6)))
    law = torch.distributions.Categorical(logits=logits)
    torch.testing.assert_close(categorical.probs(logits), law.probs)
    torch.testing.assert_close(categorical.log_probs(logits), law.logits)
    torch.testing.assert_close(categorical.entropy(logits), law.entropy())


def test_logits_matter_up_to_a_constant_only(to_array, example_logits):
    for function in (categorical.probs, categorical.log_probs, categorical.entropy):
        first, second = (
            np.asarray(function(to_array(example_logits + c))) for c in (0, 700)
        )
        np.testing.assert_allclose(first, second, rtol=1e-12)


def test_kl_agrees_with_torch_and_vanishes_on_the_diagonal(rng):
    first, second = torch.as_tensor(rng.standard_normal((2, 20, 6)))
    law = torch.distributions.Categorical
    expected = torch.distributions.kl_divergence(law(logits=first), law(logits=second))
    torch.testing.assert_close(categorical.kl(first, second), expected)
    torch.testing.assert_close(categorical.kl(first, first), torch.zeros(20).double())


def test_an_excluded_category_counts_nothing_in_entropy_and_kl(to_array):
    logits, other = to_array([0.0, 0.0, -np.inf]), to_array([0.0, 0.0, 0.0])
    assert float(categorical.entropy(logits)) == pytest.approx(np.log(2), rel=1e-15)
    assert float(categorical.kl(logits, other)) == pytest.approx(np.log(1.5), rel=1e-15)
    assert float(categorical.kl(logits, logits)) == 0
    assert float(categorical.kl(other, logits)) == np.inf


def test_entropy_and_kl_pass_gradcheck_and_stay_finite_at_an_excluded_category(
    torch_generator,
):
    logits, other = torch.randn(2, 4, 3, dtype=torch.float64, generator=torch_generator)
    inputs = (logits.requires_grad_(), other.requires_grad_())
    torch.autograd.gradcheck(lambda a, _: categorical.entropy(a), inputs)
    torch.autograd.gradcheck(categorical.kl, inputs)
    masked = torch.tensor([0.0, 1.0, -torch.inf], requires_grad=True)
    (categorical.entropy(masked) + categorical.kl(masked, torch.zeros(3))).backward()
    assert masked.grad.isfinite().all()


def test_kl_is_infinite_also_where_the_share_rounds_to_zero(to_array):
    logits, other = to_array([[0.0, -1000.0]] * 2), to_array([[0.0, -np.inf], [0, 0]])
    divergence = np.asarray(categorical.kl(logits, other))
    assert divergence[0] == np.inf
    assert divergence[1] == pytest.approx(np.log(2))


def test_an_infinite_kl_leaves_the_gradient_of_the_other_rows_finite():
    logits = torch.tensor([[0.0, -1000.0], [0.0, -1.0]], requires_grad=True)
    other = torch.tensor([[0.0, -torch.inf], [0.0, 1.0]], requires_grad=True)
    for gradient in torch.autograd.grad(
        categorical.kl(logits, other)[1], (logits, other)
    ):
        assert gradient.isfinite().all()
        assert (gradient[0] == 0).all()
        assert (gradient[1] != 0).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_the_float32_result_rounded_once(dtype, torch_generator):
    kind = getattr(torch, dtype)
    logits, other = torch.randn(2, 50, 7, generator=torch_generator).to(kind)
    for function in (categorical.probs, categorical.log_probs, categorical.entropy):
        assert torch.equal(function(logits), function(logits.float()).to(kind))
    exact = categorical.kl(logits.float(), other.float())
    assert torch.equal(categorical.kl(logits, other), exact.to(kind))


def test_many_categories_keep_their_share_in_half_precision():
    shares = categorical.probs(np.zeros(70_000, np.float16))
    assert shares.dtype == np.float16
    assert (shares > 0).all()
    assert float(categorical.entropy(np.zeros(70_000, np.float16))) > 11


def test_one_hot_vectors_are_the_corners_of_the_simplex(to_array):
    hot = categorical.one_hot(to_array([[2, 0], [1, 1]], dtype="int64"), 3)
    np.testing.assert_array_equal(np.asarray(hot), np.eye(3)[[[2, 0], [1, 1]]])
    index = to_array([0], dtype="int64")
    assert categorical.one_hot(index, 2, dtype=index.dtype).tolist() == [[1, 0]]
    with pytest.raises(ValueError, match=r"index must lie in 0 \.\.\. 2, got 3"):
        categorical.one_hot(to_array([0, 3], dtype="int64"), 3)
    with pytest.raises(TypeError, match="index must have an integer dtype"):
        categorical.one_hot(to_array([0.0]), 3)


def test_two_libraries_are_refused_by_name():
    with pytest.raises(TypeError, match="logits and other_logits must come from one"):
        categorical.kl(np.zeros(2), torch.zeros(2))
    with pytest.raises(TypeError, match="logits and uniform must come from one"):
        categorical.inverse_cdf_sample(np.zeros(2), torch.full((2,), 0.5))
    table = categorical.alias_table(np.zeros(2))
    with pytest.raises(TypeError, match="table and uniform must come from one"):
        categorical.alias_sample(table, torch.full((2,), 0.5))


def test_kl_refuses_another_number_of_categories(to_array):
    with pytest.raises(
        ValueError, match="other_logits must have one entry for each of the 3"
    ):
        categorical.kl(to_array(np.zeros(3)), to_array(np.zeros(2)))


SAMPLERS = {
    "inverse CDF": categorical.inverse_cdf_sample,
    "alias": lambda logits, uniform: categorical.alias_sample(
        categorical.alias_table(logits), uniform
    ),
}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize(
    "weights",
    [[6.0, 3.0, 1.0], [1.0], [0.5, 0.5], [1e-3, 1, 0, 5, 1e-3], list(range(1, 41))],
)
def test_rival_samplers_draw_from_the_categorical_law(
    name, weights, generator, to_array
):
    uniform = np.asarray(noise.uniform(DRAWS, generator=generator, dtype="float64"))
    with np.errstate(divide="ignore"):
        logits = np.log(weights)
    index = np.asarray(SAMPLERS[name](to_array(logits), to_array(uniform)))
    counts = np.bincount(index, minlength=len(weights))
    probs = np.asarray(weights) / np.sum(weights)
    assert counts[probs == 0].sum() == 0
    if len(weights) > 1:
        assert statistics.chi_square_p_value(counts, probs) > FAILURE_RATE


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_check_rejects_uniforms_raised_to_a_power(name, rng, example_logits):
    index = SAMPLERS[name](example_logits, noise.uniform(DRAWS, generator=rng) ** 1.1)
    counts = np.bincount(index, minlength=3)
    assert statistics.chi_square_p_value(counts, [0.6, 0.3, 0.1]) < FAILURE_RATE


def test_the_batched_inverse_cdf_draws_every_row_from_its_own_law(to_array, rng):
    logits = np.log([[6.0, 3.0, 1.0], [1.0, 1.0, 8.0]])
    uniform = rng.random((1000, 2))
    together = np.asarray(
        categorical.inverse_cdf_sample(to_array(logits), to_array(uniform))
    )
    for row in range(2):
        alone = categorical.inverse_cdf_sample(
            to_array(logits[row]), to_array(uniform[:, row])
        )
        np.testing.assert_array_equal(together[:, row], np.asarray(alone))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_inverse_cdf_reaches_every_category_where_a_float32_sum_does_not(
    dtype, to_array
):
    # 50,000 categories after a heavy one: the float32 running sum stops moving.
    logits = np.zeros(50_001)
    logits[0] = np.float32(np.log(1e9))
    heavy = np.exp(logits[0])
    targets = (heavy + np.arange(50_000) + 0.5) / (heavy + 50_000)
    index = np.asarray(
        categorical.inverse_cdf_sample(to_array(logits, dtype), to_array(targets))
    )
    np.testing.assert_array_equal(index, np.arange(1, 50_001))
    probs32 = (np.exp(logits) / np.exp(logits).sum()).astype(np.float32)
    assert (np.diff(np.cumsum(probs32)) == 0).any()


def test_the_alias_table_holds_exactly_the_law(to_array, rng):
    logits = 3 * rng.standard_normal(50)
    table = categorical.alias_table(to_array(logits))
    threshold, alias = np.asarray(table.threshold), np.asarray(table.alias)
    mass = threshold + np.bincount(alias, weights=1 - threshold, minlength=50)
    np.testing.assert_allclose(mass / 50, scipy.special.softmax(logits), rtol=1e-10)


def test_samplers_refuse_what_is_outside_the_unit_interval(to_array, example_logits):
    for sampler in SAMPLERS.values():
        with pytest.raises(ValueError, match=r"uniform must lie in \(0, 1\), got 1.0"):
            sampler(to_array(example_logits), to_array([0.5, 1.0]))


def test_an_alias_table_has_one_law():
    with pytest.raises(
        ValueError, match=r"logits must have one axis, got shape \(2, 3\)"
    ):
        categorical.alias_table(np.zeros((2, 3)))


def test_uniforms_of_another_kind_or_batch_are_refused(to_array, example_logits):
    for sampler in SAMPLERS.values():
        with pytest.raises(
            TypeError, match="uniform must be an array of NumPy, torch or"
        ):
            sampler(to_array(example_logits), 0.5)
    with pytest.raises(ValueError, match="uniform must broadcast against the batch of"):
        categorical.inverse_cdf_sample(to_array(np.zeros((2, 3))), to_array([0.5] * 3))


@pytest.mark.parametrize(
    "weights",
    [
        [1, 3, 0, 2, 2, 0, 4, 4],  # every running sum meets another
        [4, 4, 4, 0, 0, 0, 0, 0],
        [4, 0, 4, 0],  # a heavy one is spent as a light one is filled
        [0, 0, 0, 0, 1, 0, 0, 0],
        [1] * 7,
        [1],
        [2, 1, 1],
        [1e-300, 1, 1e300, 1],
    ],
)
def test_the_alias_table_is_exact_where_running_sums_tie(to_array, weights):
    with np.errstate(divide="ignore"):
        table = categorical.alias_table(to_array(np.log(weights)))
    threshold, alias = np.asarray(table.threshold), np.asarray(table.alias)
    assert (threshold >= 0).all()
    assert (threshold <= 1).all()
    mass = threshold + np.bincount(alias, weights=1 - threshold, minlength=len(weights))
    expected = np.array(weights) / np.sum(weights) * len(weights)
    np.testing.assert_allclose(mass, expected, atol=1e-14)
    assert (mass[np.array(weights) == 0] == 0).all()


def test_the_alias_table_holds_exactly_many_laws(rng):
    for _ in range(200):
        weights = rng.integers(0, 5, size=rng.integers(2, 40)) + (rng.random() < 0.5)
        weights[0] += 1
        with np.errstate(divide="ignore"):
            threshold, alias = categorical.alias_table(np.log(weights))
        mass = threshold + np.bincount(
            alias, weights=1 - threshold, minlength=len(weights)
        )
        expected = weights / weights.sum() * len(weights)
        np.testing.assert_allclose(mass, expected, atol=1e-13)


def test_an_alias_table_is_kept_as_a_pair_of_plain_tensors(tmp_path):
    table = categorical.alias_table(torch.randn(5))
    torch.save(tuple(table), tmp_path / "table.pt")
    restored = torch.load(tmp_path / "table.pt", weights_only=True)
    for ours, theirs in zip(table, categorical.AliasTable(*restored), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("batch", [False, True])
def test_the_largest_uniform_draws_the_last_open_category(to_array, batch):
    """The target is rounded to the total where its mantissa is small: no category passes that."""
    for seed in range(200):
        weights = np.random.default_rng(seed).random(7)
        weights[5:] = 0
        with np.errstate(divide="ignore"):
            logits = np.log([weights, weights] if batch else weights)
        uniform = np.full(1, 1 - 2.0**-53)
        index = categorical.inverse_cdf_sample(to_array(logits), to_array(uniform))
        assert set(index.tolist()) == {4}


def test_perplexity_counts_equally_likely_categories(to_array, rng):
    logits = 3 * rng.standard_normal((20, 6))
    expected = np.exp(scipy.stats.entropy(scipy.special.softmax(logits, -1), axis=-1))
    np.testing.assert_allclose(
        np.asarray(categorical.perplexity(to_array(logits))), expected, rtol=1e-12
    )
    some = to_array([0.0, 0.0, -np.inf, 0.0, -800.0])
    assert float(categorical.perplexity(some)) == pytest.approx(3, rel=1e-14)
    many = np.zeros(30_000, np.float16)
    assert categorical.perplexity(many) == np.float16(30_000)
    assert categorical.perplexity(many).dtype == np.float16


def test_perplexity_passes_gradcheck_and_is_finite_beside_an_excluded_category():
    logits = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(categorical.perplexity, [logits])
    masked = torch.tensor([0.3, -torch.inf, 2.0], requires_grad=True)
    categorical.perplexity(masked).backward()
    assert masked.grad.isfinite().all()


def test_the_mode_is_the_first_of_the_largest_and_knows_a_mask(to_array):
    logits = to_array([[0.0, 2.0, 2.0], [5.0, -np.inf, 1.0]])
    assert categorical.mode(logits).tolist() == [1, 0]
    mask = to_array([False, True, True], dtype="bool")
    assert categorical.mode(logits, mask).tolist() == [1, 2]
    assert categorical.mode(logits, mask=to_array([[1], [1]], "bool")).tolist() == [
        1,
        0,
    ]


def test_a_mask_that_leaves_nothing_or_is_none_is_refused(to_array):
    logits = to_array([[0.0, 2.0], [5.0, -np.inf]])
    with pytest.raises(ValueError, match=r"only -inf in the row at index \(1,\)"):
        categorical.mode(logits, to_array([False, True], dtype="bool"))
    with pytest.raises(TypeError, match="mask must be a boolean array, got"):
        categorical.mode(logits, to_array([0.0, 1.0]))
    with pytest.raises(TypeError, match="mask must be a boolean array, got bool"):
        categorical.mode(logits, True)
    with pytest.raises(ValueError, match="mask must broadcast to logits of shape"):
        categorical.mode(logits, to_array([True] * 3, dtype="bool"))
    with pytest.raises(TypeError, match="logits and mask must come from one array"):
        categorical.mode(np.zeros(2), torch.ones(2, dtype=torch.bool))
    with pytest.raises(ValueError, match="logits must not be NaN"):
        categorical.mode(to_array([0.0, np.nan]), to_array([True, True], dtype="bool"))


@pytest.mark.parametrize("bad", [2.5, True, 0, -1, None, "3"])
def test_a_number_of_categories_that_is_no_count_is_refused(to_array, bad):
    message = "num_categories must be a whole number of at least 1, got"
    with pytest.raises(ValueError, match=message):
        categorical.one_hot(to_array([0], dtype="int64"), bad)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32"])
def test_indices_of_narrow_dtypes_are_taken(to_array, dtype):
    index = to_array(np.arange(100), dtype=dtype)
    hot = np.asarray(categorical.one_hot(index, np.int64(256)))
    np.testing.assert_array_equal(hot, np.eye(256)[:100])


def test_right_results_are_no_cause_for_a_warning():
    far = np.array([[3e38, -3e38, 0.0], [0.0, -np.inf, -800.0]], dtype=np.float32)
    with np.errstate(all="raise", under="ignore"):
        for function in (
            categorical.probs,
            categorical.log_probs,
            categorical.entropy,
            categorical.perplexity,
            categorical.mode,
            lambda logits: categorical.kl(logits, logits),
            lambda logits: categorical.kl(logits, np.zeros(3, np.float32)),
            lambda logits: categorical.inverse_cdf_sample(logits, np.full(2, 0.5)),
            lambda logits: categorical.alias_table(logits[0]).threshold,
        ):
            assert not np.isnan(function(far)).any()
