r"""What every estimator is made of.

An estimator is a function ``estimator(f, logits, *, generator=None, **options) -> loss``. ``logits`` has
shape ``(..., K)``. ``f`` maps one-hot or relaxed samples of the shape of ``logits``, and of that shape with
more leading axes, to losses; the axes of ``logits`` that its losses lack are the variables and their
categories, the others are batch. The estimator's value is a loss of the batch shape; its backward pass
gives an estimate of $\nabla_\ell\,\mathbb E[f(z)]$ with $z_n \sim \mathrm{softmax}(\ell_n)$, and the ordinary
gradient of whatever else ``f`` closes over.

Every estimator compiles in one graph and works under ``torch.func.grad`` and ``torch.func.vmap`` (with
``randomness="different"`` or ``"same"``), values unread where there are none. torch takes no generator
into a full graph: with ``generator=None`` an estimator draws from torch's default generator, which
``torch.manual_seed`` seeds.
"""

from collections.abc import Callable
from typing import Any

import torch

from gumbel_tutorial import noise
from gumbel_tutorial.arrays import below_largest, finite_or_zero, one_hot, widen
from gumbel_tutorial.checks import (
    check_broadcasts_to,
    check_logits,
    check_temperature,
    check_torch_generator,
    refuse,
    smallest_divisor,
)

Losses = Callable[[torch.Tensor], torch.Tensor]
Estimator = Callable[..., torch.Tensor]


def check_arguments(
    logits: torch.Tensor, generator: torch.Generator | None
) -> torch.Tensor:
    """Check what every estimator takes, once; return the logits in float32 at least, each row's largest at 0.

    No estimator depends on an offset of the logits, and noise added to a large one would lose its digits.
    """
    check_tensor(logits)
    largest = check_logits(logits)
    if generator is not None:
        check_torch_generator(generator, logits.device)
    return below_largest(widen(logits), largest=widen(largest))


def check_tensor(logits: Any) -> None:
    """Require a torch tensor."""
    if not isinstance(logits, torch.Tensor):
        refuse("logits", "be a torch tensor", type(logits).__name__, TypeError)


def check_divisor(
    temperature: Any,
    logits: torch.Tensor,
    name: str = "temperature",
    *,
    least: float | None = None,
) -> None:
    """Require a temperature that logits can be divided by: a number, or a tensor of one per row at most."""
    least = smallest_divisor(logits) if least is None else least
    check_temperature(temperature, logits, name, least=least)
    if isinstance(temperature, torch.Tensor):
        check_broadcasts_to(temperature, name, logits)


def evaluate(f: Losses, sample: torch.Tensor, *, several: bool = False) -> torch.Tensor:
    """Return the losses of samples, in float32 at least, their shape checked.

    With ``several`` the first axis counts samples, each of which has a loss of its own.

    Differences of losses are what estimators live on, and half precision rounds them away.
    """
    losses = _call(f, sample, several)
    return widen(losses) if losses.is_floating_point() else losses.to(sample.dtype)


def _call(f: Losses, sample: torch.Tensor, several: bool) -> torch.Tensor:
    losses = f(sample)
    if not isinstance(losses, torch.Tensor):
        kind = type(losses).__name__
        refuse("f", "return a torch tensor of losses", kind, TypeError)
    fits = losses.shape == sample.shape[: losses.ndim]
    if not fits or not several <= losses.ndim < sample.ndim:
        requirement = "return losses of the leading shape of its samples, "
        requirement += f"{tuple(sample.shape)} without the categories"
        refuse("f", requirement, f"shape {tuple(losses.shape)}")
    if losses.is_complex():
        refuse("f", "return real losses", losses.dtype, TypeError)
    return losses


