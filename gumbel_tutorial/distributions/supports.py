"""Constraints that torch lacks, or whose tolerance of rounding is too small in torch.

Each says its requirement in words, and is registered with torch's ``biject_to`` and ``transform_to``, so
that optimisers and samplers find the way from unconstrained numbers to it.
"""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import biject_to, constraints, transform_to, transforms

from gumbel_tutorial.arrays import widen
from gumbel_tutorial.checks import at_index, first_true, refuse, simplex_tolerance


class Finite(constraints.Constraint):
    """Finite real numbers; torch's ``real`` lets infinite ones through."""

    requirement = "be finite"

    def check(self, value: Tensor) -> Tensor:
        """Tell entry by entry."""
        return value.isfinite()


class PositiveFinite(constraints.Constraint):
    """Positive numbers below +inf."""

    requirement = "be positive and finite"

    def check(self, value: Tensor) -> Tensor:
        """Tell entry by entry."""
        return (value > 0) & value.isfinite()


class AboveMinusInfinity(constraints.Constraint):
    """Real numbers and +inf."""

    requirement = "be above -inf"

    def check(self, value: Tensor) -> Tensor:
        """Tell entry by entry."""
        return value > -torch.inf


class AtMost(constraints.Constraint):
    """Real numbers up to a bound, itself included: a draw may round to it."""

    def __init__(self, upper_bound: Tensor) -> None:
        self.upper_bound = upper_bound
        self.requirement = "be at most the upper bound"
        super().__init__()

    def check(self, value: Tensor) -> Tensor:
        """Tell entry by entry."""
        return value <= self.upper_bound


class OpenUnitInterval(constraints.Constraint):
    """Numbers in (0, 1), 0 and 1 excluded."""

    requirement = "lie in (0, 1)"

    def check(self, value: Tensor) -> Tensor:
        """Tell entry by entry."""
        return (value > 0) & (value < 1)


class Logits(constraints.Constraint):
    """Rows below +inf that leave a category open; -inf excludes one."""

    event_dim = 1
    requirement = "be below +inf and leave a category open in every row"

    def check(self, value: Tensor) -> Tensor:
        """Tell row by row, in one pass: a maximum hands NaN on."""
        return value.amax(-1).isfinite()


class OpenCategories(constraints.Constraint):
    """Rows with at least k categories above -inf."""

    event_dim = 1

    def __init__(self, k: int) -> None:
        self.k = k
        self.requirement = f"leave {k} categories open in every row"
        super().__init__()

    def check(self, value: Tensor) -> Tensor:
        """Tell row by row."""
        return (value > -torch.inf).sum(-1) >= self.k


class FiniteLogits(constraints.Constraint):
    """Rows of finite numbers."""

    event_dim = 1
    requirement = "be finite"

    def check(self, value: Tensor) -> Tensor:
        """Tell row by row."""
        return value.isfinite().all(-1)


class Simplex(constraints.Constraint):
    """Rows of probabilities that sum to one but for rounding, in half precision and over a million too."""

    event_dim = 1
    requirement = "be probabilities that sum to one in every row"

    def check(self, value: Tensor) -> Tensor:
        """Tell row by row."""
        total = widen(value).sum(-1)
        return (value >= 0).all(-1) & ((total - 1).abs() <= _sum_tolerance(value))


class OpenSimplex(Simplex):
    """Points of the simplex without a 0."""

    requirement = "be positive and sum to one in every row"

    def check(self, value: Tensor) -> Tensor:
        """Tell row by row."""
        return super().check(value) & (value > 0).all(-1)


class LogSimplex(constraints.Constraint):
    """Logarithms of points of the open simplex: finite, with logsumexp 0."""

    event_dim = 1
    requirement = "be finite with logsumexp 0 in every row"

    def check(self, value: Tensor) -> Tensor:
        """Tell row by row."""
        total = widen(value).logsumexp(-1)
        return value.isfinite().all(-1) & (total.abs() <= simplex_tolerance(value))


class Ranking(constraints.Constraint):
    """Rows of k distinct categories out of 0 ... K-1, in their order."""

    is_discrete = True
    event_dim = 1

    def __init__(self, num_categories: int) -> None:
        self.num_categories = num_categories
        self.requirement = f"be distinct categories in 0 ... {num_categories - 1}"
        super().__init__()

    def check(self, value: Tensor) -> Tensor:
        """Tell row by row."""
        inside = (value >= 0) & (value < self.num_categories) & (value % 1 == 0)
        ordered = value.sort(-1).values
        return inside.all(-1) & (ordered[..., 1:] != ordered[..., :-1]).all(-1)


finite = Finite()
positive_finite = PositiveFinite()
above_minus_infinity = AboveMinusInfinity()
open_unit_interval = OpenUnitInterval()
logits = Logits()
finite_logits = FiniteLogits()
simplex = Simplex()
open_simplex = OpenSimplex()
log_simplex = LogSimplex()


def require(constraint: constraints.Constraint, value: Tensor, name: str) -> None:
    """Refuse a value by name where it can be read and does not satisfy the constraint."""
    where = first_true(~constraint.check(value.detach()))
    if where is None:
        return
    requirement = getattr(constraint, "requirement", f"lie in {constraint!r}")
    bad = value[where] if value.ndim else value
    got = bad.tolist() if bad.numel() <= 10 else f"a row of shape {tuple(bad.shape)}"
    refuse(name, requirement, f"{got}{at_index(where)}")


def smallest_positive(dtype: torch.dtype) -> float:
    """Return the smallest positive number that devices keep: normal, but in float16 all are kept."""
    return 2.0**-24 if dtype == torch.float16 else torch.finfo(dtype).tiny


def round_inside(value: Tensor, low: float, high: float) -> Tensor:
    """Return ``value`` held in [low, high], with the derivative that it had where it is finite."""
    fixed = value.detach()
    held = fixed.clamp(low, high)
    return torch.where(fixed.isfinite(), value + (held - fixed), held)


def _sum_tolerance(value: Tensor) -> float:
    # Entries that round to 0 are raised to the smallest number, which is not nothing in float16.
    return simplex_tolerance(value) + value.shape[-1] * smallest_positive(value.dtype)


def _register(registry: Any) -> None:
    """Register the way from unconstrained numbers to each constraint: torch's way to one of its own."""
    same = {
        Finite: constraints.real,
        AboveMinusInfinity: constraints.real,
        PositiveFinite: constraints.positive,
        OpenUnitInterval: constraints.unit_interval,
        Logits: constraints.real_vector,
        FiniteLogits: constraints.real_vector,
        Simplex: constraints.simplex,
        OpenSimplex: constraints.simplex,
    }
    for kind, target in same.items():
        registry.register(kind, lambda _, target=target: registry(target))
    registry.register(
        AtMost, lambda it: registry(constraints.less_than(it.upper_bound))
    )
    to_log = transforms.ExpTransform().inv
    registry.register(
        LogSimplex,
        lambda _: transforms.ComposeTransform([registry(constraints.simplex), to_log]),
    )


_register(biject_to)
_register(transform_to)
