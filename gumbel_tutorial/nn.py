r"""Gumbel-Softmax and its relatives in torch: logits in, samples with a derivative out.

:func:`gumbel_softmax` takes the place of ``torch.nn.functional.gumbel_softmax``; :class:`GumbelSoftmax` is
the layer. :func:`straight_through`, :func:`reinmax`, :func:`gumbel_rao` and :func:`gapped_straight_through`
draw exact one-hot samples and differ in the derivative that they send back. All take ``logits``, ``tau`` and
``dim`` as torch names them, and their noise as an argument or from a generator.

The functions whose names end in ``_path`` are the formulas: they check nothing, and take logits of float32 at
least whose categories lie last, the largest at 0.
"""

import math
import operator
import sys
import warnings
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import Any, TypeVar, cast

try:
    import torch
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "gumbel_tutorial.nn needs torch: install gumbel-tutorial[torch]",
        name=error.name,
    ) from error
from torch.autograd import forward_ad
from torch.overrides import (
    handle_torch_function,
    has_torch_function,
    has_torch_function_variadic,
)

from gumbel_tutorial import concrete, gumbel_max
from gumbel_tutorial.arrays import (
    finite_or_zero,
    is_number,
    is_traced,
    perturb,
    require_dense,
    widen,
)
from gumbel_tutorial.checks import (
    check_broadcasts_to,
    check_count,
    check_floating,
    check_logits,
    check_noise,
    check_positive,
    check_probability,
    check_temperature,
    first_true,
    refuse,
    smallest_divisor,
)
from gumbel_tutorial.noise import gumbel_like

F = TypeVar("F", bound=Callable[..., Any])


