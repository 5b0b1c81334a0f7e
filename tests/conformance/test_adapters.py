"""Samplers of libraries, in the form that the checks take."""

from dataclasses import replace

import numpy as np
import pytest

from gumbel_tutorial.book import statistics
from gumbel_tutorial.conformance import adapters
from gumbel_tutorial.conformance.adapters.record import in_parts

FAILURE_RATE = 1e-6
PROBS = np.array([0.5, 0.3, 0.15, 0.05])
ROWS = np.log([PROBS, PROBS[::-1]]).astype(np.float32)
# What needs a device of its own is tested with the kernels.
ON_THE_CPU = [a for a in adapters.ADAPTERS if "kernels" not in a.name]


ARGUMENTS = {
    "categorical": (ROWS, 3, 0),
    "without_replacement": (ROWS[0], 2, 3, 0),
    "relaxed": (ROWS, 3, 0, 0.5),
    "speculative": (*ROWS, 3, 0),
}


def as_param(adapter):
    # JAX compiles for seconds.
    slow = [pytest.mark.slow] if "jax" in adapter.libraries else []
    return pytest.param(adapter, id=adapter.name, marks=slow)


def of_kind(kind):
    return [as_param(adapter) for adapter in ON_THE_CPU if adapter.kind == kind]


def sampler(adapter):
    if adapter.missing():
        pytest.skip(f"{' and '.join(adapter.missing())} is not installed")
    return adapter.load()


def p_value(index, probs):
    return statistics.chi_square_p_value(np.bincount(index, minlength=4), probs)


@pytest.mark.parametrize("adapter", of_kind("categorical"))
def test_categorical_samplers_draw_every_row_by_its_law(adapter):
    draws = sampler(adapter)(ROWS, 20_000, 3)
    assert draws.shape == (20_000, 2)
    assert p_value(draws[:, 0], PROBS) > FAILURE_RATE
    assert p_value(draws[:, 1], PROBS[::-1]) > FAILURE_RATE
    assert p_value(draws[:, 0], PROBS[::-1]) < FAILURE_RATE
    excluded = sampler(adapter)(np.array([0, -np.inf, 1], np.float32), 1000, 0)
    assert excluded.shape == (1000,)
    assert set(excluded.tolist()) == {0, 2}


@pytest.mark.parametrize("adapter", of_kind("without_replacement"))
def test_samplers_without_replacement_return_orders(adapter):
    orders = sampler(adapter)(ROWS[0], 3, 2000, 3)
    assert orders.shape == (2000, 3)
    assert all(len(set(order)) == 3 for order in orders.tolist())
    assert p_value(orders[:, 0], PROBS) > FAILURE_RATE


@pytest.mark.parametrize("adapter", of_kind("relaxed"))
def test_relaxed_samplers_return_rows_on_the_simplex(adapter):
    sample = sampler(adapter)(ROWS, 5000, 3, 0.5)
    assert sample.shape == (5000, 2, 4)
    np.testing.assert_allclose(sample.sum(-1), 1, atol=1e-5)
    assert p_value(sample[:, 0].argmax(-1), PROBS) > FAILURE_RATE


@pytest.mark.parametrize("adapter", of_kind("speculative"))
def test_speculative_samplers_return_drafts_and_what_they_emit(adapter):
    drafted, emitted = sampler(adapter)(ROWS[0], ROWS[1], 20_000, 3)
    assert p_value(drafted, PROBS) > FAILURE_RATE
    assert p_value(emitted, PROBS[::-1]) > FAILURE_RATE


@pytest.mark.parametrize(
    "adapter", [as_param(each) for each in ON_THE_CPU if "torch" in each.libraries]
)
def test_torch_s_default_generator_is_left_alone(adapter):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    call, before = sampler(adapter), torch.random.get_rng_state()
    call(*ARGUMENTS[adapter.kind])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_names_are_unique_and_found():
    names = adapters.names()
    assert len(set(names)) == len(names)
    assert all(adapters.by_name(name).name == name for name in names)
    with pytest.raises(ValueError, match="name must be one of numpy.*, got 'dice'"):
        adapters.by_name("dice")


def test_a_library_that_is_not_there_is_named():
    lost = replace(ON_THE_CPU[0], libraries=("no-such-distribution",))
    with pytest.raises(ModuleNotFoundError, match="needs no-such-distribution"):
        lost.load()


def test_parts_add_up_to_the_draws():
    sizes = []

    def draw(number):
        sizes.append(number)
        return np.arange(number)

    assert in_parts(7, (2**21,), draw).tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert sizes == [2, 2, 2, 1]
