r"""Temperature schedules: ``exponential(rate=3e-4)`` makes a function of the step, which counts from 0.

Every schedule returns a positive number for every step from 0 on, and stops moving at its last value. Its
arguments are checked when it is made. Schedules compare by their arguments, print them, and can be pickled.
"""

import math
from dataclasses import dataclass, fields

import numpy as np

from gumbel_tutorial.arrays import is_number
from gumbel_tutorial.checks import check_count, check_positive, refuse


class _Schedule:
    """What all schedules share: every field is a positive number, those named in ``_WHOLE`` whole."""

    _WHOLE: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.name in self._WHOLE:
                value = check_count(value, field.name, 1)
                object.__setattr__(self, field.name, value)
            elif not is_number(value):
                refuse(field.name, "be a number", type(value).__name__, TypeError)
            check_positive(value, field.name)


@dataclass(frozen=True)
class constant(_Schedule):
    r"""Make the schedule $\tau_t = \tau$, the choice of Maddison, Mnih and Teh (2017).

    Args:
        temperature: $\tau > 0$.

    Raises:
        TypeError: the temperature is not a number.
        ValueError: the temperature is not positive; when called, a negative step.

    Examples:
        >>> constant(0.5)(1000)
        0.5
    """

    temperature: float = 1.0

    def __call__(self, step: int) -> float:
        """Return the temperature of a step."""
        _check_step(step)
        return self.temperature


@dataclass(frozen=True, kw_only=True)
class exponential(_Schedule):
    r"""Make the schedule $\tau_t = \max(\tau_{\min}, \tau_0 e^{-r t'})$, $t'$ the last multiple of N up to t.

    Source: Jang, Gu and Poole (2017), section 4.2: $\tau_0 = 1$, $\tau_{\min} = 0.5$, r in {1e-5, 1e-4},
    N in {500, 1000}.

    Args:
        rate: r > 0, per step.
        start: $\tau_0 > 0$.
        floor: $\tau_{\min}$, in (0, start].
        every: N, a whole number of at least 1: the temperature moves every N steps.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument outside its range; when called, a negative step.

    Examples:
        >>> schedule = exponential(rate=3e-5, every=1000)
        >>> schedule
        exponential(rate=3e-05, start=1.0, floor=0.5, every=1000)
        >>> round(schedule(10_500), 4)  # that of step 10,000
        0.7408
    """

    _WHOLE = ("every",)

    rate: float
    start: float = 1.0
    floor: float = 0.5
    every: int = 1

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        if self.floor > self.start:
            refuse("floor", f"be at most start = {self.start}", self.floor)

    def __call__(self, step: int) -> float:
        """Return the temperature of a step."""
        moved = _check_step(step) // self.every * self.every
        return max(self.floor, self.start * math.exp(-self.rate * moved))


@dataclass(frozen=True, kw_only=True)
class linear(_Schedule):
    r"""Make the straight line from $\tau_0$ to $\tau_1$ over ``steps`` steps, then $\tau_1$.

    Args:
        steps: the length of the line, a whole number of at least 1.
        start: $\tau_0 > 0$.
        end: $\tau_1 > 0$.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument outside its range; when called, a negative step.

    Examples:
        >>> [linear(steps=4)(step) for step in (0, 2, 4, 8)]
        [1.0, 0.75, 0.5, 0.5]
    """

    _WHOLE = ("steps",)

    steps: int
    start: float = 1.0
    end: float = 0.5

    def __call__(self, step: int) -> float:
        """Return the temperature of a step."""
        return self._between(self._progress(step))

    def _progress(self, step: int) -> float:
        return min(_check_step(step) / self.steps, 1.0)

    def _between(self, share: float) -> float:
        # Exactly start at 0 and end at 1, however far apart: end - start would lose the smaller one.
        return self.start * (1 - share) + self.end * share


@dataclass(frozen=True, kw_only=True)
class cosine(linear):
    r"""Make half a cosine wave from $\tau_0$ to $\tau_1$ over ``steps`` steps, then $\tau_1$.

    $\tau_t = \tau_1 + \frac12(\tau_0 - \tau_1)\big(1 + \cos(\pi t/T)\big)$: slow at both ends.
    Arguments and errors are those of :class:`linear`.

    Examples:
        >>> [cosine(steps=4)(step) for step in (0, 2, 4, 8)]
        [1.0, 0.75, 0.5, 0.5]
    """

    def __call__(self, step: int) -> float:
        """Return the temperature of a step."""
        return self._between((1 - math.cos(math.pi * self._progress(step))) / 2)


def _check_step(step: int) -> int:
    """Return a step that is not negative; one of another kind than a number must be whole."""
    if not is_number(step):
        return check_count(step, "step", 0)
    if not step >= 0:  # NaN included
        refuse("step", "not be negative", step)
    # As Python's number: one of eight bits cannot be divided by 500.
    return step.item() if isinstance(step, np.generic) else step
