"""The array library of an argument, and the operations that differ between libraries."""

import types

import numpy as np
import pytest
import scipy.special
import torch

from gumbel_tutorial import arrays, gumbel_max, noise


def test_namespace_follows_the_arrays_and_not_the_numbers():
    assert (
        arrays.namespace(a=1.0, b=torch.zeros(2)).__name__ == "array_api_compat.torch"
    )
    assert arrays.namespace(a=1.0, b=np.zeros(2)).__name__ == "array_api_compat.numpy"
    assert arrays.namespace(a=1.0, b=2).__name__ == "array_api_compat.numpy"


def test_namespace_refuses_a_mixture():
    with pytest.raises(
        TypeError, match="logits and noise must come from one array library"
    ):
        arrays.namespace(logits=np.zeros(2), noise=torch.zeros(2))


class Lazy:
    """An array of a library that is not known, though it keeps to the standard."""

    def __array_namespace__(self, api_version=None):
        return types.ModuleType("lazy")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ([0.0], "list"),
        ("text", "str"),
        (None, "NoneType"),
        (Lazy(), "Lazy"),
        (np.ma.array([0.0]), "numpy MaskedArray"),
        (np.zeros((1, 1)).view(np.matrix), "numpy matrix"),
    ],
)
def test_namespace_refuses_what_is_no_array(value, kind):
    message = (
        f"logits must be an array of NumPy, torch or JAX, got .*{kind.split()[-1]}$"
    )
    with pytest.raises(TypeError, match=message):
        arrays.namespace(logits=value)
    with pytest.raises(TypeError, match=message):
        gumbel_max.argmax_sample(logits=value, noise=value)


@pytest.mark.parametrize("layout", ["sparse_coo", "sparse_csr", "nested"])
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.filterwarnings("ignore:The PyTorch API")
def test_tensors_that_are_not_dense_are_refused_in_one_line(layout):
    dense = torch.eye(2)
    tensor = (
        torch.nested.nested_tensor([dense, dense[:1]])
        if layout == "nested"
        else dense.to_sparse(layout=getattr(torch, layout))
    )
    for call in (gumbel_max.argmax_sample, lambda x, _: noise.gumbel_like(x)):
        with pytest.raises(
            TypeError, match=f"must be a dense tensor, got layout .*{layout}"
        ):
            call(tensor, dense)


def test_softmax_family_agrees_with_scipy(to_array, rng):
    logits = 30 * rng.standard_normal((50, 7))
    logits[3, 2] = -np.inf
    # The logarithm of a sum beside 1 is off by one rounding of that sum.
    for ours, oracle, atol in (
        (arrays.softmax, scipy.special.softmax, 1e-300),
        (arrays.log_softmax, scipy.special.log_softmax, 2.0**-52),
        (arrays.logsumexp, scipy.special.logsumexp, 2.0**-52),
    ):
        for axis in (0, -1):
            result = np.asarray(ours(to_array(logits), axis=axis))
            np.testing.assert_allclose(
                result, oracle(logits, axis=axis), rtol=1e-13, atol=atol
            )


def test_logsumexp_keeps_far_logits_and_rows_of_minus_infinity(to_array):
    logits = to_array([[1e4, 1e4], [-1e4, -1e4], [-np.inf, -np.inf]])
    expected = np.array([1e4 + np.log(2), -1e4 + np.log(2), -np.inf])
    np.testing.assert_array_equal(np.asarray(arrays.logsumexp(logits)), expected)


def test_one_hot_marks_its_index(to_array):
    index = to_array([[2, 0], [1, 1]], dtype="int64")
    hot = np.asarray(arrays.one_hot(index, 3))
    assert hot.shape == (2, 2, 3)
    np.testing.assert_array_equal(hot.argmax(-1), np.asarray(index))
    np.testing.assert_array_equal(hot.sum(-1), 1)


def test_one_hot_takes_an_index_of_any_integer_dtype(to_array):
    for dtype in ("uint8", "int8", "int32"):
        hot = np.asarray(arrays.one_hot(to_array([5, 0], dtype=dtype), 300))
        assert hot.sum(-1).tolist() == [1, 1]
        assert hot.argmax(-1).tolist() == [5, 0]


