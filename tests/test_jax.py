"""The array half on JAX arrays: eager, traced, mapped and differentiated; and its noise from keys.

JAX computes in float32 unless asked for more, so values are compared with 64 bits turned on, and once as it
comes, without a warning.
"""

import mpmath
import numpy as np
import pytest
import scipy.stats
import torch
from helpers.transforms import BATCHED, CALLS, arrays_of, converted, find

from gumbel_tutorial import arrays, categorical, concrete, gumbel, gumbel_max, noise

jax = pytest.importorskip("jax", reason="needs JAX: pip install gumbel-tutorial[jax]")
jnp = jax.numpy

FAILURE_RATE = 1e-4
LAWS = {
    "uniform": scipy.stats.uniform,
    "exponential": scipy.stats.expon,
    "gumbel": scipy.stats.gumbel_r,
    "logistic": scipy.stats.logistic,
    "normal": scipy.stats.norm,
}


@pytest.fixture
def x64():
    """Let JAX compute in float64."""
    with jax.enable_x64(True):
        yield


def split(name):
    """Return a function of the arrays of a call alone, and those arrays."""
    function, arguments = find(name), CALLS[name]
    places = [i for i, value in enumerate(arguments) if isinstance(value, np.ndarray)]

    def of_arrays(*values):
        complete = list(arguments)
        for place, value in zip(places, values, strict=True):
            complete[place] = value
        return function(*complete)

    return of_arrays, [arguments[place] for place in places]


def assert_same(ours, expected, rtol=1e-10, atol=1e-12):
    for array, other in zip(arrays_of(ours), arrays_of(expected), strict=True):
        assert isinstance(array, jax.Array)
        np.testing.assert_allclose(np.asarray(array), other, rtol=rtol, atol=atol)


@pytest.mark.slow  # JAX compiles each operation
@pytest.mark.parametrize("name", CALLS)
def test_numpy_and_jax_agree_in_float32_as_it_comes(name):
    function, arguments = find(name), CALLS[name]
    ours = function(*converted(arguments, jnp.asarray))
    assert_same(ours, function(*arguments), rtol=2e-3, atol=2e-4)
    for array in arrays_of(ours):
        assert array.dtype in (np.float32, np.int32)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", BATCHED)
def test_numpy_and_jax_traced_by_jit_agree_in_float64(name):
    function, values = split(name)
    assert_same(jax.jit(function)(*values), function(*values))


@pytest.mark.usefixtures("x64")
def test_the_alias_method_is_traced_by_jit():
    logits, uniform = CALLS["categorical.alias_table"][0], np.linspace(0.01, 0.99, 50)
    draws = jax.jit(
        lambda logits, uniform: categorical.alias_sample(
            categorical.alias_table(logits), uniform
        )
    )(logits, uniform)
    table = categorical.alias_table(logits)
    assert_same(draws, categorical.alias_sample(table, uniform))


@pytest.mark.slow
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", BATCHED)
def test_every_function_is_mapped_by_vmap(name):
    function, values = split(name)
    ours = jax.vmap(function)(*map(jnp.asarray, values))
    assert_same(ours, function(*values))


