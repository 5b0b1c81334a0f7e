r"""Any estimator against the exact gradient: bias, variance, squared error and cosine, with their errors."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from gumbel_tutorial import estimators
from gumbel_tutorial.checks import check_count
from gumbel_tutorial.estimators.protocol import Estimator, Losses, repeat
from gumbel_tutorial.laboratory.problems import Problem

# The normal quantile of a two-sided 95 % interval.
_NORMAL_95 = 1.96
# A draw of length 0 has cosine 0 / _TINY = 0.
_TINY = torch.finfo(torch.float64).tiny


@dataclass(frozen=True)
class Figure:
    """A measured number and its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    @property
    def error(self) -> float:
        """The distance from the value to the upper end of the interval, which nothing cuts off."""
        return self.high - self.value


@dataclass(frozen=True)
class Measurement:
    r"""What draws of an estimator $\hat g$ say about it, relative to the exact gradient g.

    Attributes:
        bias: $\lVert\mathbb E\hat g - g\rVert/\lVert g\rVert$.
        variance: $\mathbb E\lVert\hat g - \mathbb E\hat g\rVert^2/\lVert g\rVert^2$.
        squared_error: $\mathbb E\lVert\hat g - g\rVert^2/\lVert g\rVert^2$, squared bias plus variance.
        cosine: $\mathbb E\cos(\hat g, g)$, a draw of length zero counting as 0.
        along: $\mathbb E\hat g\cdot g/\lVert g\rVert^2$, 1 without bias and 0 for nothing.
    """

    bias: Figure
    variance: Figure
    squared_error: Figure
    cosine: Figure
    along: Figure

    def progress(self, count: float = 1) -> float:
        """Return :func:`progress` at what was measured."""
        figures = self.along.value, self.squared_error.value, self.variance.value
        return progress(*figures, count)


def progress(
    along: float, squared_error: float, variance: float, count: float = 1
) -> float:
    r"""Return what the mean of ``count`` estimates is worth in a step of descent, at its best step size.

    $P = (\mathbb E\bar g\cdot g)_+^2/(\mathbb E\lVert\bar g\rVert^2\lVert g\rVert^2)$ for the mean $\bar g$:
    the share of the exact gradient's progress, and $1 - P$ the squared error of the best multiple of
    $\bar g$. It does not depend on the scale of the estimator.

    Args:
        along: as of a :class:`Measurement`, and so the next two, of one estimate.
        squared_error: the same.
        variance: the same.
        count: how many estimates are averaged, at least 1; need not be whole.

    Examples:
        >>> progress(1.0, 3.0, 3.0), progress(1.0, 3.0, 3.0, count=3)  # without bias
        (0.25, 0.5)
        >>> progress(0.5, 0.25, 0.0)  # half the gradient: only the step is too short
        1.0
    """
    length = squared_error + 2 * along - 1 - (1 - 1 / count) * variance
    return along**2 / length if along > 0 else 0.0


def exact_gradient(f: Losses, logits: torch.Tensor) -> torch.Tensor:
    """Return the gradient of the expected loss by enumeration, of the shape of the logits."""
    return gradients(estimators.exact, f, logits, 1, generator=None)[0]


def gradients(
    estimator: str | Estimator,
    f: Losses,
    logits: torch.Tensor,
    num_draws: int,
    *,
    generator: torch.Generator | None,
    **options: Any,
) -> torch.Tensor:
    """Draw an estimator many times, in one batch.

    Args:
        estimator: the name of one of ``estimators.ESTIMATORS``, which gets a state of
            its own where it keeps one, or any function of the protocol.
        f: samples of one or more leading axes to losses, independent along those axes.
        logits: any shape ``(..., K)``.
        num_draws: how many estimates.
        generator: draws all of them; None takes torch's default generator.
        **options: options of the estimator.

    Returns:
        Independent estimates, ``(num_draws, ..., K)``.

    Raises:
        TypeError: an option that the estimator does not have.
        ValueError: an unknown name; ``num_draws`` below 1; as the estimator.

    Examples:
        >>> from gumbel_tutorial.laboratory import PROBLEMS
        >>> line = PROBLEMS["linear"]
        >>> draws = gradients("exact", line.f, line.logits, 1, generator=None)
        >>> draws.shape
        torch.Size([1, 4])
    """
    num_draws = check_count(num_draws, "num_draws", 1)
    prepared = _prepare(estimator, options)
    with torch.enable_grad():
        leaf = repeat(logits.detach(), num_draws).clone().requires_grad_()
        loss = prepared(f, leaf, generator=generator).sum()
        # Of the leaf alone: what f closes over is not being trained here.
        (draws,) = torch.autograd.grad(loss, leaf)
    return draws


