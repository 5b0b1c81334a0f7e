"""The noise: its law, its far tail, its dtypes, and what it refuses.

Every law test is seeded and rejects a right sampler with probability below FAILURE_RATE; its twin feeds
a wrong sampler through the same check.
"""

import mpmath
import numpy as np
import pytest
import scipy.stats
import torch
from torch.overrides import TorchFunctionMode

from gumbel_tutorial import checks, gumbel_max, noise

FAILURE_RATE = 1e-4
LAWS = {
    "uniform": scipy.stats.uniform,
    "exponential": scipy.stats.expon,
    "gumbel": scipy.stats.gumbel_r,
    "logistic": scipy.stats.logistic,
}

# torch 2.13 calls its own deprecated functions when its compiler is first loaded.
compiled = pytest.mark.filterwarnings(
    "ignore:.torch.jit.*deprecated:DeprecationWarning"
)


def ks_p_value(draws, name):
    return scipy.stats.kstest(
        np.asarray(draws, dtype=np.float64), LAWS[name].cdf
    ).pvalue


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_draws_follow_their_law(name, dtype, generator):
    draws = getattr(noise, name)(200_000, generator=generator, dtype=dtype)
    assert ks_p_value(draws, name) > FAILURE_RATE


@pytest.mark.parametrize("name", LAWS)
def test_the_law_test_rejects_a_shift_of_three_hundredths(name, generator):
    draws = getattr(noise, name)(200_000, generator=generator, dtype="float64")
    assert ks_p_value(draws + 0.03, name) < FAILURE_RATE


def test_the_law_test_rejects_a_logistic_made_of_one_uniform_too_many(generator):
    # log u - log(1 - v) with u, v different uniforms is no logistic draw.
    u, v = (np.asarray(noise.uniform(200_000, generator=generator)) for _ in range(2))
    assert ks_p_value(np.log(u) - np.log1p(-v), "logistic") < FAILURE_RATE


TAIL = (1e-6, 5e-8, 1e-8, 1e-9)


def tail_p_value(draw, thresholds, chunks, size):
    """Return the smallest Poisson p-value of the counts of E < t, and how many chunks reach 0 or infinity."""
    counts, infinities = np.zeros(len(thresholds)), 0
    for _ in range(chunks):
        draws = draw(size)
        least, most = float(draws.min()), float(draws.max())
        infinities += (least == 0) + (most == np.inf)
        if least < max(thresholds):  # few are
            small = np.asarray(draws[draws < max(thresholds)])
            counts += [(small < t).sum() for t in thresholds]
    expected = chunks * size * np.asarray(thresholds)
    above = scipy.stats.poisson.sf(counts - 1, expected)
    below = scipy.stats.poisson.cdf(counts, expected)
    return 2 * np.minimum(above, below).min(), infinities


@pytest.mark.slow
def test_a_billion_float32_draws_are_finite_and_right_down_to_1e_9(generator):
    p_value, infinities = tail_p_value(
        lambda size: noise.exponential(size, generator=generator, dtype="float32"),
        TAIL,
        chunks=8000,
        size=125_000,
    )
    assert infinities == 0
    assert p_value > FAILURE_RATE


@pytest.mark.slow
@pytest.mark.parametrize("construction", ["plain", "flipped"])
def test_the_tail_test_rejects_a_24_bit_uniform(construction, torch_generator):
    def draw(size):
        uniform = torch.rand(size, generator=torch_generator)
        return (
            -torch.log(uniform) if construction == "plain" else -torch.log1p(-uniform)
        )

    # A quarter of the draws is enough: a grid of 24 bits has one point, 0 or its neighbour, where twelve
    # draws below 5e-8 are expected.
    p_value, infinities = tail_p_value(draw, TAIL, chunks=1920, size=125_000)
    assert p_value < FAILURE_RATE
    assert infinities > 0


def test_numpy_float32_ziggurat_returns_zero_which_is_why_it_is_not_used(rng):
    zeros = sum(
        int((rng.standard_exponential(4_000_000, dtype=np.float32) == 0).sum())
        for _ in range(25)
    )
    assert zeros > 0


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_numpy_draws_have_the_asked_shape_and_dtype(name, dtype, rng):
    draw = getattr(noise, name)
    assert draw((2, 3), generator=rng, dtype=dtype).dtype == np.dtype(dtype)
    assert draw((2, 3), generator=rng, dtype=np.dtype(dtype)).shape == (2, 3)
    assert draw((), generator=rng, dtype=getattr(np, dtype)).shape == ()
    assert draw(0, generator=rng).shape == (0,)
    assert draw(3, generator=rng).dtype == np.float64


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_torch_draws_have_the_asked_shape_dtype_and_device(
    name, dtype, torch_generator
):
    draw = getattr(noise, name)
    draws = draw((2, 3), generator=torch_generator, dtype=getattr(torch, dtype))
    assert draws.dtype == getattr(torch, dtype)
    assert draws.shape == (2, 3)
    assert draws.device == torch_generator.device
    assert draw(3, generator=torch_generator).dtype == torch.get_default_dtype()


