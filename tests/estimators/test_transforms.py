"""Every estimator inside what torch transforms: one graph, torch.func, vmap, tensors without values."""

import pytest
import torch
from helpers.estimators import categories, energy, hold_noise, prepared, seeded
from torch._subclasses import FakeTensorMode

from gumbel_tutorial import estimators
from gumbel_tutorial.estimators import ESTIMATORS, MovingAverage

NAMES = list(ESTIMATORS)
LEARNED = [
    *(("rebar", "temperature"), ("rebar", "scale"), ("gumbel_rao", "temperature")),
    *(("double_control_variates", "scale"), ("rodeo", "scale")),
]
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def compiled(function):
    torch.compiler.reset()
    return torch.compile(function, fullgraph=True, backend="aot_eager")


def some_logits(name, batch=5):
    shape = (batch, 2, categories(name))
    return torch.randn(shape, dtype=torch.float64, generator=seeded())


def value_and_gradient(function, logits):
    leaf = logits.clone().requires_grad_()
    loss = function(leaf)
    (slope,) = torch.autograd.grad(loss.sum(), leaf)
    return loss.detach(), slope


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_one_graph_has_the_loss_and_the_gradient(name, monkeypatch):
    hold_noise(monkeypatch)
    logits = some_logits(name)
    expected = value_and_gradient(lambda x: prepared(name, energy)(energy, x), logits)
    estimator = prepared(name, energy)
    graph = compiled(lambda x: estimator(energy, x))
    torch.testing.assert_close(value_and_gradient(graph, logits), expected, **CLOSE)


@pytest.mark.parametrize("name", NAMES)
def test_a_functional_gradient_is_the_gradient(name, monkeypatch):
    hold_noise(monkeypatch)
    logits = some_logits(name)
    expected = value_and_gradient(lambda x: prepared(name, energy)(energy, x), logits)
    estimator = prepared(name, energy)

    def total(x):
        loss = estimator(energy, x)
        return loss.sum(), loss

    slope, loss = torch.func.grad(total, has_aux=True)(logits)
    torch.testing.assert_close((loss, slope), expected, **CLOSE)


@pytest.mark.parametrize("name", NAMES)
def test_a_directional_derivative_is_the_gradient_along_it(name, monkeypatch):
    hold_noise(monkeypatch)
    logits = some_logits(name)
    direction = torch.randn(logits.shape, generator=seeded(1)).double()
    _, slope = value_and_gradient(lambda x: prepared(name, energy)(energy, x), logits)
    estimator = prepared(name, energy)
    _, along = torch.func.jvp(lambda x: estimator(energy, x), (logits,), (direction,))
    torch.testing.assert_close(along.sum(), (slope * direction).sum(), **CLOSE)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "reinforce_moving_average"])
def test_a_mapped_row_is_a_row_on_its_own(name, monkeypatch):
    hold_noise(monkeypatch)
    logits, estimator = some_logits(name), prepared(name, energy)
    alone = [value_and_gradient(lambda x: estimator(energy, x), row) for row in logits]
    loss = torch.func.vmap(lambda x: estimator(energy, x))(logits)
    slope = torch.func.vmap(torch.func.grad(lambda x: estimator(energy, x)))(logits)
    expected = tuple(torch.stack(each) for each in zip(*alone, strict=True))
    torch.testing.assert_close((loss, slope), expected, **CLOSE)


@pytest.mark.parametrize("name", NAMES)
def test_tensors_without_values_pass_through(name):
    estimator = prepared(name, energy)
    with FakeTensorMode():
        logits = torch.randn(5, 2, categories(name), requires_grad=True)
        loss = estimator(energy, logits)
        loss.sum().backward()
    assert loss.shape == (5,)
    assert logits.grad.shape == logits.shape


def test_rows_that_are_mapped_draw_for_themselves():
    logits = torch.zeros(50, 2, 3)
    each = torch.func.vmap(
        lambda x: estimators.rloo(energy, x), randomness="different"
    )(logits)
    same = torch.func.vmap(lambda x: estimators.rloo(energy, x), randomness="same")(
        logits
    )
    assert len(each.unique()) > 5
    assert len(same.unique()) == 1


