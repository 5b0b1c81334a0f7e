"""Temperature schedules at their ends, between, and beyond; and as objects."""

import math
import pickle

import numpy as np
import pytest
import torch

from gumbel_tutorial import schedules

EVERY_KIND = [
    schedules.constant(0.7),
    schedules.exponential(rate=1e-4, floor=0.3, every=500),
    schedules.linear(steps=10, start=2.0),
    schedules.cosine(steps=10, end=0.1),
]


def test_the_exponential_schedule_is_that_of_jang_et_al():
    schedule = schedules.exponential(rate=1e-4, every=500)
    for step in (0, 499, 500, 12_345, 10**7):
        held = step // 500 * 500
        assert schedule(step) == pytest.approx(max(0.5, math.exp(-1e-4 * held)))


def test_the_exponential_schedule_moves_every_n_steps_alone():
    schedule = schedules.exponential(rate=1e-2, floor=0.01, every=10)
    values = [schedule(step) for step in range(30)]
    assert len(set(values)) == 3
    assert values[9] == values[0] > values[10]


@pytest.mark.parametrize("ramp", [schedules.linear, schedules.cosine])
def test_ramps_hit_both_ends_and_stay(ramp):
    schedule = ramp(steps=10, start=2.0, end=0.1)
    values = [schedule(step) for step in range(15)]
    assert values[0] == 2.0
    assert values[10:] == [0.1] * 5
    assert values == sorted(values, reverse=True)
    assert schedule(5) == pytest.approx(1.05)


@pytest.mark.parametrize("ramp", [schedules.linear, schedules.cosine])
def test_a_small_end_is_not_lost_beside_a_large_start(ramp):
    assert ramp(steps=4, start=1.0, end=1e-17)(4) == 1e-17
    assert ramp(steps=4, start=1e-17, end=1.0)(0) == 1e-17


def test_the_cosine_is_slower_than_the_line_at_the_start():
    assert schedules.cosine(steps=10)(1) > schedules.linear(steps=10)(1)


def test_a_constant_is_constant():
    schedule = schedules.constant(temperature=0.7)
    assert {schedule(step) for step in (0, 5, 10**9)} == {0.7}


@pytest.mark.parametrize("schedule", EVERY_KIND, ids=repr)
def test_a_schedule_is_pickled_printed_and_compared_by_its_arguments(schedule):
    restored = pickle.loads(pickle.dumps(schedule))
    assert restored == schedule
    assert hash(restored) == hash(schedule)
    assert restored(7) == schedule(7)
    assert eval(repr(schedule), vars(schedules)) == schedule
    assert all(schedule != other for other in EVERY_KIND if other is not schedule)
    with pytest.raises(AttributeError):
        schedule.rate = 1.0


def test_a_count_of_numpy_is_a_count():
    assert schedules.linear(steps=np.int64(4)) == schedules.linear(steps=4)
    assert repr(schedules.exponential(rate=1.0, every=np.int32(2))).endswith("every=2)")


@pytest.mark.parametrize("schedule", EVERY_KIND, ids=repr)
def test_a_step_is_a_number_or_a_whole_one_of_any_library(schedule):
    assert schedule(np.int8(3)) == schedule(torch.tensor(3)) == schedule(3)
    assert schedule(np.float32(2.5)) == schedule(2.5)
    for step in ("3", None, [3], torch.tensor(3.0), np.arange(3)):
        with pytest.raises(ValueError, match="step must be a whole number of at least"):
            schedule(step)


@pytest.mark.parametrize("schedule", EVERY_KIND, ids=repr)
@pytest.mark.parametrize("step", [-1, math.nan])
def test_a_negative_step_is_refused(schedule, step):
    with pytest.raises(ValueError, match=f"step must not be negative, got {step}"):
        schedule(step)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (
            schedules.constant,
            {"temperature": 0.0},
            "temperature must be positive, got 0",
        ),
        (schedules.constant, {"temperature": math.inf}, "must be positive and finite"),
        (schedules.exponential, {"rate": -1.0}, "rate must be positive, got -1.0"),
        (
            schedules.exponential,
            {"rate": 1.0, "floor": 2.0},
            "floor must be at most start = 1.0, got 2.0",
        ),
        (
            schedules.exponential,
            {"rate": 1.0, "every": 0},
            "every must be a whole number of at least 1, got 0",
        ),
        (
            schedules.exponential,
            {"rate": 1.0, "every": 0.5},
            "every must be a whole number of at least 1, got 0.5",
        ),
        (
            schedules.linear,
            {"steps": True},
            "steps must be a whole number of at least 1, got True",
        ),
        (
            schedules.cosine,
            {"steps": 2.5},
            "steps must be a whole number of .* got 2.5",
        ),
        (schedules.cosine, {"steps": 5, "end": -0.1}, "end must be positive, got -0.1"),
    ],
)
def test_bad_arguments_are_refused_when_the_schedule_is_made(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)


def test_what_is_no_number_is_a_type_error():
    with pytest.raises(TypeError, match="start must be a number, got str"):
        schedules.linear(steps=4, start="1")
