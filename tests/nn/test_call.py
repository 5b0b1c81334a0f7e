"""The torch call: a drop-in that is seeded, masked, exact in half precision and transformable."""

import inspect
import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.nn import rounding

from gumbel_tutorial import concrete, noise
from gumbel_tutorial.book import statistics
from gumbel_tutorial.nn import gumbel_softmax, harden

FAILURE_RATE = 1e-4
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_signature_starts_as_torchs_does():
    ours = list(inspect.signature(gumbel_softmax).parameters.values())
    torchs = list(inspect.signature(F.gumbel_softmax).parameters.values())
    for own, other in zip(ours, torchs, strict=False):
        assert (own.name, own.default, own.kind) == (
            other.name,
            other.default,
            other.kind,
        )
    assert all(p.kind is p.KEYWORD_ONLY for p in ours[len(torchs) :])


@pytest.mark.parametrize(
    "arguments",
    [(1, False, 1e-10, -1), (0.5, True, 1e-10, 0), (0.5, False, 1e-10), (2, True)],
)
def test_arguments_go_by_position_as_torchs_do(arguments):
    logits = torch.randn(4, 3, generator=seeded())
    torch.manual_seed(0)
    ours = gumbel_softmax(logits, *arguments)
    torch.manual_seed(0)
    torchs = F.gumbel_softmax(logits, *arguments)
    # One float32 draw of torch's is rounded elsewhere: a few units in the last place.
    torch.testing.assert_close(ours, torchs)


def test_eps_is_ignored_and_said_to_be():
    logits = torch.zeros(4, 3)
    with pytest.warns(DeprecationWarning, match="eps has no effect"):
        sample = gumbel_softmax(logits, 1, False, 1e-3, generator=seeded())
    expected = gumbel_softmax(logits, eps=1e-10, generator=seeded())
    assert torch.equal(sample, expected)


