"""The categorical law, and the samplers that rival Gumbel-Max."""

import numpy as np
import pytest
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


def test_the_inverse_cdf_reaches_every_category_where_a_float32_sum_does_not(to_array):
    # 50,000 categories after a heavy one: the float32 running sum stops moving.
    logits = np.zeros(50_001)
    logits[0] = np.log(1e9)
    targets = (1e9 + np.arange(50_000) + 0.5) / (1e9 + 50_000)
    index = np.asarray(
        categorical.inverse_cdf_sample(to_array(logits), to_array(targets))
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