def gumbel_softmax(
    logits: torch.Tensor,
    tau: float | torch.Tensor = 1,
    hard: bool = False,
    eps: float = 1e-10,
    dim: int = -1,
    *,
    generator: torch.Generator | None = None,
    mask: torch.Tensor | None = None,
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Draw a relaxed categorical sample, in place of ``torch.nn.functional.gumbel_softmax``.

    Soft: $y = \mathrm{softmax}((\ell + G)/\tau)$. Hard: the one-hot vector of $\arg\max_i(\ell_i + G_i)$ in
    the forward pass, also where a high temperature rounds the entries of $y$ to ties, and the derivative
    of $y$ in the backward pass (straight-through; biased).
    Source: Jang, Gu and Poole (2017), equation 2 and section 2.2; Maddison, Mnih and Teh (2017).

    It works wherever torch's own function does: under autocast, ``torch.compile(fullgraph=True)``,
    ``torch.export``, ``torch.jit.trace``, ``torch.fx``, fake and meta tensors, ``torch.func``,
    forward-mode derivatives, ``torch.utils.checkpoint`` and ``__torch_function__``. float16 and bfloat16
    are computed in float32 and rounded once. Four limits:

    * Code that torch compiles, exports or traces checks shapes and dtypes but no values, and neither does
      a call under ``vmap`` or on meta tensors.
    * torch takes no generator into a full graph, and its script compiler follows neither a generator nor
      keyword-only arguments. Hand in ``noise`` instead, or trace.
    * Activation checkpointing runs a function twice. It restores torch's default generators, and an
      explicit one draws other noise in the second run, whose gradient would belong to another sample: a
      generator inside ``torch.utils.checkpoint`` is refused. Draw ``noise`` outside and hand it in.
    * Whatever else runs a function again (``torch.func.linearize``, a closure of L-BFGS, a numerical
      derivative) draws again, torch's own function too: hand in ``noise``.

    Args:
        logits: unnormalised log-probabilities, not probabilities (of those take the logarithm); -inf
            excludes a category.
        tau: the temperature, positive; a number, or a tensor with size 1 along ``dim`` that gives every
            row its own and may itself be learned.
        hard: one-hot forward, relaxed backward.
        eps: taken because torch takes it, and ignored.
        dim: where the categories lie.
        generator: on the device of ``logits``; None takes torch's default generator of that device.
        mask: boolean, broadcastable to ``logits``, true where a category is allowed.
        noise: standard Gumbel noise, as ``gumbel_tutorial.gumbel_like(logits)`` draws it, in place of a
            generator; further leading axes give as many samples.

    Returns:
        The shape of ``logits`` (and ``noise``) and the dtype of ``logits``; every row sums to one, and in
        hard form is exactly one-hot.

    Raises:
        TypeError: ``logits`` is not a dense floating tensor, ``mask`` is not boolean, ``dim`` is not whole.
        ValueError: NaN, +inf, or a row without an open category among the logits; a ``tau`` that is not
            positive, has more than one value per row or does not broadcast to ``logits``; a ``mask`` or
            ``noise`` that does not; an argument on another device; a ``dim`` that is not there; noise and
            a generator at once; a generator inside activation checkpointing.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> gumbel_softmax(torch.zeros(3), hard=True, generator=generator).tolist()
        [0.0, 0.0, 1.0]
    """
    if has_torch_function_variadic(logits, tau, mask, noise):
        return handle_torch_function(
            gumbel_softmax,
            (logits, tau, mask, noise),
            logits,
            tau=tau,
            hard=hard,
            eps=eps,
            dim=dim,
            generator=generator,
            mask=mask,
            noise=noise,
        )
    if eps != 1e-10:
        message = "eps has no effect: the noise is finite without it"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
    if isinstance(logits, torch.Tensor) and logits.ndim == 0:
        # torch takes a scalar for the only category of the only row.
        row = gumbel_softmax(logits[None], tau, hard, dim=dim, generator=generator)
        return row[0]
    if isinstance(logits, torch.Tensor) and logits.ndim == 0:
        # torch takes a scalar for the only category of the only row.
        row = gumbel_softmax(logits[None], tau, hard, dim=dim, generator=generator)
        return row[0]
    working, dim = _checked_logits(logits, dim, mask)
    largest = check_logits(working, axis=dim)
    tau = _checked_tau(tau, working, dim)
    gumbels = _noise_for(working, noise, generator, dim)
    perturbed = perturb(working, gumbels, axis=dim, largest=largest)
    return _relaxed(perturbed, tau, hard, dim).to(logits.dtype)


def _relaxed(perturbed: torch.Tensor, tau: Any, hard: bool, dim: int) -> torch.Tensor:
    """Return the relaxed or hardened sample of perturbed logits; nothing is checked."""
    if not hard:
        return concrete.soften(perturbed, tau, axis=dim)
    sample = _one_hot(perturbed, dim)
    if not _may_be_differentiated(perturbed, tau):
        return sample
    return carry(sample, concrete.soften(perturbed, tau, axis=dim))


def _may_be_differentiated(perturbed: torch.Tensor, tau: Any) -> bool:
    """Tell whether somebody may ask for a derivative: whoever traces a function may do so later."""
    if (
        is_traced()
        or type(perturbed) is not torch.Tensor
        or torch._C._len_torch_dispatch_stack()
        or forward_ad._current_level >= 0
    ):
        return True
    return perturbed.requires_grad or getattr(tau, "requires_grad", False)


def carry(value: torch.Tensor, path: torch.Tensor) -> torch.Tensor:
    r"""Return ``value`` with the derivative of ``path`` added to its own: $v + (p - \mathrm{stopgrad}(p))$.

    The bracket is exactly 0, so the value is exact.
    Source: Bengio, Léonard and Courville (2013), section 4.

    Examples:
        >>> path = torch.tensor(2.0, requires_grad=True)
        >>> carried = carry(torch.tensor(5.0), path)
        >>> carried.backward()
        >>> carried.item(), path.grad.item()
        (5.0, 1.0)
    """
    return value + (path - path.detach())


def _overridable(function: F) -> F:
    """Let tensor-like types and modes of torch take the call over, as they can for torch's own functions."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        tensors = (*args, *kwargs.values())
        if has_torch_function(tensors):
            return handle_torch_function(call, tensors, *args, **kwargs)
        return function(*args, **kwargs)

    return cast(F, call)


@_overridable
def harden(relaxed: torch.Tensor, dim: int = -1) -> torch.Tensor:
    r"""Return the one-hot vector of the largest entry, with the derivative of ``relaxed``; it draws nothing.

    $z + (y - \mathrm{stopgrad}(y))$, the deterministic half of a straight-through sample: of probabilities it
    is their mode and no draw, for which there is :func:`straight_through`.
    Source: Bengio, Léonard and Courville (2013); Jang, Gu and Poole (2017), section 2.2.

    Args:
        relaxed: points of the simplex, any shape.
        dim: where the categories lie.

    Returns:
        The shape of ``relaxed``.

    Raises:
        TypeError: ``relaxed`` is not a dense floating tensor.
        ValueError: NaN, or no category at all; a ``dim`` that is not there.

    Examples:
        >>> harden(torch.tensor([0.2, 0.5, 0.3])).tolist()
        [0.0, 1.0, 0.0]
    """
    _check_dense(relaxed, "relaxed")
    dim = _category_dim(relaxed, dim, "relaxed")
    check_logits(relaxed, "relaxed", axis=dim)
    return carry(_one_hot(relaxed, dim), relaxed)


def reinmax_path(logits: torch.Tensor, sample: torch.Tensor, tau: Any) -> torch.Tensor:
    """Return what :func:`reinmax` differentiates in place of a one-hot sample; nothing is checked."""
    middle = ((sample + concrete.soften(logits.detach(), tau)) / 2).detach()
    # softmax has the derivative diag(p) - p p^T at p = middle, and so has this linear map. An excluded
    # category has middle = 0 there, and 0 * -inf is not meant.
    finite = finite_or_zero(logits)
    through = middle * (finite - (middle * finite).sum(-1, keepdim=True))
    return 2 * through - logits.softmax(-1) / 2


def gumbel_rao_path(
    logits: torch.Tensor, sample: torch.Tensor, gumbels: torch.Tensor, tau: Any
) -> torch.Tensor:
    """Return what :func:`gumbel_rao` differentiates, free noise along the first axis; nothing is checked."""
    given = gumbel_max.condition(logits.detach(), sample.argmax(-1), gumbels)
    return concrete.soften(logits + given, tau).mean(0)


def gapped_path(
    logits: torch.Tensor, sample: torch.Tensor, tau: Any, gap: float
) -> torch.Tensor:
    """Return what :func:`gapped_straight_through` differentiates; nothing is checked."""
    fixed = logits.detach()  # the largest is at 0
    moved = torch.where(sample > 0, -fixed, -(fixed + gap).relu())
    return concrete.soften(logits + moved, tau)


@_overridable
def straight_through(
    *,
    logits: torch.Tensor | None = None,
    probs: torch.Tensor | None = None,
    tau: float | torch.Tensor = 1,
    dim: int = -1,
    generator: torch.Generator | None = None,
    mask: torch.Tensor | None = None,
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Draw a one-hot categorical sample that has the derivative of its probabilities.

    $z + (\pi_\tau - \mathrm{stopgrad}(\pi_\tau))$ with $z \sim \mathrm{softmax}(\ell)$ and
    $\pi_\tau = \mathrm{softmax}(\ell/\tau)$, or with $z \sim \pi_\tau = p$ for given probabilities.
    The law of z depends on no temperature. Biased, but exact for linear functions of z at temperature 1.
    Source: Bengio, Léonard and Courville (2013), section 4.

    Args:
        logits: as for :func:`gumbel_softmax`; either these or ``probs``, by name.
        probs: probabilities that sum to one along ``dim``; 0 excludes a category.
        tau: of the backward pass, for ``logits`` alone; as for :func:`gumbel_softmax`.
        dim: where the categories lie.
        generator: as for :func:`gumbel_softmax`.
        mask: as for :func:`gumbel_softmax`, for ``logits`` alone.
        noise: as for :func:`gumbel_softmax`.

    Returns:
        One-hot, the shape of the argument (and ``noise``), in its dtype.

    Raises:
        TypeError: as :func:`gumbel_softmax`; neither or both of ``logits`` and ``probs``.
        ValueError: as :func:`gumbel_softmax`; ``probs`` that are negative or do not sum to one, or that come
            with a ``tau`` or a ``mask``.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> straight_through(probs=torch.tensor([0.2, 0.5, 0.3]), generator=generator).tolist()
        [0.0, 0.0, 1.0]
    """
    if (logits is None) == (probs is None):
        given = "neither" if logits is None else "both"
        raise TypeError(f"give logits or probs by name, got {given}")
    if probs is None:

        def path(checked: torch.Tensor, _: Any, tau: Any, __: Any) -> torch.Tensor:
            return concrete.soften(checked, tau)

        return _sample(path, logits, tau, dim, generator, mask, noise)
    if mask is not None or isinstance(tau, torch.Tensor) or tau != 1:
        extra, got = ("mask", "a mask") if mask is not None else ("tau", tau)
        refuse(extra, "come with logits, not with probs", got)
    dim = _check_probs(probs, dim)
    wide = widen(probs).movedim(dim, -1)
    gumbels = _noise_for(wide, _categories_last(noise, dim), generator, -1)
    sample = _one_hot(perturb(wide.detach().log(), gumbels))
    return carry(sample, wide).movedim(-1, dim).to(probs.dtype)


@_overridable
def reinmax(
    logits: torch.Tensor,
    tau: float | torch.Tensor = 1,
    dim: int = -1,
    *,
    generator: torch.Generator | None = None,
    mask: torch.Tensor | None = None,
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Draw a one-hot categorical sample with the derivative of ReinMax, exact for quadratics at ``tau`` 1.

    Backward, a slope g at the sample gives $2J(\bar\pi)g - \frac12J(\pi)g$ with
    $\bar\pi = \frac12\big(z + \mathrm{softmax}(\ell/\tau)\big)$ and
    $J(\pi) = \mathrm{diag}(\pi) - \pi\pi^\top$: Heun's rule for the differences of which the gradient is
    made. Biased for other functions.
    Source: Liu et al. (2023), algorithm 2.

    Args:
        logits: as for :func:`gumbel_softmax`.
        tau: at least 1, of the backward pass alone; as for :func:`gumbel_softmax`.
        dim: where the categories lie.
        generator: as for :func:`gumbel_softmax`.
        mask: as for :func:`gumbel_softmax`.
        noise: as for :func:`gumbel_softmax`.

    Returns:
        One-hot, the shape of ``logits`` (and ``noise``), in their dtype.

    Raises:
        TypeError, ValueError: as :func:`gumbel_softmax`; a ``tau`` below 1.

    Examples:
        >>> logits = torch.zeros(2, requires_grad=True)
        >>> sample = reinmax(logits, generator=torch.Generator().manual_seed(0))
        >>> (sample * torch.tensor([3.0, 1.0])).sum().backward()
        >>> logits.grad.tolist()  # that of the mean of a linear function, whatever the sample
        [0.5, -0.5]
    """

    def path(
        checked: torch.Tensor, sample: torch.Tensor, tau: Any, _: Any
    ) -> torch.Tensor:
        return reinmax_path(checked, sample, tau)

    return _sample(path, logits, tau, dim, generator, mask, noise, least=1.0)


@_overridable
def gumbel_rao(
    logits: torch.Tensor,
    tau: float | torch.Tensor = 1,
    dim: int = -1,
    *,
    num_inner: int = 10,
    generator: torch.Generator | None = None,
    mask: torch.Tensor | None = None,
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Draw a one-hot categorical sample with the derivative of Gumbel-Rao.

    Backward, $\frac1M\sum_m J_\tau(y_m)g$: the derivative of hard :func:`gumbel_softmax`, averaged over M
    relaxed samples whose noise is drawn given the winner z. As biased as that, and less noisy.
    Source: Paulus, Maddison and Krause (2021), equation 9 and appendix A.

    Args:
        logits: as for :func:`gumbel_softmax`.
        tau: as for :func:`gumbel_softmax`.
        dim: where the categories lie.
        num_inner: M, at least 1.
        generator: as for :func:`gumbel_softmax`.
        mask: as for :func:`gumbel_softmax`.
        noise: standard Gumbel noise of shape ``(1 + num_inner, *logits.shape)``: the first part draws z.

    Returns:
        One-hot, the shape and dtype of ``logits``.

    Raises:
        TypeError, ValueError: as :func:`gumbel_softmax`; ``num_inner`` below 1, ``noise`` of another shape.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> gumbel_rao(torch.zeros(3), 0.5, num_inner=100, generator=generator).tolist()
        [0.0, 0.0, 1.0]
    """
    num_inner = check_count(num_inner, "num_inner", 1)
    if isinstance(noise, torch.Tensor) and isinstance(logits, torch.Tensor):
        shape = (1 + num_inner, *logits.shape)
        if noise.shape != shape:
            refuse("noise", f"have shape {shape}", f"shape {tuple(noise.shape)}")

    def path(
        checked: torch.Tensor, sample: torch.Tensor, tau: Any, inner: Any
    ) -> torch.Tensor:
        return gumbel_rao_path(checked, sample, inner, tau)

    return _sample(path, logits, tau, dim, generator, mask, noise, inner=num_inner)


@_overridable
def gapped_straight_through(
    logits: torch.Tensor,
    tau: float | torch.Tensor = 1,
    dim: int = -1,
    *,
    gap: float = 1.0,
    generator: torch.Generator | None = None,
    mask: torch.Tensor | None = None,
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Draw a one-hot categorical sample with the derivative of the gapped straight-through estimator.

    The derivative of $\mathrm{softmax}((\ell + m_1 - m_2)/\tau)$ with $m_1 = (\max\ell - \ell_z)\,z$, which
    raises the drawn category to the largest logit, and $m_2 = (\ell + g - \max\ell)_+ (1 - z)$, which lowers
    every other until it lies at least ``gap`` below. No derivative flows through either. Biased.
    Source: Fan et al. (2022), section 4.

    Args:
        logits: as for :func:`gumbel_softmax`.
        tau: of the backward pass; as for :func:`gumbel_softmax`.
        dim: where the categories lie.
        gap: g, positive.
        generator: as for :func:`gumbel_softmax`.
        mask: as for :func:`gumbel_softmax`.
        noise: as for :func:`gumbel_softmax`.

    Returns:
        One-hot, the shape of ``logits`` (and ``noise``), in their dtype.

    Raises:
        TypeError, ValueError: as :func:`gumbel_softmax`; a ``gap`` that is not positive.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> gapped_straight_through(torch.zeros(3), generator=generator).tolist()
        [0.0, 0.0, 1.0]
    """
    check_positive(gap, "gap")

    def path(
        checked: torch.Tensor, sample: torch.Tensor, tau: Any, _: Any
    ) -> torch.Tensor:
        return gapped_path(checked, sample, tau, gap)

    return _sample(path, logits, tau, dim, generator, mask, noise)


class GumbelSoftmax(torch.nn.Module):
    r"""Gumbel-Softmax as a layer: relaxed or straight-through samples in training, exact ones in evaluation.

    In training mode ``forward`` is :func:`gumbel_softmax` with the layer's ``tau``, ``hard`` and ``dim``. In
    evaluation mode it draws exact one-hot categorical samples, whatever ``hard`` is: what comes after the
    layer is measured on what it will be used with. Where one answer is wanted and no draw, take
    :meth:`mode`; where the noise must be the same again, hand it in.

    Soft samples (``hard=False``) suit what takes points inside the simplex, and their gradient is the least
    biased at low temperature; take hard ones where the rest of the network, or its meaning, needs one
    category.

    ``tau`` is one of three:

    * a number: set ``layer.tau = 0.5`` whenever it changes;
    * a schedule, a function of the step, as :mod:`gumbel_tutorial.schedules` makes them: call
      :meth:`advance` after each optimiser step. The layer does not count its own calls, since gradients may
      be accumulated and a layer used twice;
    * learned (``learned=True``, from a number): the parameter is $\log\tau$, so that no step of an optimiser
      can make the temperature negative.

    The temperature is a tensor of the module's state and moves with it, and so does the step: a loaded
    layer continues where the saved one was. Compiled code takes a changed temperature without being
    compiled again.

    Args:
        tau: the temperature, positive, or a schedule.
        hard: one-hot samples in training too.
        dim: where the categories lie.
        learned: whether ``tau``, a number, is only the start of a learned one.

    Raises:
        TypeError: ``tau`` is neither a number nor a schedule, or a schedule that would be learned.
        ValueError: a temperature that is not positive.

    Examples:
        >>> layer = GumbelSoftmax(tau=lambda step: max(0.5, 1.0 - 0.1 * step), hard=True)
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 4), layer, torch.nn.Linear(4, 1))
        >>> net(torch.zeros(2, 8)).shape
        torch.Size([2, 1])
        >>> layer.advance()
        >>> layer
        GumbelSoftmax(tau=0.9, hard=True, dim=-1, step=1)
    """

    temperature: torch.Tensor
    step: torch.Tensor

    def __init__(
        self,
        tau: float | Callable[[int], float] = 1.0,
        hard: bool = False,
        dim: int = -1,
        *,
        learned: bool = False,
    ) -> None:
        """Set the temperature and how samples come out."""
        super().__init__()
        self.hard, self.dim = hard, dim
        self.schedule = tau if callable(tau) else None
        if learned and self.schedule is not None:
            raise TypeError("tau must be a number to be learned, got a schedule")
        start = _checked_number(self.schedule(0) if self.schedule else tau)
        if learned:
            self.log_temperature = torch.nn.Parameter(torch.tensor(start).log())
        else:
            self.register_buffer("temperature", torch.tensor(start))
        if self.schedule is not None:
            self.register_buffer("step", torch.tensor(0))

    @property
    def learned(self) -> bool:
        """Whether the temperature is a parameter."""
        return hasattr(self, "log_temperature")

    @property
    def tau(self) -> torch.Tensor:
        """The temperature that the next call takes, a tensor without axes; a number may be set."""
        return self.log_temperature.exp() if self.learned else self.temperature

    @tau.setter
    def tau(self, value: float) -> None:
        if self.schedule is not None:
            raise AttributeError("tau belongs to the schedule: advance() moves it")
        number = _checked_number(value)
        with torch.no_grad():
            if self.learned:
                self.log_temperature.fill_(math.log(number))
            else:
                self.temperature.fill_(number)

    def advance(self, steps: int = 1) -> None:
        """Move the schedule on, by one step of training unless told otherwise.

        Raises:
            AttributeError: the temperature follows no schedule.
            ValueError: ``steps`` is not a whole number of at least 0, or the schedule's next temperature
                is not positive.
        """
        if self.schedule is None:
            raise AttributeError("advance() needs a schedule, got a tau that has none")
        step = int(self.step) + check_count(steps, "steps", 0)
        self.temperature.fill_(_checked_number(self.schedule(step)))
        self.step.fill_(step)

    def forward(
        self,
        logits: torch.Tensor,
        *,
        generator: torch.Generator | None = None,
        mask: torch.Tensor | None = None,
        noise: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Draw a sample, in evaluation mode an exact one-hot one; arguments as :func:`gumbel_softmax`."""
        return gumbel_softmax(
            logits,
            self.tau,
            self.hard or not self.training,
            dim=self.dim,
            generator=generator,
            mask=mask,
            noise=noise,
        )

    def mode(
        self, logits: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the one-hot vector of the most probable category, what the layer gives without noise.

        Its index alone is ``gumbel_tutorial.mode(logits, mask)``.
        """
        working, dim = _checked_logits(logits, self.dim, mask)
        check_logits(working, axis=dim)
        return _one_hot(working.detach(), dim).to(logits.dtype)

    def extra_repr(self) -> str:
        """Return the settings, as they are given to the constructor."""
        shown = [f"tau={self.tau.item():.4g}", f"hard={self.hard}", f"dim={self.dim}"]
        if self.learned:
            shown.append("learned=True")
        if self.schedule is not None:
            shown.append(f"step={int(self.step)}")
        return ", ".join(shown)


def _checked_number(tau: Any) -> float:
    if not is_number(tau):
        kind = type(tau).__name__
        refuse("tau", "be a number or a schedule of the step", kind, TypeError)
    check_positive(tau, "tau", least=2.0**-126)
    return float(tau)


def _sample(
    path: Callable[[torch.Tensor, torch.Tensor, Any, Any], torch.Tensor],
    logits: Any,
    tau: Any,
    dim: int,
    generator: torch.Generator | None,
    mask: Any,
    noise: Any,
    *,
    least: float = 0.0,
    inner: int = 0,
) -> torch.Tensor:
    """Check the arguments, draw a one-hot sample and let it carry the derivative of the path.

    The path gets logits with their largest at 0 and categories last, the sample, the temperature and as
    much further noise as ``inner`` asks for, along a first axis.
    """
    working, dim = _checked_logits(logits, dim, mask)
    largest = check_logits(working, axis=dim)
    tau = _checked_tau(tau, working, dim, least=least)
    if isinstance(tau, torch.Tensor):
        sizes = list(working.shape)
        sizes[dim] = 1
        tau = tau.expand(sizes).movedim(dim, -1)
    below = (working - largest).movedim(dim, -1)
    noise = _categories_last(noise, dim)
    if noise is None or not inner:
        gumbels = _noise_for(below, noise, generator, -1)
        free = below.expand(inner, *below.shape)
        further = gumbel_like(free, generator=generator) if inner else None
    else:
        many = below.expand(1 + inner, *below.shape)
        both = _noise_for(many, noise, generator, -1)
        gumbels, further = both[0], both[1:]
    sample = _one_hot(below.detach() + gumbels)
    carried = carry(sample, path(below, sample, tau, further))
    return carried.movedim(-1, dim).to(logits.dtype)


def _categories_last(noise: Any, dim: int) -> Any:
    aligned = isinstance(noise, torch.Tensor) and noise.ndim >= -dim
    return noise.movedim(dim, -1) if aligned else noise


def _checked_logits(logits: Any, dim: Any, mask: Any) -> tuple[torch.Tensor, int]:
    """Return the masked logits in float32 at least, and their category axis counted from the end."""
    _check_dense(logits, "logits")
    dim = _category_dim(logits, dim, "logits")
    working = widen(logits)
    return (working if mask is None else _exclude(working, mask)), dim


def _check_dense(tensor: Any, name: str) -> None:
    if not isinstance(tensor, torch.Tensor):
        refuse(name, "be a torch tensor", type(tensor).__name__, TypeError)
    check_floating(tensor, name)


def _category_dim(tensor: torch.Tensor, dim: Any, name: str) -> int:
    """Return where the categories lie, counted from the end, where shapes are aligned."""
    if isinstance(dim, bool):
        refuse("dim", "be a whole number", dim, TypeError)
    try:
        index = operator.index(dim)
    except TypeError:
        refuse("dim", "be a whole number", dim, TypeError)
    axes = tensor.ndim
    if not -axes <= index < axes:
        shape = tuple(tensor.shape)
        requirement = f"name one of the {axes} axes of {name} of shape {shape}"
        refuse("dim", requirement, index)
    if not is_traced() and tensor.shape[index] == 0:
        got = f"shape {tuple(tensor.shape)}"
        refuse(name, f"have at least one category on dim {dim}", got)
    return index if index < 0 else index - axes


def _checked_tau(
    tau: Any, logits: torch.Tensor, dim: int, *, least: float = 0.0
) -> Any:
    """Return a positive temperature: a number, or a floating tensor that broadcasts to the logits."""
    if isinstance(
        tau, (torch.SymInt, torch.SymFloat)
    ):  # known only when traced code runs
        return torch.mul(logits.new_ones(()), tau)  # type: ignore[arg-type]
    if type(tau).__module__ == "numpy" and not is_number(tau):
        tau = torch.as_tensor(tau, device=logits.device)
    if isinstance(tau, torch.Tensor):
        require_dense("tau", tau)
        if tau.dtype.is_complex:
            refuse("tau", "have a real dtype", tau.dtype, TypeError)
        tau = tau if tau.dtype.is_floating_point else tau.to(logits.dtype)
    elif not is_number(tau):
        kind = type(tau).__name__
        refuse("tau", "be a number or a tensor", kind, TypeError)
    least = max(least, smallest_divisor(logits))
    check_temperature(tau, logits, "tau", axis=dim, least=least)
    if isinstance(tau, torch.Tensor):
        check_broadcasts_to(tau, "tau", logits)
    return tau


def _noise_for(
    logits: torch.Tensor, noise: Any, generator: torch.Generator | None, dim: int
) -> torch.Tensor:
    """Return the noise that is given, or as much as the logits need from the generator."""
    if noise is None:
        if generator is not None:
            _refuse_rerun()
        return gumbel_like(logits, generator=generator)
    if generator is not None:
        refuse("generator", "be None where noise is given", "both")
    _check_dense(noise, "noise")
    check_noise(noise, logits, axis=dim)
    _check_device(noise, "noise", logits)
    return noise


def _refuse_rerun() -> None:
    """Refuse a generator where activation checkpointing will run the caller again.

    Both of its kinds have the caller below a frame of torch.utils.checkpoint, and nothing else tells.
    """
    if torch.compiler.is_compiling() or "torch.utils.checkpoint" not in sys.modules:
        return
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == "torch.utils.checkpoint":
            raise ValueError(
                "generator must be None inside torch.utils.checkpoint, whose second run would draw other "
                "noise: draw the noise outside and give it as noise"
            )
        frame = frame.f_back


def _check_probs(probs: Any, dim: Any) -> int:
    """Require probabilities that sum to one, and return where the categories lie, from the end."""
    _check_dense(probs, "probs")
    dim = _category_dim(probs, dim, "probs")
    values = widen(probs.detach())
    check_probability(values, "probs")
    total = values.sum(dim)
    # K roundings of the dtype, and those of float32 in a float64 tensor that was float32 before.
    tolerance = max(torch.finfo(probs.dtype).eps, 2.0**-23) ** 0.5
    row = first_true((total - 1).abs() > tolerance)
    if row is not None:
        refuse("probs", "sum to one in every row", float(total[row]))
    return dim


def _one_hot(values: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """Return the one-hot vector of the largest entry along ``dim``, without a derivative."""
    values = values.detach()
    index = values.argmax(dim, keepdim=True)
    return torch.zeros_like(values).scatter(dim, index, 1.0)


def _exclude(logits: torch.Tensor, mask: Any) -> torch.Tensor:
    if not (isinstance(mask, torch.Tensor) and mask.dtype == torch.bool):
        kind = getattr(mask, "dtype", type(mask).__name__)
        refuse("mask", "be a boolean tensor", kind, TypeError)
    check_broadcasts_to(mask, "mask", logits)
    _check_device(mask, "mask", logits)
    return logits.masked_fill(~mask, -torch.inf)


def _check_device(tensor: torch.Tensor, name: str, logits: torch.Tensor) -> None:
    if tensor.device != logits.device:
        refuse(name, f"be on device {logits.device}", f"one on {tensor.device}")