@pytest.mark.parametrize(
    "tau",
    [
        2,
        True,
        np.float32(0.5),
        np.float16(0.5),
        np.int64(2),
        np.array(0.5),
        torch.tensor(0.5),
        torch.tensor([0.5]),
        torch.tensor(2),
        torch.tensor(True),
        torch.tensor(0.5, dtype=torch.float64),
        torch.tensor(0.5, dtype=torch.float16),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # torch's
@pytest.mark.parametrize("hard", [False, True])
def test_every_scalar_that_torch_takes_is_a_temperature(tau, hard):
    logits = torch.randn(4, 3, generator=seeded(), requires_grad=True)
    assert F.gumbel_softmax(logits.detach(), tau, hard).shape == logits.shape
    sample = gumbel_softmax(logits, tau, hard, generator=seeded(1))
    expected = gumbel_softmax(logits, float(tau), hard, generator=seeded(1))
    assert sample.dtype == logits.dtype
    torch.testing.assert_close(sample, expected)


@pytest.mark.parametrize("dim", [np.int64(0), np.uint8(1), torch.tensor(1), -2])
def test_every_whole_number_that_torch_takes_is_a_dim(dim):
    logits = torch.randn(4, 3, generator=seeded())
    assert F.gumbel_softmax(logits, dim=dim).shape == (4, 3)
    sample = gumbel_softmax(logits, dim=dim, generator=seeded(1))
    expected = gumbel_softmax(logits, dim=int(dim), generator=seeded(1))
    assert torch.equal(sample, expected)


def test_noise_is_an_argument():
    logits = torch.randn(4, 3, generator=seeded())
    gumbels = noise.gumbel_like(logits, generator=seeded(1))
    sample = gumbel_softmax(logits, 0.5, noise=gumbels)
    drawn = gumbel_softmax(logits, 0.5, generator=seeded(1))
    bound = rounding(logits, gumbels, 0.5)
    torch.testing.assert_close(drawn, sample, rtol=bound, atol=0)
    many = noise.gumbel_like(logits.expand(7, 4, 3), generator=seeded(1))
    for dim in (0, 1, -1, -2):
        samples = gumbel_softmax(logits, 0.5, dim=dim, noise=many)
        assert torch.equal(
            samples[3], gumbel_softmax(logits, 0.5, dim=dim, noise=many[3])
        )
    row = gumbel_softmax(logits, 0.5, noise=gumbels[:1])
    assert torch.equal(row, gumbel_softmax(logits, 0.5, noise=gumbels[:1].expand(4, 3)))
    half = gumbel_softmax(logits.half(), 0.5, noise=gumbels)
    assert half.dtype == torch.float16


def test_a_derivative_passes_through_given_noise():
    gumbels = torch.randn(4, 3, generator=seeded(), requires_grad=True)
    sample = gumbel_softmax(torch.zeros(4, 3), 0.5, True, noise=gumbels)
    (sample * torch.arange(3)).sum().backward()
    assert gumbels.grad.abs().sum() > 0


def test_soft_samples_are_the_relaxation_of_their_noise():
    logits = torch.randn(5, 4, generator=seeded())
    gumbels = noise.gumbel_like(logits, generator=seeded(1))
    expected = concrete.relax(logits, gumbels, 0.7)
    drawn = gumbel_softmax(logits, 0.7, generator=seeded(1))
    bound = rounding(logits, gumbels, 0.7)
    torch.testing.assert_close(drawn, expected, rtol=bound, atol=0)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("tau", [0.1, 1.0, 10.0])
def test_the_argmax_of_the_sample_is_categorical_at_every_temperature(tau, hard):
    logits = torch.tensor([6.0, 3.0, 1.0]).log().expand(100_000, 3)
    index = gumbel_softmax(logits, tau, hard, generator=seeded()).argmax(-1)
    counts = np.bincount(index, minlength=3)
    assert statistics.chi_square_p_value(counts, [0.6, 0.3, 0.1]) > FAILURE_RATE
    # The twin: without noise the largest logit always wins.
    without = torch.softmax(logits / tau, -1).argmax(-1)
    assert (
        statistics.chi_square_p_value(
            np.bincount(without, minlength=3), [0.6, 0.3, 0.1]
        )
        < 1e-8
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tau", [0.01, 0.5, 3.0])
def test_hard_rows_are_exactly_one_hot_in_every_dtype(dtype, tau):
    logits = torch.randn(20_000, 10, generator=seeded()).to(dtype).requires_grad_()
    hard = gumbel_softmax(logits, tau, hard=True, generator=seeded(1))
    assert hard.dtype == dtype
    assert ((hard == 0) | (hard == 1)).all()
    assert (hard.sum(-1) == 1).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_the_float32_sample_rounded_once(dtype):
    logits = torch.randn(100_000, 10, generator=seeded()).to(dtype)
    soft = gumbel_softmax(logits, 0.1, generator=seeded(1))
    assert soft.isfinite().all()
    assert torch.equal(
        soft, gumbel_softmax(logits.float(), 0.1, generator=seeded(1)).to(dtype)
    )


def test_a_hard_sample_has_no_ties_where_the_relaxed_one_is_flat():
    logits = torch.zeros(100_000, 10)
    hard = gumbel_softmax(logits, 1e7, hard=True, generator=seeded())
    counts = np.bincount(hard.argmax(-1), minlength=10)
    assert statistics.chi_square_p_value(counts, [0.1] * 10) > FAILURE_RATE
    # The twin: the first of the tied entries of the relaxed sample.
    soft = gumbel_softmax(logits, 1e7, generator=seeded())
    tied = np.bincount(harden(soft).argmax(-1), minlength=10)
    assert statistics.chi_square_p_value(tied, [0.1] * 10) < FAILURE_RATE


@pytest.mark.parametrize("hard", [False, True])
def test_extreme_logits_and_temperatures_make_no_nan(hard):
    far = gumbel_softmax(torch.tensor([1e38, 0.0]), 0.1, hard, generator=seeded())
    assert far.tolist() == [1.0, 0.0]
    cold = gumbel_softmax(torch.zeros(1000, 3), 2e-38, hard, generator=seeded())
    assert (cold.sum(-1) == 1).all()
    for tau in (1e-39, torch.tensor(1e-50, dtype=torch.float64)):
        with pytest.raises(ValueError, match="tau must be at least 1.175e-38, got 1e-"):
            gumbel_softmax(torch.zeros(3), tau, hard)


def test_the_hard_gradient_is_the_soft_gradient():
    logits = torch.randn(
        4, 3, dtype=torch.float64, generator=seeded(), requires_grad=True
    )
    weights = torch.randn(4, 3, dtype=torch.float64, generator=seeded(1))
    gradients = []
    for hard in (False, True):
        loss = (gumbel_softmax(logits, 0.5, hard, generator=seeded(2)) * weights).sum()
        gradients.append(torch.autograd.grad(loss, logits)[0])
    assert torch.equal(*gradients)
    assert gradients[0].abs().min() > 0


def test_gradients_pass_gradcheck_in_logits_and_temperature():
    logits = torch.randn(
        3, 4, dtype=torch.float64, generator=seeded(), requires_grad=True
    )
    tau = torch.tensor([[0.5], [1.0], [2.0]], dtype=torch.float64, requires_grad=True)
    inputs = (logits, tau)
    torch.autograd.gradcheck(
        lambda x, t: gumbel_softmax(x, t, generator=seeded(1)), inputs
    )
    torch.autograd.gradgradcheck(
        lambda x, t: gumbel_softmax(x, t, generator=seeded(1)), inputs
    )


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2, -3])
def test_categories_may_lie_on_any_dim(dim):
    logits = torch.randn(2, 3, 4, generator=seeded())
    soft = gumbel_softmax(logits, 0.5, dim=dim, generator=seeded(1))
    torch.testing.assert_close(soft.sum(dim), torch.ones_like(soft.sum(dim)))
    hard = gumbel_softmax(logits, 0.5, hard=True, dim=dim, generator=seeded(1))
    assert torch.equal(hard.argmax(dim), soft.argmax(dim))
    assert torch.equal(hard.sum(dim), torch.ones_like(hard.sum(dim)))


def test_every_row_takes_its_own_temperature():
    logits = torch.zeros(2, 3)
    soft = gumbel_softmax(logits, torch.tensor([[1e-3], [1e3]]), generator=seeded(1))
    assert soft[0].max() > 0.999
    torch.testing.assert_close(soft[1], torch.full((3,), 1 / 3), atol=0.01, rtol=0)


def test_masked_categories_are_never_drawn_and_get_no_gradient():
    logits = torch.randn(1000, 5, generator=seeded(), requires_grad=True)
    tau = torch.tensor(0.5, requires_grad=True)
    mask = torch.rand(1000, 5, generator=seeded(1)) < 0.5
    mask[:, 2] = True
    for hard in (False, True):
        sample = gumbel_softmax(logits, tau, hard, generator=seeded(2), mask=mask)
        assert (sample[~mask] == 0).all()
        gradients = torch.autograd.grad((sample**2).sum(), (logits, tau))
        assert gradients[0].isfinite().all()
        assert gradients[1].isfinite()
        assert (gradients[0][~mask] == 0).all()


def test_a_fully_determined_row_has_a_zero_gradient():
    logits = torch.tensor([[0.0, -torch.inf]], requires_grad=True)
    sample = gumbel_softmax(logits, 0.1, generator=seeded())
    assert sample.tolist() == [[1.0, 0.0]]
    sample[0, 0].backward()
    assert logits.grad.tolist() == [[0.0, 0.0]]


def test_the_default_generator_is_torchs():
    torch.manual_seed(5)
    first = gumbel_softmax(torch.zeros(3))
    torch.manual_seed(5)
    assert torch.equal(first, gumbel_softmax(torch.zeros(3)))


def test_hardening_sends_its_gradient_to_the_relaxed_sample():
    relaxed = torch.tensor([[0.2, 0.5, 0.3]], requires_grad=True)
    hard = harden(relaxed)
    assert hard.tolist() == [[0.0, 1.0, 0.0]]
    (hard * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert relaxed.grad.tolist() == [[1.0, 2.0, 3.0]]
    assert harden(relaxed, 0).tolist() == [[1.0, 1.0, 1.0]]


@pytest.mark.parametrize(
    ("relaxed", "error", "message"),
    [
        ([0.2, 0.8], TypeError, "relaxed must be a torch tensor, got list"),
        (torch.tensor([True, False]), TypeError, "relaxed must have a floating dtype"),
        (torch.tensor([0.2, torch.nan]), ValueError, "relaxed must not be NaN"),
        (torch.zeros(2, 0), ValueError, "relaxed must have at least one category"),
    ],
)
def test_hardening_refuses_what_is_no_point(relaxed, error, message):
    with pytest.raises(error, match=message):
        harden(relaxed)


@pytest.fixture
def fresh_compiler():
    """Forget what other tests compiled, since recompilations of one function are limited."""
    torch.compiler.reset()


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_it_compiles_as_one_graph(hard, backend):
    compiled = torch.compile(gumbel_softmax, backend=backend, fullgraph=True)
    logits = torch.randn(50_000, 3, generator=seeded(), requires_grad=True)
    torch.manual_seed(0)
    sample = compiled(logits, 0.5, hard)
    assert torch.allclose(sample.sum(-1), torch.ones(50_000))
    counts = np.bincount(
        compiled(torch.zeros(50_000, 3), 0.5, hard).argmax(-1), minlength=3
    )
    assert statistics.chi_square_p_value(counts, [1 / 3] * 3) > FAILURE_RATE
    (sample**2).sum().backward()
    assert logits.grad.isfinite().all()


@pytest.mark.usefixtures("fresh_compiler")
def test_an_annealed_temperature_does_not_recompile():
    graphs = []

    def backend(module, _):
        graphs.append(module)
        return module.forward

    compiled = torch.compile(gumbel_softmax, backend=backend, fullgraph=True)
    for step in range(20):
        compiled(torch.zeros(2, 3), 1.0 - step / 40)
    assert len(graphs) <= 2


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.filterwarnings("ignore")  # inductor's own
@pytest.mark.skipif(
    shutil.which("g++") is None, reason="torch.compile needs a C++ compiler: g++"
)
def test_inductors_code_draws_from_the_law():
    compiled = torch.compile(gumbel_softmax, fullgraph=True)
    torch.manual_seed(0)
    logits = torch.tensor([6.0, 3.0, 1.0]).log().expand(100_000, 3)
    counts = np.bincount(compiled(logits, 0.5).argmax(-1), minlength=3)
    assert statistics.chi_square_p_value(counts, [0.6, 0.3, 0.1]) > FAILURE_RATE


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_compiler")
def test_it_compiles_with_a_generator_too():
    compiled = torch.compile(
        lambda logits, generator: gumbel_softmax(logits, 0.5, generator=generator),
        backend="eager",
    )
    logits = torch.zeros(4, 3)
    first, second, other = (compiled(logits, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("hard", [False, True])
def test_it_maps_over_a_batch_and_under_grad(hard):
    logits = torch.randn(6, 4, generator=seeded())

    def loss(row):
        return (gumbel_softmax(row, 0.5, hard, generator=generator)[0] - 0.3) ** 2

    generator = seeded(1)
    gradients = torch.func.vmap(torch.func.grad(loss), randomness="different")(logits)
    assert gradients.shape == logits.shape
    assert gradients.isfinite().all()
    assert len({tuple(row) for row in gradients.tolist()}) == 6
    generator = seeded(1)
    alone = torch.func.grad(loss)(logits[0])
    leaf = logits[0].clone().requires_grad_()
    generator = seeded(1)
    loss(leaf).backward()
    torch.testing.assert_close(alone, leaf.grad)


def test_vmap_draws_follow_the_law():
    logits = torch.tensor([6.0, 3.0, 1.0]).log().expand(50_000, 3)
    mapped = torch.func.vmap(
        lambda row: gumbel_softmax(row, 0.5), randomness="different"
    )
    torch.manual_seed(0)
    counts = np.bincount(mapped(logits).argmax(-1), minlength=3)
    assert statistics.chi_square_p_value(counts, [0.6, 0.3, 0.1]) > FAILURE_RATE


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing_but_the_dtype_that_comes_in(dtype):
    layer = torch.nn.Linear(4, 3)
    inputs = torch.randn(8, 4, generator=seeded())
    with torch.autocast("cpu", dtype=dtype):
        logits = layer(inputs)
        hard = gumbel_softmax(logits, 0.5, hard=True, generator=seeded(1))
        soft = gumbel_softmax(logits, 0.5, generator=seeded(1))
    assert logits.dtype == dtype
    assert soft.dtype == dtype
    assert torch.equal(soft, gumbel_softmax(logits, 0.5, generator=seeded(1)))
    assert (hard.sum(-1) == 1).all()
    (hard * inputs[:, :3]).sum().backward()
    assert layer.weight.grad.isfinite().all()


def test_shapes_at_the_edge():
    assert gumbel_softmax(torch.zeros(5)).shape == (5,)
    assert gumbel_softmax(torch.zeros(0, 5)).shape == (0, 5)
    assert gumbel_softmax(torch.zeros(2, 1), hard=True).tolist() == [[1.0], [1.0]]
    strided = torch.randn(6, 4, generator=seeded()).T[::2]
    expected = gumbel_softmax(strided.contiguous(), generator=seeded(1))
    assert torch.equal(gumbel_softmax(strided, generator=seeded(1)), expected)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"tau": 0}, ValueError, "tau must be positive, got 0"),
        ({"tau": -1.0}, ValueError, "tau must be positive, got -1.0"),
        ({"tau": float("nan")}, ValueError, "tau must be positive, got nan"),
        (
            {"tau": torch.tensor([0.5, -2.0])[:, None]},
            ValueError,
            "tau must be positive, got -2.0",
        ),
        (
            {"tau": torch.ones(3)},
            ValueError,
            "tau must have size 1 on the category axis -1",
        ),
        (
            {"tau": torch.ones(5, 1)},
            ValueError,
            "tau must broadcast against logits of shape (2, 3), got shape (5, 1)",
        ),
        (
            {"tau": torch.ones(5, 1), "logits": torch.zeros(3)},
            ValueError,
            "tau must broadcast to logits of shape (3,), got shape (5, 1)",
        ),
        (
            {"mask": torch.ones(2, 2, 3, dtype=torch.bool)},
            ValueError,
            "mask must broadcast to logits of shape (2, 3), got shape (2, 2, 3)",
        ),
        (
            {"mask": torch.ones(3, dtype=torch.bool, device="meta")},
            ValueError,
            "mask must be on device cpu, got one on meta",
        ),
        (
            {"tau": "1"},
            TypeError,
            "tau must be a number or a tensor, got str",
        ),
        (
            {"dim": 2},
            ValueError,
            "dim must name one of the 2 axes of logits of shape (2, 3), got 2",
        ),
        ({"dim": -3}, ValueError, "dim must name one of the 2 axes"),
        ({"dim": True}, TypeError, "dim must be a whole number, got True"),
        ({"dim": 1.0}, TypeError, "dim must be a whole number, got 1.0"),
        ({"dim": None}, TypeError, "dim must be a whole number, got None"),
        ({"tau": None}, TypeError, "tau must be a number or a tensor, got NoneType"),
        ({"tau": [0.5]}, TypeError, "tau must be a number or a tensor, got list"),
        ({"tau": 1j}, TypeError, "tau must be a number or a tensor, got complex"),
        ({"tau": torch.tensor(1j)}, TypeError, "tau must have a real dtype"),
        ({"tau": torch.tensor(0)}, ValueError, "tau must be positive, got 0.0"),
        ({"logits": [0.0, 1.0]}, TypeError, "logits must be a torch tensor, got list"),
        (
            {"logits": torch.zeros(2, 3).to_sparse()},
            TypeError,
            "logits must be a dense tensor, got layout torch.sparse_coo",
        ),
        (
            {
                "logits": torch.nested.nested_tensor(
                    [torch.zeros(2)], layout=torch.jagged
                )
            },
            TypeError,
            "logits must be a dense tensor, got layout nested",
        ),
        (
            {"logits": torch.zeros(2, 3, dtype=torch.complex64)},
            TypeError,
            "floating dtype, got torch.complex64",
        ),
        (
            {"logits": torch.zeros(2, 3).to(torch.float8_e4m3fn)},
            TypeError,
            "floating dtype, got torch.float8_e4m3fn",
        ),
        ({"noise": [0.0] * 3}, TypeError, "noise must be a torch tensor, got list"),
        (
            {"noise": torch.zeros(4)},
            ValueError,
            "noise must have one entry for each of",
        ),
        ({"noise": torch.full((3,), torch.inf)}, ValueError, "noise must be finite"),
        (
            {"noise": torch.zeros(3, device="meta")},
            ValueError,
            "noise must be on device cpu, got one on meta",
        ),
        (
            {"noise": torch.zeros(3), "generator": torch.Generator()},
            ValueError,
            "generator must be None where noise is given",
        ),
        (
            {"mask": torch.ones(3)},
            TypeError,
            "mask must be a boolean tensor, got torch.float32",
        ),
        ({"mask": [True] * 3}, TypeError, "mask must be a boolean tensor, got list"),
        (
            {"mask": torch.ones(4, dtype=torch.bool)},
            ValueError,
            "mask must broadcast to logits",
        ),
        (
            {"mask": torch.zeros(3, dtype=torch.bool)},
            ValueError,
            "got only -inf in the row at index (0,)",
        ),
        (
            {"generator": np.random.default_rng()},
            TypeError,
            "generator must be a torch.Generator",
        ),
        (
            {"logits": torch.zeros(2, 3, dtype=torch.int64)},
            TypeError,
            "floating dtype, got torch.int64",
        ),
        ({"logits": torch.zeros(2, 0)}, ValueError, "at least one category"),
        (
            {"logits": torch.full((2, 3), torch.nan)},
            ValueError,
            "logits must not be NaN",
        ),
        (
            {"logits": np.zeros((2, 3))},
            TypeError,
            "logits must be a torch tensor, got ndarray",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name_and_value(arguments, error, message):
    with pytest.raises(error) as raised:
        gumbel_softmax(**{"logits": torch.zeros(2, 3), **arguments})
    assert message in str(raised.value)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", DTYPES)
def test_cuda_draws_follow_the_law_on_their_device(dtype):
    generator = torch.Generator("cuda").manual_seed(0)
    logits = (
        torch.tensor([6.0, 3.0, 1.0], device="cuda").log().to(dtype).expand(100_000, 3)
    )
    sample = gumbel_softmax(logits, 0.5, hard=True, generator=generator)
    assert sample.device == logits.device
    counts = np.bincount(sample.argmax(-1).cpu(), minlength=3)
    probs = torch.softmax(logits[0].double(), -1).cpu().numpy()
    assert statistics.chi_square_p_value(counts, probs) > FAILURE_RATE
    with pytest.raises(
        ValueError, match="generator must be on device cuda:0, got one on cpu"
    ):
        gumbel_softmax(logits, 0.5, generator=torch.Generator())
