"""Curves of the record of class draws, and where two of them cross."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gumbel_tutorial.book import records, worth


@pytest.fixture(scope="module")
def recorded():
    return records.read("class_draws")["results"]


def test_costs_are_by_estimator_and_missing_ones_are_no_numbers():
    measured = {
        "10": {"sum": {"milliseconds": 4.0, "decoded": 10.0}},
        "30": {
            "sum": {"milliseconds": 9.0, "decoded": 30.0},
            "MVE": {"milliseconds": 2.0, "decoded": 1.0},
        },
    }
    found = worth.costs(measured)
    assert found["sum"].tolist() == [4.0, 9.0]
    np.testing.assert_array_equal(found["MVE"], [np.nan, 2.0])
    assert worth.costs(measured, "decoded")["sum"].tolist() == [10.0, 30.0]


def test_work_is_variance_times_time():
    one, other = (
        {"estimators": {"RLOO": {"milliseconds": time, "variances": [1.0, 2.0]}}}
        for time in (3.0, 5.0)
    )
    found = worth.work({"10": {"7": one}, "30": {"7": other}}, "7", "RLOO")
    assert found.tolist() == [[3.0, 6.0], [5.0, 10.0]]


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_powers_cross_where_they_are_equal(power):
    counts = np.array([10.0, 30.0, 100.0, 300.0])
    above, below = counts**power, np.full(4, 77.0**power)
    assert worth.crossing(counts, above, below) == pytest.approx(77, rel=1e-12)


@pytest.mark.parametrize(
    "above", [[1.0, 1.0, 1.0], [3.0, 3.0, 3.0], [3.0, 1.0, 3.0], [1.0, 3.0, 1.0]]
)
def test_curves_that_do_not_cross_once_are_refused(above):
    with pytest.raises(ValueError, match="above must come to lie above once, got"):
        worth.crossing([1, 2, 3], above, [2.0, 2.0, 2.0])


def test_the_recorded_steps_decode_as_often_as_their_estimators_say(recorded):
    counts = worth.counts(recorded["costs"])
    assert counts.tolist() == [10, 30, 100, 300, 1000]
    found = worth.costs(recorded["costs"], "decoded")
    for name, expected in {"MVE": 1, "Gumbel-Softmax": 1, "RLOO": 2}.items():
        assert (found[name] == expected).all()
    assert found["sum"].tolist() == counts.tolist()
    for size in (1, 4, 16):
        own = found[f"sparse, {size} classes"]
        assert (own[counts > size] == size).all()
        assert np.isnan(own[counts <= size]).all()


def test_the_recorded_curves_cross_once(recorded):
    found = worth.crossings(recorded)
    assert list(found) == ["MVE", "100", "1500"]
    assert 300 < found["MVE"] < 1000
    assert 10 < found["100"] < found["1500"] < 1000


def test_an_unbiased_estimator_has_no_bias_in_the_record(recorded):
    for by_stage in recorded["worth"].values():
        for stage in by_stage.values():
            own = stage["estimators"]["RLOO"]
            # The squared length of a mean of as many draws, which its variance alone makes.
            draws = 10 * len(own["variances"])
            assert abs(own["square of bias"]) < np.mean(own["variances"]) / draws


def test_the_figure_has_a_line_for_each_estimator_and_each_stage(recorded):
    fig, axes = plt.subplots(1, 2)
    worth.draw(axes, recorded)
    labels = [ax.get_legend_handles_labels()[1] for ax in axes]
    assert labels == [[*worth.SHOWN], ["100 steps", "1500 steps"]]
    rings = [line for ax in axes for line in ax.lines if line.get_marker() == "o"]
    marked = np.concatenate([line.get_xdata() for line in rings])
    assert marked.tolist() == [*worth.crossings(recorded).values()]
    plt.close(fig)


def test_late_in_the_training_a_draw_is_far_noisier_than_the_sum(recorded):
    for by_stage in recorded["worth"].values():
        early, late = (
            np.divide(
                *(stage["estimators"][name]["variances"] for name in ("RLOO", "sum"))
            )
            for stage in by_stage.values()
        )
        assert early.mean() < 2.5 < 4 < late.mean()
