"""The array half on tensors under everything of torch that traces, fakes, maps or differentiates a function.

Compiled, every public function is one graph: no switch of NumPy, no reading of a value, no guess by the
compiler. What the compiled noise draws is tested in test_noise.
"""

import pytest
import torch
from helpers.transforms import BATCHED, CALLS, arrays_of, converted, find
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from gumbel_tutorial import categorical, concrete, gumbel_max, noise


@pytest.fixture(autouse=True)
def fresh_compiler():
    """Forget what other tests have compiled, which would turn shapes into variables."""
    torch.compiler.reset()


def tensors_of(name):
    return converted(CALLS[name], torch.as_tensor)


def split(name):
    """Return a function of the tensors of a call alone, and those tensors."""
    function, arguments = find(name), tensors_of(name)
    places = [i for i, value in enumerate(arguments) if torch.is_tensor(value)]

    def of_tensors(*values):
        complete = list(arguments)
        for place, value in zip(places, values, strict=True):
            complete[place] = value
        return function(*complete)

    return of_tensors, [arguments[place] for place in places]


def assert_same(ours, expected):
    for first, second in zip(arrays_of(ours), arrays_of(expected), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", CALLS)
def test_every_function_compiles_in_one_graph(name):
    function, arguments = find(name), tensors_of(name)
    compiled = torch.compile(function, backend="eager", fullgraph=True)
    assert_same(compiled(*arguments), function(*arguments))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "categorical.kl",
        "concrete.relax",
        "concrete.log_density",
        "gumbel.quantile",
        "gumbel.truncated_log_density",
        "gumbel_max.noise_given_index",
    ],
)
def test_the_derivative_of_a_compiled_function_is_that_of_the_plain_one(name):
    function, tensors = split(name)
    leaf = tensors[0].clone().requires_grad_()
    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    gradients = [
        torch.autograd.grad(each(leaf, *tensors[1:]).sum(), leaf)[0]
        for each in (compiled, function)
    ]
    assert_same(*gradients)


def test_a_compiled_function_takes_a_varying_batch():
    compiled = torch.compile(
        lambda logits: gumbel_max.top_k_sample(logits, noise.gumbel_like(logits), 2),
        backend="eager",
        fullgraph=True,
        dynamic=True,
    )
    for rows in (3, 4, 7):
        assert compiled(torch.randn(rows, 5)).shape == (rows, 2)


def test_noise_like_a_tensor_compiles_in_one_graph():
    for draw in (noise.gumbel_like, noise.logistic_like, noise.normal_like):
        compiled = torch.compile(draw, backend="aot_eager", fullgraph=True)
        draws = compiled(torch.zeros(1000, dtype=torch.bfloat16))
        assert draws.dtype == torch.float32
        assert draws.unique().numel() > 990


@pytest.mark.parametrize("name", CALLS)
def test_every_function_runs_on_fake_tensors(name):
    function, arguments = find(name), tensors_of(name)
    expected = function(*arguments)
    with FakeTensorMode() as mode:
        faked = [
            type(value)(*map(mode.from_tensor, value))
            if isinstance(value, tuple)
            else mode.from_tensor(value)
            if torch.is_tensor(value)
            else value
            for value in arguments
        ]
        for ours, other in zip(
            arrays_of(function(*faked)), arrays_of(expected), strict=True
        ):
            assert ours.shape == other.shape
            assert ours.dtype == other.dtype


@pytest.mark.parametrize("name", BATCHED)
def test_every_function_is_traced_into_a_graph(name):
    function, tensors = split(name)
    graph = make_fx(function)(*tensors)
    assert_same(graph(*tensors), function(*tensors))


@pytest.mark.parametrize("name", BATCHED)
def test_every_function_is_mapped_by_vmap(name):
    function, tensors = split(name)
    assert_same(torch.func.vmap(function)(*tensors), function(*tensors))


@pytest.mark.parametrize("name", BATCHED)
def test_functional_derivatives_are_those_of_the_tape(name):
    function, tensors = split(name)
    places = [i for i, value in enumerate(tensors) if value.is_floating_point()]
    for i in places:
        tensors[i].requires_grad_()
    result = function(*tensors)
    if not result.requires_grad:
        pytest.skip("an index has no derivative")
    expected = torch.autograd.grad(
        result.sum(), [tensors[i] for i in places], materialize_grads=True
    )
    ours = torch.func.grad(lambda *v: function(*v).sum(), argnums=tuple(places))(
        *(value.detach() for value in tensors)
    )
    assert_same(ours, expected)


def test_values_go_unchecked_in_compiled_code_and_are_checked_outside():
    bad = torch.tensor([0.0, torch.nan])
    entropy = torch.compile(categorical.entropy, backend="eager", fullgraph=True)
    assert entropy(bad).isnan()
    with pytest.raises(ValueError, match="logits must not be NaN"):
        categorical.entropy(bad)
    relax = torch.compile(concrete.relax, backend="eager", fullgraph=True)
    with pytest.raises(Exception, match="noise must have one entry for each of the 2"):
        relax(torch.zeros(2), torch.zeros(3), 1.0)  # shapes are, there too


@pytest.mark.parametrize("temperature", [0.5, 1])
def test_a_compiled_relaxation_takes_every_kind_of_number(temperature):
    logits, draws = torch.zeros(2, 3), torch.randn(2, 3)
    relax = torch.compile(concrete.relax, backend="eager", fullgraph=True)
    expected = concrete.relax(logits, draws, float(temperature))
    torch.testing.assert_close(relax(logits, draws, temperature), expected)
