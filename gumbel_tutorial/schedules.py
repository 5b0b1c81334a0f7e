r"""Temperature schedules: plain functions of the step, from 0.

Every schedule returns a positive number for every step from 0 on, and stops moving at its last value.
"""

import math

from gumbel_tutorial.checks import check_positive


def constant(step: int, *, temperature: float = 1.0) -> float:
    r"""Return $\tau_t = \tau$, the choice of Maddison, Mnih and Teh (2017).

    Args:
        step: t, from 0.
        temperature: $\tau > 0$.

    Raises:
        ValueError: a negative step or a temperature that is not positive.

    Examples:
        >>> constant(1000, temperature=0.5)
        0.5
    """
    _check_step(step)
    check_positive(temperature, "temperature")
    return temperature


def exponential(
    step: int, *, rate: float, start: float = 1.0, floor: float = 0.5, every: int = 1
) -> float:
    r"""Return $\tau_t = \max(\tau_{\min}, \tau_0 e^{-r t'})$, with $t'$ the last multiple of N up to t.

    Source: Jang, Gu and Poole (2017), section 4.2: $\tau_0 = 1$, $\tau_{\min} = 0.5$, r in {1e-5, 1e-4},
    N in {500, 1000}.

    Args:
        step: t, from 0.
        rate: r > 0, per step.
        start: $\tau_0 > 0$.
        floor: $\tau_{\min}$, in (0, start].
        every: N, a whole number of at least 1: the temperature moves every N steps.

    Raises:
        ValueError: an argument outside its range.

    Examples:
        >>> round(exponential(10_500, rate=3e-5, every=1000), 4)  # that of step 10,000
        0.7408
    """
    _check_step(step)
    for value, name in (
        (rate, "rate"),
        (start, "start"),
        (floor, "floor"),
        (every, "every"),
    ):
        check_positive(value, name)
    _check_whole(every, "every")
    if floor > start:
        raise ValueError(f"floor must be at most start = {start}, got {floor}")
    return max(floor, start * math.exp(-rate * (step // every * every)))


def linear(step: int, *, steps: int, start: float = 1.0, end: float = 0.5) -> float:
    r"""Return the straight line from $\tau_0$ to $\tau_1$ over ``steps`` steps, then $\tau_1$.

    Args:
        step: t, from 0.
        steps: the length of the line, a whole number of at least 1.
        start: $\tau_0 > 0$.
        end: $\tau_1 > 0$.

    Raises:
        ValueError: an argument outside its range.

    Examples:
        >>> [linear(step, steps=4) for step in (0, 2, 4, 8)]
        [1.0, 0.75, 0.5, 0.5]
    """
    return _between(start, end, _progress(step, steps, start, end))


def cosine(step: int, *, steps: int, start: float = 1.0, end: float = 0.5) -> float:
    r"""Return half a cosine wave from $\tau_0$ to $\tau_1$ over ``steps`` steps, then $\tau_1$.

    $\tau_t = \tau_1 + \frac12(\tau_0 - \tau_1)\big(1 + \cos(\pi t/T)\big)$: slow at both ends.
    Arguments and errors are those of :func:`linear`.

    Examples:
        >>> [cosine(step, steps=4) for step in (0, 2, 4, 8)]
        [1.0, 0.75, 0.5, 0.5]
    """
    wave = (1 - math.cos(math.pi * _progress(step, steps, start, end))) / 2
    return _between(start, end, wave)


def _between(start: float, end: float, share: float) -> float:
    # Exactly start at 0 and end at 1, however far apart: end - start would lose the smaller one.
    return start * (1 - share) + end * share


def _progress(step: int, steps: int, start: float, end: float) -> float:
    _check_step(step)
    for value, name in ((steps, "steps"), (start, "start"), (end, "end")):
        check_positive(value, name)
    _check_whole(steps, "steps")
    return min(step / steps, 1.0)


def _check_step(step: int) -> None:
    if not step >= 0:  # NaN included
        raise ValueError(f"step must not be negative, got {step}")


def _check_whole(value: float, name: str) -> None:
    if value != int(value):
        raise ValueError(f"{name} must be a whole number, got {value}")
