"""What the public functions refuse, and in which words."""

import re

import numpy as np
import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from gumbel_tutorial import (
    categorical,
    checks,
    concrete,
    estimators,
    gumbel,
    gumbel_max,
    vae,
)

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        ([0.0, NAN], "logits must not be NaN, got nan at index (1,)"),
        ([[0.0, 0.0], [NAN, INF]], "logits must not be NaN, got nan at index (1, 0)"),
        (
            [[0.0, 0.0], [0.0, INF]],
            "logits must be below +inf, got inf in the row at index (1,)",
        ),
        (
            [-INF, -INF],
            "logits must leave a category open in every row, got only -inf in the row",
        ),
        ([[[0.0], [-INF]]], "got only -inf in the row at index (0, 1)"),
    ],
)
def test_logits_errors_name_the_fault_and_the_place(to_array, logits, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        checks.check_logits(to_array(logits))


def test_an_empty_category_axis_is_refused_and_an_empty_batch_is_not(to_array):
    with pytest.raises(ValueError, match="at least one category on axis -1, got shape"):
        checks.check_logits(to_array(np.zeros((3, 0))))
    checks.check_logits(to_array(np.zeros((0, 3))))


def test_a_scalar_has_no_category_axis(to_array):
    with pytest.raises(ValueError, match=r"logits must have axis -1, got shape \(\)"):
        checks.check_logits(to_array(0.0))


def test_integer_logits_are_a_type_error(to_array):
    with pytest.raises(TypeError, match="logits must have a floating dtype, got"):
        checks.check_logits(to_array([0, 1], dtype="int64"))


@pytest.mark.parametrize("temperature", [0.0, -0.5, NAN, INF, 0])
def test_a_temperature_that_is_not_positive_is_refused_with_its_value(
    to_array, temperature
):
    requirement = "positive and finite" if temperature == INF else "positive"
    message = f"temperature must be {requirement}, got "
    logits = to_array([0.0, 1.0])
    with pytest.raises(ValueError, match=f"{message}{temperature}"):
        checks.check_temperature(temperature, logits)
    with pytest.raises(ValueError, match=f"{message}{float(temperature)}"):
        checks.check_temperature(to_array([temperature]), logits)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_divisor_that_rounds_to_nothing_is_refused(to_array, dtype):
    least = checks.smallest_divisor(to_array([0.0, 1.0], dtype))
    checks.check_positive(2e-38, "temperature", least=least)
    for bad in (1e-39, to_array([1.0, 1e-39])):
        with pytest.raises(
            ValueError, match="temperature must be at least 1.175e-38, got 1e-39"
        ):
            checks.check_positive(bad, "temperature", least=least)


def test_a_number_is_refused_where_an_array_is_needed():
    for check in (checks.check_floating, checks.check_open_unit_interval):
        with pytest.raises(
            TypeError, match="noise must be an array of NumPy, torch or JAX, got float"
        ):
            check(0.5, "noise")
    with pytest.raises(
        TypeError, match="index must be an array of NumPy, torch or JAX, got int"
    ):
        checks.check_index(1, 3)


def test_a_temperature_of_one_value_a_category_is_refused(to_array):
    logits = to_array(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="size 1 on the category axis -1, got shape"):
        checks.check_temperature(to_array(np.ones(3)), logits)
    with pytest.raises(ValueError, match="size 1 on the category axis 0, got shape"):
        checks.check_temperature(to_array(np.ones((4, 1))), logits, axis=0)
    checks.check_temperature(to_array(np.ones((4, 1))), logits)
    checks.check_temperature(to_array(np.ones((1, 3))), logits, axis=0)
    checks.check_temperature(to_array(np.ones(3)), logits, axis=0)


def test_a_temperature_for_another_batch_is_refused(to_array):
    with pytest.raises(ValueError, match="temperature must broadcast against logits"):
        checks.check_temperature(to_array(np.ones((5, 1))), to_array(np.zeros((4, 3))))


def test_noise_shared_between_categories_is_refused(to_array):
    with pytest.raises(ValueError, match="one entry for each of the 3 categories"):
        checks.check_noise(to_array(np.zeros((4, 1))), to_array(np.zeros((4, 3))))


def test_noise_for_another_batch_is_refused(to_array):
    with pytest.raises(
        ValueError, match="noise must broadcast against logits of shape"
    ):
        checks.check_noise(to_array(np.zeros((5, 3))), to_array(np.zeros((4, 3))))


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_noise_that_is_not_finite_is_refused(to_array, bad):
    with pytest.raises(ValueError, match="noise must be finite, got .* at index"):
        checks.check_noise(to_array([0.0, bad]), to_array([0.0, 0.0]))


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ([0.0, 1.0], "relaxed must be positive in every category, got 0.0"),
        ([0.5, 0.6], "relaxed must sum to one in every row, got 1.1"),
        ([NAN, 1.0], "relaxed must be positive in every category, got nan"),
    ],
)
def test_points_outside_the_open_simplex_are_refused(to_array, point, message):
    with pytest.raises(ValueError, match=message):
        checks.check_open_simplex(to_array(point), "relaxed")