@pytest.mark.slow
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", BATCHED)
def test_derivatives_are_those_of_torch(name):
    function, values = split(name)
    places = [i for i, value in enumerate(values) if value.dtype == np.float64]
    tensors = [
        torch.tensor(value, requires_grad=i in places) for i, value in enumerate(values)
    ]
    result = function(*tensors)
    if not result.requires_grad:
        pytest.skip("an index has no derivative")
    expected = torch.autograd.grad(
        result.sum(), [tensors[i] for i in places], materialize_grads=True
    )
    gradient = jax.grad(lambda *v: function(*v).sum(), argnums=tuple(places))
    ours = jax.jit(gradient)(*map(jnp.asarray, values))
    for mine, theirs in zip(ours, expected, strict=True):
        assert_same(mine, theirs.numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.slow  # as above
@pytest.mark.usefixtures("x64")
def test_derivatives_are_right_where_values_are_at_their_limits():
    slopes = jax.vmap(jax.grad(gumbel.quantile))(jnp.array([0.0, 1e-9, 1.0]))
    np.testing.assert_allclose(
        slopes, [np.inf, -1 / (1e-9 * np.log(1e-9)), np.inf], rtol=1e-12
    )
    slopes = jax.vmap(jax.grad(gumbel.upper_quantile))(jnp.array([0.0, 1e-20, 1.0]))
    np.testing.assert_allclose(slopes, [-np.inf, -1e20, -np.inf], rtol=1e-12)
    for function in (gumbel.density, gumbel.cdf, gumbel.survival):
        assert jax.grad(function)(-800.0) == 0
    masked = jnp.array([0.0, -jnp.inf, 1.0])
    for function in (
        categorical.entropy,
        categorical.perplexity,
        lambda logits: concrete.relax(logits, jnp.zeros(3), 0.5)[0],
        lambda logits: categorical.kl(logits, masked),
        lambda logits: gumbel_max.top_k_log_prob(logits, jnp.array([0, 2])),
        lambda logits: gumbel_max.condition(logits, jnp.array(0), jnp.ones(3)).sum(),
    ):
        assert jnp.isfinite(jax.grad(function)(masked)).all()
    learned = jax.grad(lambda tau: concrete.relax(masked, jnp.zeros(3), tau)[0])
    assert jnp.isfinite(learned(jnp.ones(1))).all()


def test_values_are_read_where_there_are_some():
    bad = jnp.array([[0.0, jnp.nan]])
    with pytest.raises(ValueError, match=r"logits must not be NaN, got nan at index"):
        gumbel_max.argmax_sample(bad, jnp.zeros((1, 2)))
    with pytest.raises(ValueError, match="temperature must be positive, got -1.0"):
        concrete.relax(jnp.zeros(2), jnp.zeros(2), jnp.array([-1.0]))
    with pytest.raises(ValueError, match="logits must not be NaN"):
        jax.grad(lambda logits: concrete.relax(logits, jnp.zeros(2), 1.0).sum())(bad)
    with pytest.raises(ValueError, match=r"index must lie in 0 \.\.\. 1, got 2"):
        categorical.one_hot(jnp.array([2], dtype=jnp.uint8), 2)
    assert jnp.isnan(jax.jit(categorical.entropy)(bad)).all()


def test_libraries_are_told_apart_by_name():
    with pytest.raises(TypeError, match="one array library, got NumPy and JAX"):
        gumbel_max.argmax_sample(np.zeros(2), jnp.zeros(2))
    with pytest.raises(TypeError, match="one array library, got JAX and torch"):
        gumbel_max.argmax_sample(jnp.zeros(2), torch.zeros(2))


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_keys_draw_the_laws(name, dtype):
    with jax.enable_x64(dtype == "float64"):
        draws = getattr(noise, name)(200_000, generator=jax.random.key(20170424))
        assert isinstance(draws, jax.Array)
        assert draws.dtype == dtype
        exact = np.asarray(draws, dtype=np.float64)
    assert scipy.stats.kstest(exact, LAWS[name].cdf).pvalue > FAILURE_RATE


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_keys_draw_every_shape_and_dtype(name, dtype):
    key = jax.random.key(0)
    draw = getattr(noise, name)
    assert draw((2, 3), generator=key, dtype=dtype).dtype == dtype
    assert draw((2, 3), generator=key, dtype=getattr(jnp, dtype)).shape == (2, 3)
    assert draw((), generator=key).shape == ()
    assert draw(0, generator=jax.random.PRNGKey(0)).shape == (0,)
    with pytest.raises(TypeError, match="dtype must be one of float32, .* got float64"):
        draw(3, generator=key, dtype="float64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_tails_of_words_are_right(dtype, monkeypatch):
    powers = [2**n + offset for n in range(53) for offset in (-1, 0, 1)]
    draws = sorted({n for p in powers for n in (p, 2**53 - 1 - p) if 0 <= n < 2**53})
    words = np.array([[n >> 29 << 8 for n in draws], [n % 2**29 << 3 for n in draws]])
    with jax.enable_x64(dtype == "float64"):
        given = jnp.asarray(words.astype(np.uint32))
        monkeypatch.setattr(jax.random, "bits", lambda *_: given)
        ours = noise.exponential(len(draws), generator=jax.random.key(0))
        assert ours.dtype == dtype
    exact = [-mpmath.log1p(-mpmath.mpf(max(n, 0.5)) / 2**53) for n in draws]
    rtol = 2.0**-50 if dtype == "float64" else 2.0**-21
    np.testing.assert_allclose(ours, np.array(exact, dtype=float), rtol=rtol)


def test_a_key_draws_the_same_noise_every_time_and_maps_and_traces():
    key, other = jax.random.split(jax.random.key(1))
    first = noise.gumbel((2, 3), generator=key)
    assert (first == noise.gumbel((2, 3), generator=key)).all()
    assert (first != noise.gumbel((2, 3), generator=other)).all()
    traced = jax.jit(lambda key: noise.gumbel((2, 3), generator=key))(key)
    np.testing.assert_allclose(traced, first, rtol=1e-6)
    rows = jax.vmap(lambda key: noise.gumbel(3, generator=key))(jnp.stack([key, other]))
    np.testing.assert_allclose(rows[1], noise.gumbel(3, generator=other), rtol=1e-6)
    logistic = noise.logistic(1000, generator=key)
    assert np.unique(logistic).size == 1000


def test_noise_like_an_array_of_jax():
    key = jax.random.key(0)
    for draw in (noise.gumbel_like, noise.logistic_like, noise.normal_like):
        draws = draw(jnp.zeros((2, 3), jnp.bfloat16), generator=key)
        assert draws.dtype == np.float32
        assert draws.shape == (2, 3)
        assert np.unique(draws).size == 6
    for bad in (None, np.random.default_rng(0), torch.Generator()):
        with pytest.raises(TypeError, match="generator must be a key of jax.random"):
            noise.gumbel_like(jnp.zeros(2), generator=bad)
    with pytest.raises(TypeError, match="generator must be a numpy.random.Generator"):
        noise.gumbel_like(np.zeros(2), generator=key)
    with pytest.raises(TypeError, match="generator must be a torch.Generator"):
        noise.gumbel_like(torch.zeros(2), generator=key)
    for bad in (jax.random.split(key), jnp.zeros(2)):
        with pytest.raises(TypeError, match="generator must be .* or a key of jax"):
            noise.gumbel(2, generator=bad)


def test_an_argmax_sample_of_keys_follows_softmax():
    logits = jnp.log(jnp.array([6.0, 3.0, 1.0]))
    draws = noise.gumbel((100_000, 3), generator=jax.random.key(5))
    counts = np.bincount(jax.jit(gumbel_max.argmax_sample)(logits, draws))
    law = scipy.stats.chisquare(counts, 100_000 * np.array([0.6, 0.3, 0.1]))
    assert law.pvalue > FAILURE_RATE


def test_half_precision_is_computed_in_float32():
    logits = jnp.zeros(70_000, jnp.bfloat16)
    assert arrays.is_half(logits)
    assert categorical.probs(logits).dtype == jnp.bfloat16
    assert float(categorical.entropy(logits)) == pytest.approx(np.log(70_000), rel=4e-3)