def test_a_graph_draws_from_the_default_generator():
    graph = compiled(lambda x: estimators.reinforce(energy, x))
    logits, losses = torch.zeros(50, 2, 3), []
    with torch.random.fork_rng(devices=[]):
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            losses.append(graph(logits))
    assert torch.equal(losses[0], losses[1])
    assert not torch.equal(losses[0], losses[2])


@pytest.mark.parametrize("name", NAMES)
def test_what_the_loss_closes_over_has_its_functional_gradient(name, monkeypatch):
    hold_noise(monkeypatch)
    logits, weight = some_logits(name), torch.tensor(0.7, dtype=torch.float64)

    def total(weight):
        def f(z):
            return energy(z * weight)

        return prepared(name, energy)(f, logits).sum()

    leaf = weight.clone().requires_grad_()
    total(leaf).backward()
    torch.testing.assert_close(torch.func.grad(total)(weight), leaf.grad, **CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "option"), LEARNED)
def test_what_is_learned_has_the_same_gradient_in_every_way(name, option, monkeypatch):
    hold_noise(monkeypatch)
    logits, estimator = some_logits(name), getattr(estimators, name)
    value = torch.tensor(0.7, dtype=torch.float64)

    def total(value):
        return estimator(energy, logits, **{option: value}).sum()

    plain, in_graph = (value.clone().requires_grad_() for _ in range(2))
    total(plain).backward()
    compiled(total)(in_graph).backward()
    assert plain.grad != 0
    torch.testing.assert_close(in_graph.grad, plain.grad, **CLOSE)
    torch.testing.assert_close(torch.func.grad(total)(value), plain.grad, **CLOSE)


class Control(torch.nn.Module):
    """A small control variate with a weight of its own."""

    def __init__(self):
        super().__init__()
        weight = torch.linspace(-1, 1, 6, dtype=torch.float64)
        self.weight = torch.nn.Parameter(weight)

    def forward(self, x):
        return torch.tanh(x.flatten(-2) @ self.weight)


@pytest.mark.slow
def test_a_module_learns_as_a_control_variate_in_a_graph(monkeypatch):
    hold_noise(monkeypatch)
    logits, slopes = some_logits("relax"), []
    for how in (lambda function: function, compiled):
        module = Control()
        loss = how(lambda x, c=module: estimators.relax(energy, x, control=c))(logits)
        loss.sum().backward()
        slopes.append(module.weight.grad)
    assert slopes[0].abs().sum() > 0
    torch.testing.assert_close(slopes[1], slopes[0], **CLOSE)


def test_what_a_transform_cannot_do_is_refused_in_words():
    module, logits = Control(), some_logits("relax")

    def unnamed(x):
        parameters = module.parameters()
        return estimators.relax(
            energy, x, control=lambda p: module(p), parameters=parameters
        ).sum()

    with pytest.raises(ValueError, match=r"parameters must be None, and control a"):
        torch.func.grad(unnamed)(logits)
    with pytest.raises(ValueError, match="f must be differentiable, got losses"):
        torch.func.grad(
            lambda x: estimators.muprop(lambda z: z.argmax(-1).double(), x).sum()
        )(logits)
    baseline = MovingAverage()
    with pytest.raises(ValueError, match=r"baseline must not be a MovingAverage under"):
        torch.func.vmap(
            lambda x: estimators.reinforce(energy, x, baseline=baseline),
            randomness="different",
        )(logits)


def test_a_moving_average_outlives_the_transform(monkeypatch):
    hold_noise(monkeypatch)
    logits, inside, outside = some_logits("rloo"), MovingAverage(), MovingAverage()
    torch.func.grad(lambda x: estimators.reinforce(energy, x, baseline=inside).sum())(
        logits
    )
    estimators.reinforce(energy, logits, baseline=outside)
    assert torch.func.debug_unwrap(inside.value, recurse=False) is inside.value
    assert torch.equal(inside.value, outside.value)
