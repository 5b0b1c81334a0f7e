"""The protocol, for every estimator by name: shapes, masks, dtypes, devices, seeds, errors."""

import inspect

import pytest
import torch
from helpers.estimators import categories, energy, prepared, seeded
from torch.utils._python_dispatch import TorchDispatchMode

from gumbel_tutorial import checks, estimators
from gumbel_tutorial.estimators import ESTIMATORS, MovingAverage

NAMES = list(ESTIMATORS)
# They draw nothing.
SUMS = {"exact", "sparse_marginalisation"}


def each(z):
    """Return a loss for every variable on its own, shape (..., K) to (...)."""
    return (z @ torch.linspace(-1, 2, z.shape[-1], device=z.device).to(z)) ** 3


def gradient(name, f, logits, seed=0):
    leaf = logits.clone().requires_grad_()
    loss = prepared(name, f)(f, leaf, generator=seeded(seed))
    loss.sum().backward()
    return loss, leaf.grad


@pytest.mark.parametrize("name", NAMES)
def test_losses_have_the_batch_shape_and_gradients_that_of_the_logits(name):
    logits = torch.randn(5, 2, categories(name), generator=seeded())
    for f, batch in ((energy, (5,)), (each, (5, 2))):
        loss, slope = gradient(name, f, logits)
        assert loss.shape == batch
        assert slope.shape == logits.shape
        assert slope.isfinite().all()
    loss, slope = gradient(name, energy, logits[0])
    assert loss.shape == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_settles_the_estimate(name):
    logits = torch.randn(20, 2, categories(name), generator=seeded())
    first, second, third = (
        gradient(name, energy, logits, seed)[1] for seed in (1, 1, 2)
    )
    assert torch.equal(first, second)
    assert name in SUMS or not torch.equal(first, third)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", NAMES)