def test_logarithms_of_points_outside_the_simplex_are_refused(to_array):
    with pytest.raises(
        ValueError, match="x must have logsumexp 0 in every row, got 1.09"
    ):
        checks.check_log_simplex(to_array([[0.0, -800.0], [0.0, np.log(2)]]), "x")
    with pytest.raises(ValueError, match="x must be finite, got -inf at index"):
        checks.check_log_simplex(to_array([0.0, -INF]), "x")
    # A sample that was rounded to float32 is still a sample in float64.
    rounded = np.log(np.full(1000, 1e-3)).astype(np.float32)
    checks.check_log_simplex(to_array(rounded), "x")
    checks.check_open_simplex(to_array(np.exp(rounded)), "x")


def test_a_temperature_names_the_array_that_it_belongs_to(to_array):
    with pytest.raises(
        ValueError, match=r"got shape \(2,\) for relaxed of shape \(3, 2\)"
    ):
        checks.check_temperature(
            to_array(np.ones(2)), to_array(np.zeros((3, 2))), logits_name="relaxed"
        )


def test_a_batch_that_does_not_fit_is_refused_by_name(to_array):
    logits = to_array(np.zeros((4, 3)))
    checks.check_batch(to_array(np.zeros((5, 1))), "index", logits)
    checks.check_batch(to_array(np.zeros((4, 2))), "indices", logits, own_axes=1)
    with pytest.raises(
        ValueError,
        match=r"index must broadcast against the batch of logits of shape \(4, 3\), got shape \(5,\)",
    ):
        checks.check_batch(to_array(np.zeros(5)), "index", logits)


def test_an_index_outside_the_categories_is_refused(to_array):
    with pytest.raises(ValueError, match=r"index must lie in 0 \.\.\. 2, got 3"):
        checks.check_index(to_array([0, 3], dtype="int64"), 3)
    with pytest.raises(TypeError, match="index must have an integer dtype"):
        checks.check_index(to_array([0.0]), 3)


def test_a_mask_is_waited_for_once():
    from torch.utils._python_dispatch import TorchDispatchMode

    class Calls(TorchDispatchMode):
        names = ()

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.names += (str(function),)
            return function(*args, **(kwargs or {}))

    mask = torch.tensor([False, False])
    with Calls() as calls:
        assert checks.first_true(mask) is None
    assert sum("any" in name for name in calls.names) == 1


def test_values_are_not_read_where_there_are_none():
    def row_of(logits):
        checks.check_logits(logits)
        return logits.sum()

    bad = torch.tensor([[0.0, NAN]])
    torch.func.vmap(row_of)(bad)
    torch.compile(row_of, backend="eager", fullgraph=True)(bad)
    with torch._subclasses.FakeTensorMode():
        row_of(torch.zeros(1, 2))
    make_fx(row_of)(bad)
    checks.check_logits(bad.to("meta"))
    with pytest.raises(ValueError, match="NaN"):
        torch.func.grad(row_of)(bad)


def test_extremes_are_read_where_there_are_any():
    values = torch.tensor([[3.0, -2.0], [0.5, torch.inf]])
    assert checks.extremes(values) == (-2.0, torch.inf)
    values[0, 0] = torch.nan
    assert all(number != number for number in checks.extremes(values))
    assert checks.extremes(values[:0]) is None
    assert checks.extremes(values.to("meta")) is None
    with checks.check_values(False):
        assert checks.extremes(values) is None


def test_check_logits_returns_the_maxima_that_it_read(to_array):
    logits = to_array([[0.0, 3.0], [-INF, -2.0]])
    assert checks.check_logits(logits).tolist() == [[3.0], [-2.0]]
    assert checks.check_logits(logits, axis=0).tolist() == [[0.0, 3.0]]
    leaf = torch.zeros(3, requires_grad=True)
    assert not checks.check_logits(leaf).requires_grad