def test_a_perturbed_logit_keeps_the_noise_below_a_common_offset(to_array):
    logits = to_array([1e7, 1e7 + 1, -np.inf], dtype="float32")
    draws = to_array([0.3, 0.1, 0.2], dtype="float32")
    perturbed = np.asarray(arrays.perturb(logits, draws))
    np.testing.assert_allclose(perturbed, [-0.7, 0.1, -np.inf], rtol=1e-6)


def test_the_derivative_of_a_shift_below_the_largest_is_that_of_no_shift():
    values = torch.tensor([1.0, 3.0, 3.0], requires_grad=True)
    (arrays.below_largest(values) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert values.grad.tolist() == [1.0, 2.0, 3.0]


def test_one_hot_takes_the_default_dtype_of_its_library():
    assert arrays.one_hot(np.array([1]), 2).dtype == np.float64
    assert arrays.one_hot(torch.tensor([1]), 2).dtype == torch.float32


def test_top_k_returns_the_largest_first(to_array):
    assert arrays.top_k(to_array([[0.1, 3.0, 2.0, -1.0]]), 3).tolist() == [[1, 2, 0]]


def test_log_gamma_agrees_with_scipy(to_array):
    values = np.geomspace(1e-8, 1e8, 200)
    result = np.asarray(arrays.log_gamma(to_array(values)))
    np.testing.assert_allclose(
        result, scipy.special.gammaln(values), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_widen_raises_half_precision_alone(dtype):
    half = torch.zeros(2, dtype=getattr(torch, dtype))
    assert arrays.widen(half).dtype == torch.float32
    assert arrays.widen(torch.zeros(2, dtype=torch.float64)).dtype == torch.float64


def test_finite_or_zero_leaves_no_derivative_where_it_put_zero(to_array):
    values = to_array([1.5, -np.inf, np.inf, np.nan])
    assert arrays.finite_or_zero(values).tolist() == [1.5, 0, 0, 0]
    leaf = torch.tensor([1.5, -np.inf], requires_grad=True)
    (arrays.finite_or_zero(leaf) * torch.tensor([2.0, np.inf])).sum().backward()
    assert leaf.grad[0] == 2
    learned = torch.tensor([1.0, 1.0], requires_grad=True)
    (learned * arrays.finite_or_zero(torch.tensor([1.5, -np.inf]))).sum().backward()
    assert learned.grad.tolist() == [1.5, 0.0]


def test_a_device_without_float64_has_float32_as_its_widest(monkeypatch):
    assert arrays.to_widest(torch.zeros(2)).dtype == torch.float64
    monkeypatch.setattr(arrays, "has_float64", lambda _: False)
    assert arrays.to_widest(torch.zeros(2)).dtype == torch.float32


def test_only_apples_gpus_have_no_float64():
    assert not arrays.has_float64(torch.device("mps"))
    assert all(arrays.has_float64(torch.device(kind)) for kind in ("cpu", "cuda"))


def test_the_shifted_softmax_family_is_the_plain_one(to_array, rng):
    for size in (3, 40):  # below and above the width from which torch's own is taken
        logits = to_array(rng.standard_normal((5, size)))
        below = arrays.below_largest(logits)
        for function in (arrays.softmax, arrays.log_softmax):
            np.testing.assert_allclose(
                np.asarray(function(below, shifted=True)),
                np.asarray(function(logits)),
                rtol=1e-12,
                atol=2.0**-51,
            )


@pytest.mark.parametrize("size", [1, 2, 7, 1000, 40_000])
def test_a_guided_search_is_the_search(size):
    """Ties, numbers that are met exactly, and many ordered numbers in one cell."""
    rng = np.random.default_rng(size)
    steps = rng.random(size) ** 20 * (rng.random(size) < 0.7)
    steps[-1] += 0.1
    ordered = np.cumsum(steps) / np.cumsum(steps)[-1]
    values = np.concatenate([[0.0], rng.random(60_000), ordered[ordered < 1]])
    expected = np.searchsorted(ordered, values, side="right")
    for convert in (np.asarray, torch.as_tensor):
        found = arrays.guided_search(convert(ordered), convert(values))
        np.testing.assert_array_equal(np.asarray(found), expected)


def test_the_k_largest_are_found_and_stand_in_their_order():
    values = np.random.default_rng(0).standard_normal((20, 50))
    for k in (1, 7, 50):
        expected = np.argsort(-values, axis=-1)[:, :k]
        for convert in (np.asarray, torch.as_tensor):
            found = arrays.top_k(convert(values), k)
            np.testing.assert_array_equal(np.asarray(found), expected)
