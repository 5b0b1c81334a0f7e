"""Progress by budget, on moments small enough to work out by hand."""

import pytest

from gumbel_tutorial.book import records
from gumbel_tutorial.laboratory import Budgets, progress

TIMES = {"REINFORCE": 2.0, "RLOO, 2 samples": 4.0, "Soft, 1": 2.0, "RLOO, 16": 32.0}


def row(name, along, bias, variance, **setting):
    squared_error = bias**2 + variance
    figures = {"along": along, "squared_error": squared_error, "variance": variance}
    return {"estimator": name, **setting, **figures}


MOMENTS = {
    "one": [
        row("RLOO", 1.0, 0.0, 3.0, num_samples=2),
        row("RLOO", 1.0, 0.0, 0.1, num_samples=16),
        # Half the gradient: a bias of one half, and all of the direction.
        row("Soft", 0.5, 0.5, 0.0, temperature=3.0),
        row("Soft", 1.0, 0.0, 8.0, temperature=1.0),
    ],
    "two": [
        row("RLOO", 1.0, 0.0, 1.0, num_samples=2),
        row("Soft", 0.0, 1.0, 0.0, temperature=3.0),
        row("Soft", 1.0, 0.0, 1.0, temperature=1.0),
    ],
}
LAB = Budgets(MOMENTS, TIMES)


def test_a_budget_buys_estimates_at_their_price():
    rloo = MOMENTS["one"][0]
    assert LAB.price(rloo) == 2
    assert LAB.worth(rloo, 6) == 1 / (1 + 3 / 3)
    assert LAB.worth(rloo, 1.9) == 0


def test_more_samples_than_the_budget_affords_are_not_bought():
    assert LAB.fitted("one", 6)["RLOO"] == 0.5
    assert LAB.fitted("one", 16)["RLOO"] == pytest.approx(1 / 1.1)


def test_the_scale_of_an_estimator_does_not_count():
    assert LAB.fitted("one", 1)["Soft"] == 1
    assert progress(0.5, 0.25, 0.0) == 1


def test_a_shared_setting_is_the_best_on_average():
    assert LAB.average(["one", "two"], 2)["Soft"] == pytest.approx((1 + 2 / 3) / 2)
    value, setting = LAB.shared("Soft", ["one", "two"], 2)
    assert (value, setting) == (0.5, "3")
    value, setting = LAB.shared("Soft", ["one", "two"], 8)
    assert (value, setting) == (pytest.approx((1 / 2 + 8 / 9) / 2), "1")


def test_the_leaders_are_the_best_of_two_kinds():
    assert LAB.leaders(["one"], 4) == (("Soft", 1.0), ("RLOO", 1 / (1 + 3 / 2)))


def test_all_that_is_recorded_has_a_price():
    moments = records.read("progress")["results"]
    for times in records.read("estimators")["results"].values():
        lab = Budgets(moments, times)
        for rows in moments.values():
            assert all(0 <= lab.worth(row, 100) < 1.02 for row in rows)