def test_values_are_read_or_not_as_the_switch_says(to_array):
    bad = to_array([0.0, NAN])
    checks.check_values(False)
    try:
        checks.check_logits(bad)
        checks.check_finite(bad, "noise")
        checks.check_positive(bad, "temperature")
        checks.check_index(to_array([7], dtype="int64"), 3)
        with checks.check_values(True), pytest.raises(ValueError, match="NaN"):
            checks.check_logits(bad)
        checks.check_logits(bad)  # the inner context has restored what it found
        with pytest.raises(ValueError, match="at least one category"):
            checks.check_logits(to_array(np.zeros((3, 0))))
        with pytest.raises(TypeError, match="floating dtype"):
            checks.check_logits(to_array([0], dtype="int64"))
        with pytest.raises(ValueError, match="temperature must be positive, got 0"):
            checks.check_positive(0, "temperature")
    finally:
        checks.check_values(True)
    with pytest.raises(ValueError, match="NaN"):
        checks.check_logits(bad)


def test_the_switch_restores_after_an_error_and_takes_a_bool():
    with pytest.raises(KeyError), checks.check_values(False):
        raise KeyError
    with pytest.raises(ValueError, match="NaN"):
        checks.check_logits(np.array([NAN]))
    with pytest.raises(TypeError, match="enabled must be a bool, got int"):
        checks.check_values(0)


def test_without_value_checks_nothing_waits_for_the_device():
    """A tensor without values tells: reading one would fail."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class NoReading(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            assert "local_scalar" not in str(function)
            assert "item" not in str(function)
            return function(*args, **(kwargs or {}))

    logits, draws = torch.zeros(4, 3), torch.zeros(4, 3)
    index, tau = torch.zeros(4, dtype=torch.int64), torch.ones(4, 1)
    with checks.check_values(False), NoReading():
        concrete.relax(logits, draws, tau)
        gumbel_max.argmax_sample(logits, draws)
        gumbel_max.top_k_sample(logits, draws, 2)
        gumbel_max.noise_given_index(logits, index, draws)
        gumbel_max.top_k_log_prob(logits, index[:, None])
        categorical.kl(logits, draws)
        gumbel.log_density(draws, tau, tau)
        model = vae.CategoricalVAE(4, num_latents=2, num_categories=3)
        step = estimators.get("gumbel_softmax").prepare()
        generator = torch.Generator().manual_seed(0)
        batch = vae.Images(torch.zeros(4, 4))
        model.loss(batch, [step], noise=None, generator=generator).mean().backward()
        vae.reconstruction_loss(logits, draws)
        vae.plug_in_kl(draws[:, None], logits[:, None])
    with pytest.raises(AssertionError), NoReading():
        concrete.relax(logits, draws, tau)


def test_the_switch_works_in_compiled_code():
    @torch.compile(backend="eager", fullgraph=True)
    def inside(logits):
        with checks.check_values(False):
            checks.check_logits(logits)
        return logits.sum()

    inside(torch.tensor([NAN]))
    with pytest.raises(ValueError, match="NaN"):
        checks.check_logits(torch.tensor([NAN]))


@pytest.mark.parametrize(
    "whole", [2, np.int64(2), np.uint8(2), np.array(2), torch.tensor(2)]
)
def test_whole_numbers_of_every_library_are_counts(whole):
    count = checks.check_count(whole, "k", 1)
    assert count == 2
    assert type(count) is int


@pytest.mark.parametrize(
    "bad",
    [True, np.True_, torch.tensor(True), np.array(True), 2.0, 1.5, "2", None, 0, [2]],
)
def test_what_is_no_whole_number_is_refused(bad):
    with pytest.raises(ValueError, match="k must be a whole number of at least 1, got"):
        checks.check_count(bad, "k", 1)


def test_a_whole_number_alone_keeps_its_sign():
    assert checks.check_whole(np.int8(-2), "axis") == -2
    with pytest.raises(TypeError, match=r"axis must be a whole number, got 2.0"):
        checks.check_whole(2.0, "axis")


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "uint64"]
)
def test_an_index_of_a_narrow_dtype_is_compared_in_a_wide_one(to_array, dtype):
    checks.check_index(to_array([0, 100], dtype=dtype), 256)
    with pytest.raises(ValueError, match=r"index must lie in 0 \.\.\. 99, got 100"):
        checks.check_index(to_array([0, 100], dtype=dtype), 100)


def test_a_fault_of_an_array_without_axes_has_no_place():
    with pytest.raises(ValueError, match="loc must be finite, got inf$"):
        checks.check_finite(np.array(INF), "loc")
    with pytest.raises(ValueError, match="value must not be NaN, got nan$"):
        checks.check_no_nan(torch.tensor(NAN), "value")


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.complex64, torch.bool])
def test_a_dtype_that_cannot_hold_logits_is_refused(dtype):
    with pytest.raises(TypeError, match="logits must have a floating dtype, got torch"):
        checks.check_logits(torch.zeros(3).to(dtype))