def draw(logits: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """Return one-hot samples of the shape of the logits, by Gumbel-Max."""
    return draw_with_noise(logits, generator)[0]


def draw_with_noise(
    logits: torch.Tensor, generator: torch.Generator | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one-hot samples as :func:`draw` does, and the Gumbel noise that chose them."""
    fixed = logits.detach()
    gumbels = noise.gumbel_like(fixed, generator=generator)
    return as_one_hot((fixed + gumbels).argmax(-1), fixed), gumbels


def as_one_hot(index: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return the one-hot vectors of indices, in the dtype of the logits."""
    return one_hot(index, logits.shape[-1], dtype=logits.dtype)


def repeat(logits: torch.Tensor, times: int) -> torch.Tensor:
    """Return the logits with a leading axis of independent samples."""
    return logits.expand(times, *logits.shape)


def batch_axes(f: Losses, logits: torch.Tensor) -> int:
    """Return how many leading axes of the logits are batch: those that the losses of f keep."""
    with torch.no_grad():
        try:
            # No sample at all tells the shape, and costs no evaluation.
            if not torch.compiler.is_compiling():
                nothing = torch.zeros_like(repeat(logits, 0))
                return _call(f, nothing, several=True).ndim - 1
        except RuntimeError:
            pass
        # A loss with a reshape to -1 needs one sample. So does a graph, where no error is caught; there it is
        # free, since what only tells a shape is never run.
        one = as_one_hot(logits.argmax(-1), logits)
        return _call(f, one, several=False).ndim


def sum_variables(values: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """Sum values of shape (batch, variables ...) over the variables, to the shape of the losses."""
    return values.flatten(losses.ndim).sum(-1) if values.ndim > losses.ndim else values


def log_prob_each(logits: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
    """Return the log-probability of each variable's sample, ``(..., K)`` to ``(...)``."""
    log_probs = logits.log_softmax(-1)
    # An excluded category has log-probability -inf and is never drawn: 0 * -inf is not meant.
    return torch.where(sample > 0, log_probs, torch.zeros_like(log_probs)).sum(-1)


def log_prob(
    logits: torch.Tensor, sample: torch.Tensor, losses: torch.Tensor
) -> torch.Tensor:
    """Return the log-probability of all variables together, in the shape of the losses."""
    return sum_variables(log_prob_each(logits, sample), losses)


def per_variable(losses: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return losses with trailing axes of size one, to broadcast against the logits."""
    return losses.reshape(*losses.shape, *(1 for _ in range(logits.ndim - losses.ndim)))


def along(
    gradient: torch.Tensor, logits: torch.Tensor, losses: torch.Tensor
) -> torch.Tensor:
    """Return a path of the shape of the losses whose derivative in the logits is ``gradient``."""
    # An excluded category has gradient 0, and 0 * -inf is not meant.
    path = (gradient.detach() * finite_or_zero(logits)).sum(-1)
    return sum_variables(path, losses)


def slope_at(f: Losses, sample: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return f at the sample and its gradient there, both cut off from everything else."""

    def at(leaf: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        losses = evaluate(f, leaf)
        return losses, losses

    losses, slope = differentiate(at, sample, "f")
    return losses.detach(), slope.detach()


def losses_with_slope(
    f: Losses, sample: torch.Tensor, *, several: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return f at the sample, as :func:`evaluate` does, and its gradient there, cut off: one evaluation."""

    def at(leaf: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        losses = evaluate(f, leaf, several=several)
        return losses, losses

    losses, slope = differentiate(at, sample, "f", reuse=True)
    return losses, slope.detach()


def refuses_leaves() -> bool:
    """Tell whether torch.compile or torch.func runs the code: both refuse a leaf of our own."""
    if torch.compiler.is_compiling():
        return True
    try:
        torch.empty(0).requires_grad_()
    except RuntimeError:
        return True
    return False


def differentiate(
    function: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
    at: torch.Tensor,
    name: str,
    *,
    keep: bool = False,
    reuse: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a function yields second, and the derivative at ``at`` of the sum of what it yields first.

    autograd's own gradient lets a function do more than ``torch.func`` does, as a normalisation that
    updates its averages does; where the code is transformed, ``torch.func`` alone works.

    Args:
        function: values, and anything else that it computes on the way.
        at: the point.
        name: name of the function to blame for values without a derivative.
        keep: whether both results are to be differentiated again.
        reuse: whether that of what the function yields second is, and the derivative not.
    """

    def total(leaf: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values, beside = function(leaf)
        if not values.requires_grad:
            refuse(name, "be differentiable", "losses without a derivative")
        return values.sum(), beside

    if refuses_leaves():
        slope, beside = torch.func.grad(total, has_aux=True)(at.detach())
        return beside, slope
    with torch.enable_grad():
        leaf = at.detach().requires_grad_()
        value, beside = total(leaf)
        (slope,) = torch.autograd.grad(
            value, leaf, create_graph=keep, retain_graph=keep or reuse
        )
    return beside, slope
