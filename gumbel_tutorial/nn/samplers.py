"""Exact one-hot samples in torch that differ in the derivative that they send back.

The functions whose names end in ``_path`` are the formulas: they check nothing, and take logits of float32 at
least whose categories lie last, the largest at 0.
"""

from collections.abc import Callable
from typing import Any

import torch

from gumbel_tutorial import concrete, gumbel_max
from gumbel_tutorial.arrays import finite_or_zero, perturb, widen
from gumbel_tutorial.checks import check_count, check_logits, check_positive, refuse
from gumbel_tutorial.nn.arguments import (
    categories_last,
    check_probs,
    checked_logits,
    checked_tau,
    noise_for,
)
from gumbel_tutorial.nn.hard import carry, one_hot, overridable
from gumbel_tutorial.noise import gumbel_like


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


@overridable
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
    Source: Hinton (2012), lecture 15b; Bengio, Léonard and Courville (2013), section 4: both pass the
    derivative on as if the threshold were the identity; the Jacobian of softmax is the form for categories.

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
    dim = check_probs(probs, dim)
    wide = widen(probs).movedim(dim, -1)
    gumbels = noise_for(wide, categories_last(noise, dim), generator, -1)
    sample = one_hot(perturb(wide.detach().log(), gumbels))
    return carry(sample, wide).movedim(-1, dim).to(probs.dtype)


@overridable
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


@overridable
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


@overridable
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
    working, dim = checked_logits(logits, dim, mask)
    largest = check_logits(working, axis=dim)
    tau = checked_tau(tau, working, dim, least=least)
    if isinstance(tau, torch.Tensor):
        sizes = list(working.shape)
        sizes[dim] = 1
        tau = tau.expand(sizes).movedim(dim, -1)
    below = (working - largest).movedim(dim, -1)
    noise = categories_last(noise, dim)
    if noise is None or not inner:
        gumbels = noise_for(below, noise, generator, -1)
        free = below.expand(inner, *below.shape)
        further = gumbel_like(free, generator=generator) if inner else None
    else:
        many = below.expand(1 + inner, *below.shape)
        both = noise_for(many, noise, generator, -1)
        gumbels, further = both[0], both[1:]
    sample = one_hot(below.detach() + gumbels)
    carried = carry(sample, path(below, sample, tau, further))
    return carried.movedim(-1, dim).to(logits.dtype)
