r"""Any estimator against the exact gradient: bias, variance, squared error and cosine, with their errors."""

import math
from dataclasses import dataclass

import torch

from gumbel_tutorial.checks import check_count
from gumbel_tutorial.estimators.enumeration import exact
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
    """

    bias: Figure
    variance: Figure
    squared_error: Figure
    cosine: Figure


def exact_gradient(f: Losses, logits: torch.Tensor) -> torch.Tensor:
    """Return the gradient of the expected loss by enumeration, of the shape of the logits."""
    return gradients(exact, f, logits, 1, generator=torch.Generator(logits.device))[0]


def gradients(
    estimator: Estimator,
    f: Losses,
    logits: torch.Tensor,
    num_draws: int,
    *,
    generator: torch.Generator,
) -> torch.Tensor:
    """Draw an estimator many times, in one batch.

    Args:
        estimator: of the protocol, options already set.
        f: samples of one or more leading axes to losses, independent along those axes.
        logits: any shape ``(..., K)``.
        num_draws: how many estimates.
        generator: draws all of them.

    Returns:
        Independent estimates, ``(num_draws, ..., K)``.

    Raises:
        ValueError: ``num_draws`` below 1; as the estimator.
    """
    num_draws = check_count(num_draws, "num_draws", 1)
    with torch.enable_grad():
        leaf = repeat(logits.detach(), num_draws).clone().requires_grad_()
        loss = estimator(f, leaf, generator=generator).sum()
        # Of the leaf alone: what f closes over is not being trained here.
        (draws,) = torch.autograd.grad(loss, leaf)
    return draws


def examine(
    estimator: Estimator,
    problem: Problem,
    num_draws: int,
    *,
    generator: torch.Generator,
) -> Measurement:
    """Draw an estimator on a problem and compare it with the exact gradient there.

    Arguments and errors are those of :func:`gradients` and :func:`measure`.
    """
    draws = gradients(
        estimator, problem.f, problem.logits, num_draws, generator=generator
    )
    return measure(draws, exact_gradient(problem.f, problem.logits))


def count_evaluations(
    estimator: Estimator, problem: Problem, *, generator: torch.Generator
) -> tuple[int, int]:
    """Return how often one estimate evaluates f, and how often the derivative of f in the sample.

    Args:
        estimator: of the protocol, options already set.
        problem: its f must close over nothing that is learned.
        generator: draws the estimate.
    """
    values, slopes = [], []

    def counted(sample: torch.Tensor) -> torch.Tensor:
        losses = problem.f(sample)
        values.append(losses.numel())
        if losses.requires_grad:
            losses.register_hook(lambda gradient: slopes.append(gradient.numel()))
        return losses

    gradients(estimator, counted, problem.logits, 1, generator=generator)
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
    error = draws - exact_value
    centred = error - error.mean(0)
    count = len(draws)
    return Measurement(
        bias=_bias(error.mean(0).norm(), centred),
        variance=_mean(centred.square().sum(1) * count / (count - 1)),
        squared_error=_mean(error.square().sum(1)),
        cosine=_mean(draws @ exact_value / draws.norm(dim=1).clamp(min=_TINY)),
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
