"""Relaxed samples of the kernels and their derivatives, against operations of torch on the same noise."""

import pytest
import torch

from gumbel_tutorial import checks, kernels

pytestmark = pytest.mark.cuda
# Rows of a tile of several, whole rows, whole rows without alignment, and chunks.
SIZES = [3, 1000, 5001, 17_000]
DTYPES = {torch.float32: 2e-5, torch.bfloat16: 2e-2, torch.float16: 3e-3}


def problem(device, generator, size, dtype=torch.float32, rows=2):
    logits = torch.randn(rows, size, device=device, generator=generator).to(dtype)
    grads = torch.randn(rows, size, device=device, generator=generator).to(dtype)
    return logits.requires_grad_(), grads


def noise_of(logits, generator):
    """Return the noise that the next call will draw."""
    state = generator.get_state()
    noise = kernels.gumbel_like(logits.detach(), generator=generator)
    generator.set_state(state)
    return noise


def assert_near(found, expected, tolerance=2e-5):
    scale = expected.abs().max()
    assert ((found.float() - expected.float()).abs() / scale).max() < tolerance


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_samples_and_derivatives_are_those_of_the_formula(
    size, hard, device, generator
):
    logits, grads = problem(device, generator, size)
    noise = noise_of(logits, generator)
    relaxed = ((logits + noise) / 0.7).softmax(-1)
    sample = kernels.gumbel_softmax(logits, 0.7, hard, generator=generator)
    if hard:
        assert torch.equal(sample.argmax(-1), (logits + noise).argmax(-1))
        assert torch.equal(sample.sum(-1), torch.ones(2, device=device))
        assert torch.equal(sample.amax(-1), torch.ones(2, device=device))
    else:
        assert_near(sample, relaxed)
    (found,) = torch.autograd.grad(sample, logits, grads)
    (expected,) = torch.autograd.grad(relaxed, logits, grads)
    assert_near(found, expected)
    # Of other noise the derivative is another.
    other = ((logits + noise.roll(1, 0)) / 0.7).softmax(-1)
    (wrong,) = torch.autograd.grad(other, logits, grads)
    assert ((found - wrong).abs() / expected.abs().max()).max() > 0.01


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("size", [5, 17_000])
def test_every_row_may_have_a_temperature_that_is_learned(
    size, hard, device, generator
):
    logits, grads = problem(device, generator, size)
    tau = torch.tensor([[0.5], [2.0]], device=device, requires_grad=True)
    noise = noise_of(logits, generator)
    sample = kernels.gumbel_softmax(logits, tau, hard, generator=generator)
    relaxed = ((logits + noise) / tau).softmax(-1)
    found = torch.autograd.grad(sample, (logits, tau), grads)
    expected = torch.autograd.grad(relaxed, (logits, tau), grads)
    for mine, plain in zip(found, expected, strict=True):
        assert_near(mine, plain, 1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_half_precision_is_rounded_once(dtype, device, generator):
    logits, grads = problem(device, generator, 100, dtype)
    relaxed = (logits.float() + noise_of(logits, generator)).softmax(-1)
    sample = kernels.gumbel_softmax(logits, generator=generator)
    assert sample.dtype == dtype
    spacing = torch.finfo(dtype).eps
    assert ((sample.float() - relaxed) / relaxed).abs().max() < spacing + 1e-5
    (found,) = torch.autograd.grad(sample, logits, grads)
    (expected,) = torch.autograd.grad(relaxed, logits, grads.float())
    assert found.dtype == dtype
    assert_near(found, expected, DTYPES[dtype])


def test_closed_categories_stay_closed_and_have_no_derivative(device, generator):
    logits, grads = problem(device, generator, 50)
    with torch.no_grad():
        logits[:, 10:40] = -torch.inf
    for hard in (False, True):
        sample = kernels.gumbel_softmax(logits, 0.1, hard, generator=generator)
        assert (sample[:, 10:40] == 0).all()
        (found,) = torch.autograd.grad(sample, logits, grads)
        assert torch.isfinite(found).all()
        assert (found[:, 10:40] == 0).all()


@pytest.mark.filterwarnings(
    "ignore:overflow encountered in multiply"
)  # to -inf, as is meant
@pytest.mark.parametrize("tau", [2.0**-126, 1e-3, 1e30])
def test_extreme_temperatures_give_finite_rows_that_sum_to_one(tau, device, generator):
    logits, _ = problem(device, generator, 30)
    sample = kernels.gumbel_softmax(logits, tau, generator=generator)
    assert (sample.sum(-1) - 1).abs().max() < 1e-6
    if tau > 1:
        assert (sample - 1 / 30).abs().max() < 1e-6


def test_second_derivatives_are_those_of_the_formula(device, generator):
    logits, grads = problem(device, generator, 6)
    tau = torch.tensor(0.8, device=device, requires_grad=True)
    noise = noise_of(logits, generator)
    results = []
    for hard in (False, True, None):
        state = generator.get_state()
        if hard is None:
            sample = ((logits + noise) / tau).softmax(-1)
        else:
            sample = kernels.gumbel_softmax(logits, tau, hard, generator=generator)
        generator.set_state(state)
        first = torch.autograd.grad(sample, (logits, tau), grads, create_graph=True)
        total = (first[0] ** 2).sum() + first[1] ** 2
        results.append(torch.autograd.grad(total, (logits, tau)))
    *ours, plain = results
    for mine, theirs in zip(ours[0] + ours[1], plain + plain, strict=True):
        assert_near(mine, theirs, 1e-4)


def test_an_index_carries_the_derivative_of_its_vector(device, generator):
    logits, _ = problem(device, generator, 40, rows=6)
    weight = torch.randn(40, 7, device=device, generator=generator, requires_grad=True)
    towards = torch.randn(6, 7, device=device, generator=generator)
    noise = noise_of(logits, generator)
    index, carrier = kernels.straight_through_index(logits, 0.9, generator=generator)
    assert torch.equal(index, (logits + noise).argmax(-1))
    found = torch.autograd.grad(
        kernels.embed(index, carrier, weight), (logits, weight), towards
    )
    relaxed = ((logits + noise) / 0.9).softmax(-1)
    hard = torch.nn.functional.one_hot(index, 40) + relaxed - relaxed.detach()
    expected = torch.autograd.grad(hard @ weight, (logits, weight), towards)
    for mine, plain in zip(found, expected, strict=True):
        assert_near(mine, plain)


def test_an_index_keeps_nothing_of_the_size_of_the_logits_but_them(device, generator):
    logits, _ = problem(device, generator, 1000, rows=4)
    kept = []

    def pack(tensor):
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        _, carrier = kernels.straight_through_index(logits, generator=generator)
    own = [each for each in kept if each.data_ptr() != logits.data_ptr()]
    assert len(own) < len(kept)
    assert sum(each.untyped_storage().nbytes() for each in own) <= 4 * 2 * 4 + 16
    assert carrier.untyped_storage().nbytes() == 4
    assert (carrier == 0).all()


def test_the_noise_of_the_backward_pass_is_that_of_the_forward_pass(device, generator):
    # At a low temperature the derivative is not small where two are near, and there the noise must agree in
    # its last digits.
    logits = torch.zeros(8, 1000, device=device, requires_grad=True)
    noise = noise_of(logits, generator)
    _, carrier = kernels.straight_through_index(logits, 1e-2, generator=generator)
    grads = torch.randn(8, 1000, device=device, generator=generator)
    (found,) = torch.autograd.grad(carrier, logits, grads)
    y = (noise / 1e-2).softmax(-1)
    expected = y * (grads - (grads * y).sum(-1, keepdim=True)) / 1e-2
    assert_near(found, expected, 2e-4)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_nothing_is_read_back_where_values_are_not_checked(device, generator):
    class Reads(torch.utils._python_dispatch.TorchDispatchMode):
        names: list[str]

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.names.append(str(function))
            return function(*args, **(kwargs or {}))

    def names(call):
        reads = Reads()
        reads.names = []
        with reads:
            call()
        return {
            name for name in reads.names if "local_scalar" in name or "nonzero" in name
        }

    logits, grads = problem(device, generator, 20_000, rows=1)
    try:
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("error")
        with checks.check_values(False):

            def everything():
                kernels.sample(logits, generator=generator)
                kernels.gumbel_softmax(logits, 0.5, generator=generator).backward(grads)
                _, carrier = kernels.straight_through_index(logits, generator=generator)
                carrier.backward(grads)
                kernels.gumbel_softmax(logits[:, :9], hard=True, generator=generator)

            everything() if device.type == "cuda" else None
            assert names(everything) == set()
    finally:
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    assert names(lambda: kernels.sample(logits, generator=generator)) != set()


def test_a_weight_of_another_height_is_refused(device, generator):
    logits, _ = problem(device, generator, 5)
    index, carrier = kernels.straight_through_index(logits, generator=generator)
    with pytest.raises(
        ValueError, match="weight must have a row for each of the 5 categories"
    ):
        kernels.embed(index, carrier, torch.zeros(4, 2, device=device))


def test_a_temperature_that_is_not_positive_is_refused(device, generator):
    logits, _ = problem(device, generator, 5)
    with pytest.raises(ValueError, match="tau must be positive, got 0"):
        kernels.gumbel_softmax(logits, 0.0, generator=generator)


def test_a_graph_that_is_replayed_draws_anew(device):
    if device.type == "cpu":
        pytest.skip("needs a CUDA device: there is no graph to capture")
    logits = torch.zeros(64, 1000, device=device)
    with checks.check_values(False):
        kernels.sample(logits)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            index = kernels.sample(logits)
    draws = []
    for _ in range(3):
        graph.replay()
        draws.append(index.clone())
    assert not torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[1], draws[2])
