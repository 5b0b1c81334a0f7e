"""What the public functions refuse, and in which words."""

import re

import numpy as np
import pytest
import torch

from gumbel_tutorial import checks

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
    message = f"temperature must be positive, got {temperature}"
    logits = to_array([0.0, 1.0])
    with pytest.raises(ValueError, match=message):
        checks.check_temperature(temperature, logits)
    with pytest.raises(
        ValueError, match=f"temperature must be positive, got {float(temperature)}"
    ):
        checks.check_temperature(to_array([temperature]), logits)


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


def test_an_index_outside_the_categories_is_refused(to_array):
    with pytest.raises(ValueError, match=r"index must lie in 0 \.\.\. 2, got 3"):
        checks.check_index(to_array([0, 3], dtype="int64"), 3)
    with pytest.raises(TypeError, match="index must have an integer dtype"):
        checks.check_index(to_array([0.0]), 3)


def test_values_are_not_read_where_there_are_none():
    bad = torch.tensor([[0.0, NAN]])
    torch.func.vmap(lambda row: checks.check_logits(row) or row)(bad)
    torch.compile(
        lambda row: checks.check_logits(row) or row, backend="eager", fullgraph=True
    )(bad)
    checks.check_logits(bad.to("meta"))
    with pytest.raises(ValueError, match="NaN"):
        torch.func.grad(lambda row: checks.check_logits(row) or row.sum())(bad)
