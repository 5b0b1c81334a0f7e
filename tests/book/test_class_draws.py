"""Curves of the record of class draws, and where two of them cross."""

import numpy as np
import pytest

from gumbel_tutorial.book import class_draws


def test_costs_are_by_estimator_and_missing_ones_are_no_numbers():
    measured = {
        "10": {"sum": {"milliseconds": 4.0, "decoded": 10.0}},
        "30": {
            "sum": {"milliseconds": 9.0, "decoded": 30.0},
            "MVE": {"milliseconds": 2.0, "decoded": 1.0},
        },
    }
    found = class_draws.costs(measured)
    assert found["sum"].tolist() == [4.0, 9.0]
    np.testing.assert_array_equal(found["MVE"], [np.nan, 2.0])
    assert class_draws.costs(measured, "decoded")["sum"].tolist() == [10.0, 30.0]


def test_work_is_variance_times_time():
    one, other = (
        {"estimators": {"RLOO": {"milliseconds": time, "variances": [1.0, 2.0]}}}
        for time in (3.0, 5.0)
    )
    found = class_draws.work({"10": {"7": one}, "30": {"7": other}}, "7", "RLOO")
    assert found.tolist() == [[3.0, 6.0], [5.0, 10.0]]


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_powers_cross_where_they_are_equal(power):
    counts = np.array([10.0, 30.0, 100.0, 300.0])
    above, below = counts**power, np.full(4, 77.0**power)
    assert class_draws.crossing(counts, above, below) == pytest.approx(77, rel=1e-12)


@pytest.mark.parametrize(
    "above", [[1.0, 1.0, 1.0], [3.0, 3.0, 3.0], [3.0, 1.0, 3.0], [1.0, 3.0, 1.0]]
)
def test_curves_that_do_not_cross_once_are_refused(above):
    with pytest.raises(ValueError, match="above must come to lie above once, got"):
        class_draws.crossing([1, 2, 3], above, [2.0, 2.0, 2.0])