# Enough to round to one in half precision; in the others only the edges below are that near to it.
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_every_dtype_stays_strictly_inside_its_range(dtype, torch_generator):
    options = {"generator": torch_generator, "dtype": dtype}
    uniform = noise.uniform(1_000_000, **options)
    assert uniform.min() > 0
    assert uniform.max() < 1
    assert noise.exponential(1_000_000, **options).min() > 0
    assert noise.gumbel(1_000_000, **options).isfinite().all()


def test_the_edges_of_the_53_bit_grid_stay_inside(monkeypatch):
    edges = torch.tensor([0.0, 2.0**-53, 1 - 2.0**-53], dtype=torch.float64)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: edges.clone())
    generator = torch.Generator()
    for dtype in ("float64", "float32", "float16", "bfloat16"):
        uniform = noise.uniform(3, generator=generator, dtype=dtype)
        assert uniform.min() > 0
        assert uniform.max() < 1
        gumbel = noise.gumbel(3, generator=generator, dtype=dtype).double()
        expected = -torch.log(
            torch.tensor([2.0**-54, 2.0**-53, 53 * np.log(2)]).double()
        )
        torch.testing.assert_close(gumbel, expected, rtol=2.0**-8, atol=0)


class DrawsZero(np.random.Generator):
    """NumPy's exponential is exactly 0 once in 9e15 draws."""

    def standard_exponential(self, *, out):
        out[:] = 0


