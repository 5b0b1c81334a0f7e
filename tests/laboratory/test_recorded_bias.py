"""The record of biases: it has every estimator, and says what the theorems say."""

import pytest
import torch
from helpers.estimators import enumerate_mean

from gumbel_tutorial.book import records
from gumbel_tutorial.estimators import ESTIMATORS
from gumbel_tutorial.laboratory.measurement import exact_gradient
from gumbel_tutorial.laboratory.problems import PROBLEMS

TABLE = records.read("bias")["results"]["problems"]
# Standard errors: a sample strays so far once in a million and more.
MANY = 5.5


def is_none(row):
    """Tell whether a recorded bias is none: rounding of a sum, or the error of a sample."""
    return row["bias"] < 1e-12 + MANY * row.get("bias_error", 0.0)


@pytest.mark.parametrize("key", list(PROBLEMS))
def test_every_estimator_stands_in_the_record(key):
    bits = set() if "toy" in key else {"arm", "disarm"}
    assert ESTIMATORS.keys() - TABLE[key].keys() == bits


@pytest.mark.parametrize("key", list(PROBLEMS))
def test_what_is_unbiased_has_no_bias(key):
    for name, info in ESTIMATORS.items():
        if info.unbiased and name in TABLE[key]:
            assert is_none(TABLE[key][name]), name


EXACT = {
    "linear": {"straight_through", "slope_annealed", "darn"},
    "quadratic": set(),
    "cubic": set(),
    "exp+tanh": set(),
    "network": set(),
}


@pytest.mark.parametrize("key", list(EXACT))
def test_what_is_biased_is_exact_where_the_theorems_say_so(key):
    second_order = (
        {"reinmax", "zgr", "mve"} if key in ("linear", "quadratic") else set()
    )
    expected = EXACT[key] | second_order
    biased = {name for name, info in ESTIMATORS.items() if not info.unbiased}
    named = biased & TABLE[key].keys()
    assert {name for name in named if is_none(TABLE[key][name])} == expected


def test_the_record_is_what_the_estimators_do(monkeypatch):
    for key in ("quadratic", "cubic"):
        problem = PROBLEMS[key]
        exact = exact_gradient(problem.f, problem.logits)
        for name, options, label in (
            ("straight_through", {}, "straight_through"),
            ("mve", {}, "mve"),
            ("mve", {"temperature": 10.0}, "mve, 10"),
        ):
            mean = enumerate_mean(name, problem, monkeypatch, **options)
            bias = (mean - exact).norm() / exact.norm()
            recorded = bias.new_tensor(TABLE[key][label]["bias"])
            torch.testing.assert_close(bias, recorded, rtol=1e-9, atol=1e-12)