def test_an_excluded_category_is_one_that_is_never_drawn(name, dtype):
    logits = torch.randn(200, 2, categories(name), generator=seeded()).to(dtype)
    logits[:100, :, 1] = -torch.inf
    seen = []

    def f(z):
        seen.append(z.detach()[..., :100, :, 1].abs().sum().item())
        return energy(z)

    loss, slope = gradient(name, f, logits)
    assert (slope[:100, :, 1] == 0).all()
    if name not in SUMS:  # which count every state, with its probability
        assert sum(seen) == 0
    # e^-700 is no probability that a draw could tell from 0, and a finite number all the same.
    low, low_slope = gradient(name, energy, logits.clamp(min=-700))
    tolerance = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(loss, low, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(slope, low_slope, rtol=tolerance, atol=tolerance)


def test_what_is_lost_in_a_state_that_cannot_be_counts_nothing():
    losses = torch.tensor([1.0, torch.inf, 3.0])
    logits = torch.tensor([0.0, -torch.inf, 0.0]).requires_grad_()
    value = estimators.exact(lambda z: losses[z.argmax(-1)], logits)
    value.backward()
    assert value == 2
    torch.testing.assert_close(logits.grad, torch.tensor([-0.5, 0.0, 0.5]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_worked_in_float32(name, dtype):
    logits = (3 * torch.randn(50, 2, categories(name), generator=seeded())).to(dtype)
    _, half = gradient(name, energy, logits)
    _, full = gradient(name, energy, logits.float())
    assert half.dtype == dtype
    torch.testing.assert_close(half, full.to(dtype), rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_it_works_under_autocast(name):
    size = 2 * categories(name)
    network = torch.nn.Linear(size, 1)

    def f(z):
        return network(z.flatten(-2)).squeeze(-1)

    logits = torch.randn(6, 2, categories(name), generator=seeded()).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = prepared(name, f)(f, logits, generator=seeded())
    loss.float().mean().backward()
    assert logits.grad.isfinite().all()
    assert network.weight.grad.abs().sum() > 0


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_it_works_on_cuda(name):
    logits = torch.randn(7, 2, categories(name), device="cuda").requires_grad_()
    loss = prepared(name, energy)(
        energy, logits, generator=torch.Generator("cuda").manual_seed(0)
    )
    loss.sum().backward()
    assert loss.is_cuda
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("name", ["muprop", "rebar", "relax"])
def test_a_control_variate_reaches_the_logits_alone(name):
    weight = torch.tensor(0.8, requires_grad=True)
    logits = torch.zeros(1000, 3).requires_grad_()

    def f(z):
        return weight * z[..., 0] ** 2

    options = (
        {"control": lambda x: weight * x.softmax(-1)[..., 0]} if name == "relax" else {}
    )
    loss = estimators.get(name).prepare(**options)(f, logits, generator=seeded())
    loss.sum().backward()
    torch.testing.assert_close(weight.grad, loss.detach().sum() / 0.8)


def test_rebar_learns_its_temperature_and_scale_by_the_variance():
    logits = torch.tensor([0.5, 0.0, -1.0], dtype=torch.float64)
    parameters = [
        torch.tensor(v, dtype=torch.float64).requires_grad_() for v in (0.3, 0.9)
    ]
    rebar = estimators.rebar

    def spread(temperature, scale):
        leaf = logits.expand(2000, 3).clone().requires_grad_()
        loss = rebar(
            each, leaf, generator=seeded(), temperature=temperature, scale=scale
        )
        loss.mean().backward()
        return 2000 * leaf.grad.square().sum()

    spread(*parameters)
    fixed = [p.detach().item() for p in parameters]
    for position, parameter in enumerate(parameters):
        ends = []
        for step in (1e-5, -1e-5):
            moved = list(fixed)
            moved[position] += step
            ends.append(spread(*moved))
        numeric = (ends[0] - ends[1]) / 2e-5
        torch.testing.assert_close(parameter.grad, numeric, rtol=1e-4, atol=1e-7)
    for _ in range(60):
        for parameter in parameters:
            parameter.grad = None
        before = spread(*parameters)
        with torch.no_grad():
            for parameter in parameters:
                parameter -= 0.05 * parameter.grad
    assert before < 0.8 * spread(*fixed)


class Control(torch.nn.Module):
    """A small control variate with a weight of its own."""

    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(weight)

    def forward(self, x):
        return torch.tanh(x @ self.weight)


@pytest.mark.parametrize("named", [False, True])
def test_relax_learns_its_control_variate_by_the_variance(named):
    start = torch.tensor([0.4, -0.3, 0.8], dtype=torch.float64)
    logits = torch.tensor([0.5, 0.0, -1.0], dtype=torch.float64).expand(200, 3)

    def spread(weight):
        module = Control(weight.clone())
        options = {"control": module}
        if named:
            options = {
                "control": lambda x: module(x),
                "parameters": module.parameters(),
            }
        leaf = logits.clone().requires_grad_()
        loss = estimators.relax(each, leaf, generator=seeded(), **options)
        loss.mean().backward()
        return 200 * leaf.grad.square().sum(), module.weight.grad

    _, slope = spread(start)
    for position in range(3):
        step = torch.zeros(3, dtype=torch.float64)
        step[position] = 1e-5
        numeric = (spread(start + step)[0] - spread(start - step)[0]) / 2e-5
        torch.testing.assert_close(slope[position], numeric, rtol=1e-5, atol=1e-8)


def test_a_control_variate_of_unnamed_parameters_is_left_as_it_is():
    module = Control(torch.zeros(3) + 0.3)
    loss = estimators.relax(
        each,
        torch.zeros(5, 3).requires_grad_(),
        generator=seeded(),
        control=lambda x: module(x),
    )
    loss.sum().backward()
    assert module.weight.grad is None


def test_a_moving_average_is_read_before_the_losses_enter():
    baseline = MovingAverage(decay=0.5)
    assert baseline.read_and_update(torch.tensor([4.0, 2.0])) == 0
    assert baseline.read_and_update(torch.tensor([5.0])) == 3
    assert baseline.read_and_update(torch.tensor([0.0])) == 4
    twice = [estimators.get("reinforce_moving_average").prepare() for _ in range(2)]
    assert twice[0].keywords["baseline"] is not twice[1].keywords["baseline"]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"name must be one of exact, reinforce.*got 'x'"
    ):
        estimators.get("x")


@pytest.mark.parametrize("name", NAMES)
def test_an_estimator_is_a_function_of_its_name(name):
    assert getattr(estimators, name) is ESTIMATORS[name].function
    assert getattr(estimators, name).__name__ == name
    assert name in estimators.__all__


@pytest.mark.parametrize("name", NAMES)
def test_no_generator_is_the_default_one(name):
    logits = torch.randn(20, 2, categories(name), generator=seeded())
    with torch.random.fork_rng(devices=[]):
        first = torch.default_generator.manual_seed(3).get_state()
        losses = prepared(name, energy)(energy, logits)
        torch.default_generator.set_state(first)
        named = prepared(name, energy)(
            energy, logits, generator=torch.default_generator
        )
    assert torch.equal(losses, named)


class Reads(TorchDispatchMode):
    """Counts how often a value leaves a tensor, which is where a device is waited for."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


# One for the derivative of the control variate, one for how many states are open, two for the support.
MORE_READS = {"rebar": 1, "relax": 1, "unordered_set": 1, "sparse_marginalisation": 2}


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_checked_once(name):
    logits = torch.randn(5, 2, categories(name), generator=seeded()).requires_grad_()
    estimator = prepared(name, energy)
    with Reads() as reads:
        estimator(energy, logits, generator=seeded()).sum().backward()
    assert reads.count == 1 + MORE_READS.get(name, 0)
    with checks.check_values(False), Reads() as reads:
        estimator(energy, logits, generator=seeded()).sum().backward()
    assert reads.count == 0


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_say_source_bias_and_cost(name):
    text = inspect.getdoc(ESTIMATORS[name].function)
    assert "iased" in text
    assert "Cost" in text
    assert "Source" in text or name == "exact"


BAD = [
    ({"logits": [0.0, 1.0]}, TypeError, "logits must be a torch tensor, got list"),
    ({"logits": torch.tensor([0, 1])}, TypeError, "logits must have a floating dtype"),
    ({"logits": torch.tensor([0.0, torch.nan])}, ValueError, "logits must not be NaN"),
    ({"generator": 3}, TypeError, "generator must be a torch.Generator, got int"),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("change", "error", "message"), BAD)
def test_every_estimator_refuses_bad_input_in_words(name, change, error, message):
    arguments = {"logits": torch.zeros(2), "generator": seeded()} | change
    with pytest.raises(error, match=message):
        prepared(name, each)(each, arguments.pop("logits"), **arguments)


OPTIONS = [
    (
        "rloo",
        {"num_samples": 1},
        "num_samples must be a whole number of at least 2, got 1",
    ),
    ("vimco", {"num_samples": 1.5}, "num_samples must be a whole number"),
    (
        "unordered_set",
        {"num_samples": 4},
        "num_samples must be at most the 3 states, got 4",
    ),
    ("unordered_set", {"num_samples": 99}, "num_samples must be at most 12, got 99"),
    (
        "gumbel_rao",
        {"num_inner": 0},
        "num_inner must be a whole number of at least 1, got 0",
    ),
    ("reinmax", {"temperature": 0.9}, "temperature must be at least 1, got 0.9"),
    ("gumbel_softmax", {"temperature": -0.5}, "must be positive, got -0.5"),
    ("straight_through", {"temperature": 0.0}, "temperature must be positive, got 0.0"),
    (
        "decoupled_straight_through",
        {"forward_temperature": -1.0},
        "forward_temperature must",
    ),
    ("gapped_straight_through", {"gap": 0.0}, "gap must be positive, got 0.0"),
    ("slope_annealed", {"slope": -2.0}, "slope must be positive, got -2.0"),
    ("rebar", {"temperature": 0.0}, "temperature must be positive, got 0.0"),
    (
        "double_control_variates",
        {"num_samples": 1},
        "num_samples must be a whole number of at least 2, got 1",
    ),
    ("rodeo", {"num_samples": 1}, "num_samples must be a whole number of at least 2"),
    ("imle", {"step": 0.0}, "step must be positive, got 0.0"),
    ("redge", {"num_steps": 0}, "num_steps must be a whole number of at least 1"),
    ("reindge", {"last_time": 0.0}, r"last_time must lie in \(0, 1\], got 0.0"),
    ("reinmax_rao", {"num_inner": 0}, "num_inner must be a whole number of at least 1"),
    ("reinmax_cv", {"temperature": -1.0}, "temperature must be positive, got -1.0"),
]


@pytest.mark.parametrize(("name", "options", "message"), OPTIONS)
def test_bad_options_are_refused_in_words(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(estimators, name)(each, torch.zeros(3), generator=seeded(), **options)


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        # Losses that keep the categories: no sum over the last axis, or one that keeps it.
        (lambda z: z, list(estimators.ESTIMATORS)),
        (lambda z: z.sum(-1, keepdim=True), list(estimators.ESTIMATORS)),
        # A mean over several samples is none of theirs.
        (
            lambda z: z.mean(),
            [
                *("exact", "rloo", "vimco", "unordered_set", "arm", "disarm"),
                *("categorical_disarm", "double_control_variates", "rodeo"),
                "sparse_marginalisation",
            ],
        ),
    ],
)
def test_losses_that_no_sample_has_are_refused(wrong, names):
    needed = {
        "reinforce_moving_average": {"baseline": MovingAverage()},
        "relax": {"control": lambda z: z.sum(-1)},
    }
    for name in names:
        with pytest.raises(ValueError, match=r"f must return losses of the leading sh"):
            getattr(estimators, name)(
                wrong,
                torch.zeros(3, 2),
                generator=seeded(),
                **needed.get(name, {}),
            )


def test_complex_losses_are_refused():
    with pytest.raises(TypeError, match="f must return real losses, got torch.complex"):
        estimators.rloo(lambda z: z.sum(-1) + 0j, torch.zeros(3), generator=seeded())


def test_other_refusals():
    with pytest.raises(
        ValueError, match="logits must have at most 16384 states, got 59049"
    ):
        estimators.exact(
            lambda z: z.sum((-1, -2)), torch.zeros(10, 3), generator=seeded()
        )
    with pytest.raises(ValueError, match="logits must have 2 categories, got 3"):
        estimators.disarm(each, torch.zeros(3), generator=seeded())
    with pytest.raises(ValueError, match="f must return losses of the leading shape"):
        estimators.reinforce(
            lambda z: z.sum((0, -1)), torch.zeros(4, 5, 3), generator=seeded()
        )
    with pytest.raises(ValueError, match=r"decay must lie in \(0, 1\), got 1.0"):
        MovingAverage(1.0)
    with pytest.raises(TypeError, match="baseline must be a MovingAverage, got float"):
        estimators.reinforce_moving_average(
            each, torch.zeros(3), generator=seeded(), baseline=0.5
        )
