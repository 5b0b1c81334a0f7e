"""The layer: a temperature that is set, scheduled or learned, exact samples in evaluation, its state."""

import copy
import io
import pickle

import pytest
import torch

from gumbel_tutorial.nn import GumbelSoftmax, gumbel_softmax

LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))


def anneal(step):
    return max(0.5, 1.0 - 0.1 * step)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("hard", [False, True])
def test_training_is_the_functions_call(hard):
    layer = GumbelSoftmax(0.7, hard, dim=0)
    expected = gumbel_softmax(LOGITS, 0.7, hard, dim=0, generator=seeded())
    torch.testing.assert_close(layer(LOGITS, generator=seeded()), expected)


def test_evaluation_draws_exact_one_hot_samples():
    layer = GumbelSoftmax(0.7).eval()
    expected = gumbel_softmax(LOGITS, 0.7, True, generator=seeded())
    assert torch.equal(layer(LOGITS, generator=seeded()), expected)


def test_mode_is_the_one_hot_argmax_among_the_allowed():
    layer = GumbelSoftmax()
    index = LOGITS.argmax(-1)
    assert torch.equal(layer.mode(LOGITS).argmax(-1), index)
    mask = torch.ones(6, 4, dtype=torch.bool).scatter(-1, index[:, None], False)
    second = layer.mode(LOGITS, mask)
    assert torch.equal(second.argmax(-1), LOGITS.topk(2).indices[:, 1])
    assert (second.sum(-1) == 1).all()
    assert layer.mode(LOGITS.half()).dtype == torch.float16


def test_noise_and_masks_reach_the_function():
    layer = GumbelSoftmax(hard=True)
    gumbels = torch.arange(4.0).expand(6, 4)
    mask = torch.tensor([True, True, True, False])
    assert layer(LOGITS * 0, noise=gumbels, mask=mask).argmax(-1).tolist() == [2] * 6


def test_a_number_is_set_while_it_runs():
    layer = GumbelSoftmax()
    layer.tau = 0.25
    assert float(layer.tau) == 0.25
    with pytest.raises(ValueError, match="tau must be positive, got -1"):
        layer.tau = -1
    with pytest.raises(AttributeError, match="needs a schedule"):
        layer.advance()


def test_a_schedule_moves_by_its_steps():
    layer = GumbelSoftmax(anneal)
    taus = []
    for _ in range(3):
        taus.append(float(layer.tau))
        layer.advance()
    layer.advance(10)
    assert taus == pytest.approx([1.0, 0.9, 0.8])
    assert float(layer.tau) == 0.5
    assert "step=13" in repr(layer)
    with pytest.raises(AttributeError, match="belongs to the schedule"):
        layer.tau = 1.0
    with pytest.raises(ValueError, match="steps must be a whole number"):
        layer.advance(-1)


def test_a_learned_temperature_is_positive_whatever_the_optimiser_does():
    layer = GumbelSoftmax(0.5, learned=True)
    optimiser = torch.optim.SGD(layer.parameters(), lr=1e3)
    sample = layer(LOGITS, generator=seeded())
    (sample**2).sum().backward()
    assert layer.log_temperature.grad.abs() > 0
    layer.log_temperature.grad.fill_(0.01)
    optimiser.step()
    assert 0 < layer.tau.item() < 1e-4
    layer.tau = 2.0
    assert layer.tau.item() == pytest.approx(2.0)
    assert "learned=True" in repr(layer)


@pytest.mark.parametrize(
    "make",
    [
        lambda: GumbelSoftmax(0.5),
        lambda: GumbelSoftmax(anneal, hard=True),
        lambda: GumbelSoftmax(0.5, learned=True),
    ],
    ids=["number", "schedule", "learned"],
)
def test_the_state_is_saved_copied_and_loaded(make):
    layer, fresh = make(), make()
    if layer.schedule is None:
        layer.tau = 0.125
    else:
        layer.advance(3)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    for copied in (fresh, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(copied.tau, layer.tau)
        assert repr(copied) == repr(layer)
        expected = layer(LOGITS, generator=seeded())
        assert torch.equal(copied(LOGITS, generator=seeded()), expected)


def test_it_moves_and_changes_dtype():
    layer = GumbelSoftmax(anneal).to("meta")
    assert layer(LOGITS.to("meta")).is_meta
    assert GumbelSoftmax(0.5).half()(LOGITS.half()).dtype == torch.float16
    assert GumbelSoftmax(0.5).double()(LOGITS.double()).dtype == torch.float64


def test_a_changed_temperature_does_not_recompile():
    torch.compiler.reset()
    graphs = []

    def backend(module, _):
        graphs.append(module)
        return module.forward

    layer = GumbelSoftmax(anneal, hard=True)
    compiled = torch.compile(layer, backend=backend, fullgraph=True)
    for _ in range(4):
        compiled(LOGITS)
        layer.advance()
    assert len(graphs) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"tau": 0.0}, ValueError, "tau must be positive, got 0.0"),
        ({"tau": lambda _: -1.0}, ValueError, "tau must be positive, got -1.0"),
        ({"tau": "1"}, TypeError, "tau must be a number, a schedule of the step or"),
        (
            {"tau": torch.tensor(1.0)},
            TypeError,
            "tau must be a number, a schedule of the step or",
        ),
        ({"tau": anneal, "learned": True}, TypeError, "tau must be a number to be"),
    ],
)
def test_bad_arguments_are_refused_when_it_is_made(arguments, error, message):
    with pytest.raises(error) as raised:
        GumbelSoftmax(**arguments)
    assert message in str(raised.value)


def test_a_parameter_of_the_users_own_is_the_temperature():
    tau = torch.nn.Parameter(torch.tensor(0.5))
    layer = GumbelSoftmax(tau)
    assert list(layer.parameters()) == [tau]
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    sample = layer(logits, generator=torch.Generator().manual_seed(1))
    fixed = gumbel_softmax(logits, 0.5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(sample, fixed, rtol=1e-4, atol=0)
    sample[:, 0].sum().backward()
    assert tau.grad != 0
    layer.tau = 2.0
    assert tau.item() == 2.0
    again = GumbelSoftmax(torch.nn.Parameter(torch.tensor(1.0)))
    again.load_state_dict(layer.state_dict())
    assert again.tau.item() == 2.0
    with torch.no_grad():
        tau.fill_(-1.0)
    with pytest.raises(ValueError, match="tau must be positive, got -1"):
        layer(logits)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dim": "x"}, TypeError, "dim must be a whole number, got x"),
        ({"dim": True}, TypeError, "dim must be a whole number, got True"),
        (
            {"tau": torch.nn.Parameter(torch.ones(2))},
            ValueError,
            "tau must have no axes",
        ),
        (
            {"tau": torch.nn.Parameter(torch.tensor(1.0)), "learned": True},
            TypeError,
            "tau must be a number to be learned, got a parameter",
        ),
    ],
)
def test_what_a_layer_cannot_be_made_of_is_refused_when_it_is_made(
    options, error, message
):
    with pytest.raises(error, match=message):
        GumbelSoftmax(**options)