def test_an_exponential_that_numpy_draws_as_zero_stays_inside():
    generator = DrawsZero(np.random.PCG64())
    assert noise.exponential(1, generator=generator) == 2.0**-54
    assert noise.gumbel(1, generator=generator) == pytest.approx(54 * np.log(2))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_the_float32_draw_rounded_once(dtype):
    def draw(kind):
        return noise.gumbel(
            1000, generator=torch.Generator().manual_seed(1), dtype=kind
        )

    assert torch.equal(draw(dtype), draw("float32").to(getattr(torch, dtype)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logistic_noise_is_rounded_once_too(dtype):
    def draw(kind):
        generator = torch.Generator().manual_seed(1)
        return noise.logistic(10_000, generator=generator, dtype=kind)

    assert torch.equal(draw(dtype), draw("float32").to(getattr(torch, dtype)))


def test_the_same_seed_gives_the_same_draws():
    for make in (
        np.random.default_rng,
        lambda seed: torch.Generator().manual_seed(seed),
    ):
        first, second, other = (
            noise.gumbel(5, generator=make(seed)).tolist() for seed in (1, 1, 2)
        )
        assert first == second != other


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_gumbel_like_matches_its_model_in_float32_at_least(dtype, torch_generator):
    model = torch.zeros(2, 3, dtype=getattr(torch, dtype))
    draws = noise.gumbel_like(model, generator=torch_generator)
    assert draws.shape == model.shape
    assert draws.dtype == (torch.float64 if dtype == "float64" else torch.float32)


@pytest.mark.parametrize("dtype", ["longdouble", "float64", "float32", "float16"])
def test_gumbel_like_of_numpy_matches_its_model_in_float32_at_least(dtype, rng):
    draws = noise.gumbel_like(np.zeros((2, 3), dtype), generator=rng)
    assert draws.shape == (2, 3)
    assert draws.dtype == (np.float64 if dtype in ("longdouble", "float64") else "f4")


def test_gumbel_like_takes_torchs_default_generator():
    torch.manual_seed(3)
    first = noise.gumbel_like(torch.zeros(4))
    torch.manual_seed(3)
    assert torch.equal(first, noise.gumbel_like(torch.zeros(4)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logits_get_noise_that_does_not_tie(dtype, torch_generator):
    logits = torch.zeros(50_000, 100, dtype=getattr(torch, dtype))
    draws = noise.gumbel_like(logits, generator=torch_generator)

    def first_half_p_value(draws):
        index = gumbel_max.argmax_sample(logits, draws)
        count = int((index < 50).sum())
        return scipy.stats.binomtest(count, len(index), 0.5).pvalue

    assert first_half_p_value(draws) > FAILURE_RATE
    order = gumbel_max.top_k_sample(logits, draws, 2)
    assert (gumbel_max.argmax_sample(logits, draws) == order[:, 0]).all()
    top = draws.topk(2).values
    assert (top[:, 0] == top[:, 1]).float().mean() < 1e-4
    # The twin: noise that is rounded to the dtype of the logits ties, and ties favour the first.
    rounded = draws.to(logits.dtype).topk(2).values
    assert (rounded[:, 0] == rounded[:, 1]).float().mean() > 1e-3


@compiled
@pytest.mark.parametrize(("count", "calls"), [(200_000, 1), (1000, 200)])
def test_compiled_noise_keeps_its_53_bits(count, calls):
    """torch.compile replaces torch's float64 uniform by one of 31 bits, of which nobody is told.

    Many numbers are drawn by an operation of their own, few by torch's integers.
    """

    def share_on_the_31_bit_grid(draw):
        draw = torch.compile(draw, fullgraph=True)
        like = torch.zeros(count, dtype=torch.float64)
        steps = torch.cat([draw(like) for _ in range(calls)]) * 2.0**31
        return float(((steps - steps.round()).abs() < 1e-3).double().mean())

    def uniform(like):  # 1 - e^-E
        return -torch.expm1(-torch.exp(-noise.gumbel_like(like)))

    # Of numbers that know no grid one in five hundred is that near to it.
    assert share_on_the_31_bit_grid(uniform) < 0.004
    twin = share_on_the_31_bit_grid(
        lambda like: torch.rand(like.shape, dtype=torch.float64)
    )
    assert twin > 0.99


@compiled
def test_compiled_noise_follows_the_law_down_to_small_exponentials():
    torch.manual_seed(20170424)
    draws = torch.compile(noise.gumbel_like, fullgraph=True)(torch.zeros(4_000_000))
    assert ks_p_value(draws[:200_000], "gumbel") > FAILURE_RATE
    for threshold in (1e-3, 1e-4, 1e-5):
        count, mean = int((draws > -np.log(threshold)).sum()), 4e6 * threshold
        tail = min(
            scipy.stats.poisson.sf(count - 1, mean),
            scipy.stats.poisson.cdf(count, mean),
        )
        assert 2 * tail > FAILURE_RATE


@pytest.fixture
def without_float64(monkeypatch):
    """Make the CPU a device that has no float64, as Apple's GPUs are."""

    class Forbidden(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            assert getattr(result, "dtype", None) is not torch.float64
            return result

    monkeypatch.setattr(noise, "has_float64", lambda _: False)
    with Forbidden():
        yield


@pytest.mark.usefixtures("without_float64")
@pytest.mark.parametrize("name", LAWS)
def test_a_device_without_float64_draws_the_same_laws(name, torch_generator):
    draws = getattr(noise, name)(200_000, generator=torch_generator)
    assert draws.dtype == torch.float32
    assert ks_p_value(draws, name) > FAILURE_RATE
    with pytest.raises(TypeError, match="dtype must be one of float32, .* got float64"):
        getattr(noise, name)(2, generator=torch_generator, dtype="float64")
    assert noise.gumbel_like(torch.zeros(2).half()).dtype == torch.float32


def edge_words():
    """Return 53-bit draws at the ends, at one half and on a logarithmic scale, and their words."""
    powers = [2**n + offset for n in range(53) for offset in (-1, 0, 1)]
    draws = sorted({n for p in powers for n in (p, 2**53 - 1 - p) if 0 <= n < 2**53})
    return (
        draws,
        np.array([n >> 29 for n in draws]),
        np.array([n % 2**29 for n in draws]),
    )


def assert_exponentials_of_words(ours, draws):
    exact = [
        -mpmath.log1p(-mpmath.mpf(max(n, 0.5)) * mpmath.mpf(2) ** -53) for n in draws
    ]
    np.testing.assert_allclose(np.asarray(ours), np.array(exact, float), rtol=2.0**-21)


@pytest.mark.usefixtures("without_float64")
def test_both_tails_are_right_in_float32_alone(monkeypatch):
    draws, high, low = edge_words()
    words = iter(
        [torch.tensor(high, dtype=torch.int32), torch.tensor(low, dtype=torch.int32)]
    )
    monkeypatch.setattr(torch, "randint", lambda *_, **__: next(words))
    ours = noise.exponential(len(draws), generator=torch.Generator())
    assert_exponentials_of_words(ours, draws)


def test_the_check_of_both_tails_rejects_a_float32_uniform():
    draws, _, _ = edge_words()
    uniform = np.array(draws, dtype=np.float32) * np.float32(2.0**-53)
    with np.errstate(divide="ignore"), pytest.raises(AssertionError):
        assert_exponentials_of_words(-np.log1p(-uniform), draws)


@pytest.mark.parametrize("bad", [None, 0, "seed", np.random.RandomState(0)])
def test_another_kind_of_generator_is_a_type_error(bad):
    message = "generator must be a numpy.random.Generator or a torch.Generator or a key"
    with pytest.raises(TypeError, match=message):
        noise.gumbel(3, generator=bad)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logistic_like_draws_what_logistic_draws(dtype):
    kind = getattr(torch, dtype)
    first, second = (torch.Generator().manual_seed(1) for _ in range(2))
    like = noise.logistic_like(torch.zeros(5, 3, dtype=kind), generator=first)
    assert torch.equal(like, noise.logistic((5, 3), generator=second, dtype=kind))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_like_draws_what_normal_draws(dtype):
    kind = getattr(torch, dtype)
    first, second = (torch.Generator().manual_seed(1) for _ in range(2))
    like = noise.normal_like(torch.zeros(5, 3, dtype=kind), generator=first)
    assert torch.equal(like, noise.normal((5, 3), generator=second, dtype=kind))


def test_gumbel_like_refuses_a_generator_of_the_other_library(rng, torch_generator):
    with pytest.raises(
        TypeError, match=r"generator must be a torch\.Generator, got Generator"
    ):
        noise.gumbel_like(torch.zeros(2), generator=rng)
    for bad in (None, torch_generator):
        with pytest.raises(
            TypeError, match=r"generator must be a numpy\.random\.Generator, got"
        ):
            noise.gumbel_like(np.zeros(2), generator=bad)


def test_a_generator_on_another_device_is_refused(torch_generator):
    with pytest.raises(
        ValueError, match="generator must be on device meta, got one on cpu"
    ):
        noise.gumbel_like(torch.zeros(2, device="meta"), generator=torch_generator)


@pytest.mark.parametrize("dtype", ["int64", "bfloat16", "complex64", "nonsense"])
def test_a_dtype_that_numpy_cannot_draw_is_a_type_error(dtype, rng):
    with pytest.raises(
        TypeError, match="dtype must be one of float64, float32, float16 in NumPy"
    ):
        noise.uniform(3, generator=rng, dtype=dtype)


def test_an_integer_dtype_is_a_type_error_in_torch(torch_generator):
    with pytest.raises(TypeError, match="dtype must be one of .* in torch, got int64"):
        noise.uniform(3, generator=torch_generator, dtype=torch.int64)


@pytest.mark.parametrize(
    "shape", [None, (2, None), "3", 2.5, (2, 2.5), True, np.array([2, 3]), {2}]
)
def test_what_is_no_shape_is_refused_by_name(shape, generator):
    for name in LAWS:
        with pytest.raises(TypeError, match="shape must be a whole number or a tuple"):
            getattr(noise, name)(shape, generator=generator)


def test_a_shape_is_a_number_a_tuple_or_a_list(generator):
    for shape in (2, np.int64(2), (2,), [2], torch.Size([2])):
        assert noise.gumbel(shape, generator=generator).shape == (2,)


def test_a_negative_size_is_refused(generator):
    for shape in (-1, (2, -3)):
        for name in LAWS:
            with pytest.raises(ValueError, match="shape must not be negative, got"):
                getattr(noise, name)(shape, generator=generator)


def test_a_generator_without_an_index_serves_every_device_of_its_type(monkeypatch):
    class Stub:
        """A generator of a device that this machine need not have."""

        def __init__(self, device):
            self.device = torch.device(device)

    monkeypatch.setattr(
        checks, "is_torch_generator", lambda value: isinstance(value, Stub)
    )
    for own in ("cuda", "cuda:1"):
        checks.check_torch_generator(Stub(own), torch.device("cuda:1"))
    for own in ("cuda:0", "cpu"):
        with pytest.raises(
            ValueError, match=f"generator must be on device cuda:1, got one on {own}"
        ):
            checks.check_torch_generator(Stub(own), torch.device("cuda:1"))


@pytest.mark.parametrize("dtype", [None, "float64", "float32", "float16"])
def test_normal_noise_is_standard_normal(generator, dtype):
    """Each of the three moments is off by 4.5 standard errors once in seventy thousand draws."""
    draws = np.asarray(noise.normal((50_000,), generator=generator, dtype=dtype))
    if dtype is not None:
        assert draws.dtype == dtype
    draws = draws.astype(float)
    for moment, expected, variance in ((1, 0, 1), (2, 1, 2), (4, 3, 96)):
        error = np.sqrt(variance / draws.size)
        assert abs((draws**moment).mean() - expected) < 4.5 * error
    with pytest.raises(ValueError, match="shape must not be negative, got -1"):
        noise.normal(-1, generator=generator)