def _prepare(
    estimator: str | Estimator, options: dict[str, Any]
) -> Callable[..., torch.Tensor]:
    if isinstance(estimator, str):
        return estimators.get(estimator).prepare(**options)
    return partial(estimator, **options)


def examine(
    estimator: str | Estimator,
    problem: Problem,
    num_draws: int,
    *,
    generator: torch.Generator | None,
    **options: Any,
) -> Measurement:
    """Draw an estimator on a problem and compare it with the exact gradient there.

    Arguments and errors are those of :func:`gradients` and :func:`measure`.

    Examples:
        >>> from gumbel_tutorial.laboratory import PROBLEMS
        >>> generator = torch.Generator().manual_seed(0)
        >>> cubic = PROBLEMS["cubic"]
        >>> measured = examine("rloo", cubic, 1000, generator=generator, num_samples=4)
        >>> f"{measured.variance:.1f}"
        '0.6'
    """
    draws = gradients(
        *(estimator, problem.f, problem.logits, num_draws),
        generator=generator,
        **options,
    )
    return measure(draws, exact_gradient(problem.f, problem.logits))


def count_evaluations(
    estimator: str | Estimator,
    problem: Problem,
    *,
    generator: torch.Generator | None,
    **options: Any,
) -> tuple[int, int]:
    """Return how often one estimate evaluates f, and how often the derivative of f in the sample.

    Args:
        estimator: as in :func:`gradients`.
        problem: its f must close over nothing that is learned.
        generator: draws the estimate.
        **options: options of the estimator.

    Examples:
        >>> from gumbel_tutorial.laboratory import PROBLEMS
        >>> count_evaluations("rebar", PROBLEMS["cubic"], generator=None)
        (3, 2)
    """
    values, slopes = [], []

    def counted(sample: torch.Tensor) -> torch.Tensor:
        losses = problem.f(sample)
        values.append(losses.numel())
        if losses.requires_grad:
            losses.register_hook(lambda gradient: slopes.append(gradient.numel()))
        return losses

    gradients(estimator, counted, problem.logits, 1, generator=generator, **options)
    return sum(values), sum(slopes)


def measure(estimates: torch.Tensor, gradient: torch.Tensor) -> Measurement:
    r"""Compare draws of an estimator with the exact gradient.

    The interval of the bias is the ball that holds the mean's own error with 95 % probability, by the
    triangle inequality; the others are means of independent numbers, with the normal interval. Where
    all draws are about equally far from their mean, as two antipodal values are, the variance's
    interval is too short.

    Args:
        estimates: independent draws, ``(n, ...)``, at least two.
        gradient: the exact gradient, ``(...)``, not zero.

    Raises:
        ValueError: fewer than two draws, shapes that do not match, a gradient of zero.
    """
    if estimates.shape[1:] != gradient.shape or len(estimates) < 2:
        shapes = f"(n, *{tuple(gradient.shape)}), n at least 2"
        raise ValueError(
            f"estimates must have shape {shapes}, got {tuple(estimates.shape)}"
        )
    draws, exact_value = estimates.flatten(1).double(), gradient.flatten().double()
    size = exact_value.norm()
    if size == 0:
        raise ValueError("gradient must not be zero, got norm 0")
    draws, exact_value = draws / size, exact_value / size
    error, along = draws - exact_value, draws @ exact_value
    centred = error - error.mean(0)
    count = len(draws)
    return Measurement(
        bias=_bias(error.mean(0).norm(), centred),
        variance=_mean(centred.square().sum(1) * count / (count - 1)),
        squared_error=_mean(error.square().sum(1)),
        cosine=_mean(along / draws.norm(dim=1).clamp(min=_TINY)),
        along=_mean(along),
    )


def _mean(values: torch.Tensor) -> Figure:
    value, radius = values.mean().item(), (values.std() / math.sqrt(len(values))).item()
    return Figure(value, value - _NORMAL_95 * radius, value + _NORMAL_95 * radius)


def _bias(bias: torch.Tensor, centred: torch.Tensor) -> Figure:
    # The squared length of the mean's error is about a chi-square, matched in its first two moments
    # (Satterthwaite), whose 95 % point is Wilson and Hilferty's.
    covariance = centred.T @ centred / len(centred) ** 2
    total, spread = covariance.trace(), covariance.square().sum()
    if total == 0:
        return Figure(bias.item(), bias.item(), bias.item())
    part = 2 * spread / (9 * total**2)
    radius = (total * (1 - part + 1.645 * part.sqrt()) ** 3).sqrt()
    return Figure(bias.item(), max(0.0, (bias - radius).item()), (bias + radius).item())
