"""Temperature schedules at their ends, between, and beyond."""

import math

import pytest

from gumbel_tutorial import schedules


def test_the_exponential_schedule_is_that_of_jang_et_al():
    for step in (0, 499, 500, 12_345, 10**7):
        held = step // 500 * 500
        expected = max(0.5, math.exp(-1e-4 * held))
        assert schedules.exponential(step, rate=1e-4, every=500) == pytest.approx(
            expected
        )


def test_the_exponential_schedule_moves_every_n_steps_alone():
    values = [
        schedules.exponential(step, rate=1e-2, floor=0.01, every=10)
        for step in range(30)
    ]
    assert len(set(values)) == 3
    assert values[9] == values[0] > values[10]


@pytest.mark.parametrize("schedule", [schedules.linear, schedules.cosine])
def test_ramps_hit_both_ends_and_stay(schedule):
    values = [schedule(step, steps=10, start=2.0, end=0.1) for step in range(15)]
    assert values[0] == 2.0
    assert values[10:] == [0.1] * 5
    assert values == sorted(values, reverse=True)
    assert schedule(5, steps=10, start=2.0, end=0.1) == pytest.approx(1.05)


@pytest.mark.parametrize("schedule", [schedules.linear, schedules.cosine])
def test_a_small_end_is_not_lost_beside_a_large_start(schedule):
    assert schedule(4, steps=4, start=1.0, end=1e-17) == 1e-17
    assert schedule(0, steps=4, start=1e-17, end=1.0) == 1e-17


def test_the_cosine_is_slower_than_the_line_at_the_start():
    assert schedules.cosine(1, steps=10) > schedules.linear(1, steps=10)


def test_a_constant_is_constant():
    assert {schedules.constant(step, temperature=0.7) for step in (0, 5, 10**9)} == {
        0.7
    }


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: schedules.constant(-1), "step must not be negative, got -1"),
        (
            lambda: schedules.constant(0, temperature=0.0),
            "temperature must be positive, got 0.0",
        ),
        (
            lambda: schedules.exponential(0, rate=-1.0),
            "rate must be positive, got -1.0",
        ),
        (
            lambda: schedules.exponential(0, rate=1.0, floor=2.0),
            "floor must be at most start = 1.0, got 2.0",
        ),
        (
            lambda: schedules.exponential(0, rate=1.0, every=0),
            "every must be positive, got 0",
        ),
        (lambda: schedules.linear(0, steps=0), "steps must be positive, got 0"),
        (
            lambda: schedules.linear(math.nan, steps=4),
            "step must not be negative, got nan",
        ),
        (
            lambda: schedules.cosine(0, steps=2.5),
            "steps must be a whole number, got 2.5",
        ),
        (
            lambda: schedules.exponential(0, rate=1.0, every=0.5),
            "every must be a whole number, got 0.5",
        ),
        (
            lambda: schedules.cosine(0, steps=5, end=-0.1),
            "end must be positive, got -0.1",
        ),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
