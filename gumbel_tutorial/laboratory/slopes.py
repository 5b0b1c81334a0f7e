r"""The matrices that a straight-through estimator applies to the slope at its sample, read off its draws."""

from dataclasses import dataclass
from typing import Any

import torch

from gumbel_tutorial.checks import check_count, check_torch_generator, refuse
from gumbel_tutorial.estimators.protocol import Estimator
from gumbel_tutorial.laboratory.measurement import gradients


@dataclass(frozen=True)
class SlopeTable:
    r"""What an estimator $A\nabla f(z)$ does to slopes.

    Attributes:
        mean: $\mathbb E[A\mid z = e_i]$, ``(K, K, K)``: winner, entry of the estimate, entry of the slope.
        error: standard errors of those means, 0 up to rounding where z decides on A.
        spread: the variance of A given the winner, the squares of its entries added up, ``(K,)``.
    """

    mean: torch.Tensor
    error: torch.Tensor
    spread: torch.Tensor

    def tolerance(self, probs: torch.Tensor, num_errors: float = 6.0) -> float:
        r"""Return what a residual of the order conditions may be by chance, at least 1e-10.

        A residual adds up two entries or K of independent parts of the table, each times the probability of
        its winner: twice the largest of these, and $\sqrt K$ times it, bound its standard error.

        Args:
            probs: $\pi$, shape ``(K,)``.
            num_errors: how many standard errors.
        """
        largest = (probs[:, None, None] * self.error).max().item()
        return max(1e-10, num_errors * max(2.0, len(probs) ** 0.5) * largest)


def slope_table(
    estimator: str | Estimator,
    logits: torch.Tensor,
    num_draws: int,
    *,
    generator: torch.Generator,
    **options: Any,
) -> SlopeTable:
    r"""Read off the matrices of an estimator $A\nabla f(z)$ by giving it the entries of z for losses.

    The loss $z_l$ has the slope $e_l$ everywhere, and its estimate is the column $Ae_l$. All K losses get the
    same draws.

    Args:
        estimator: as in :func:`~gumbel_tutorial.laboratory.measurement.gradients`.
        logits: shape ``(K,)``; the table is in float64.
        num_draws: enough for every category to come up twice.
        generator: draws the samples.
        **options: options of the estimator.

    Raises:
        ValueError: an estimator that takes its slope elsewhere than at one one-hot sample, or whose estimate
            is no linear function of the slope there; a category that came up less than twice.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> slope_table("straight_through", torch.zeros(2), 100, generator=generator).mean[1]
        tensor([[ 0.2500, -0.2500],
                [-0.2500,  0.2500]], dtype=torch.float64)
    """
    num_draws = check_count(num_draws, "num_draws", 2)
    if logits.ndim != 1:
        refuse("logits", "have shape (K,)", f"shape {tuple(logits.shape)}")
    check_torch_generator(generator, logits.device)
    logits, state = logits.detach().double(), generator.get_state()

    def estimates(slope: torch.Tensor, constant: float) -> _Drawn:
        generator.set_state(state)
        drawn = _Watched(slope, constant, (num_draws, len(logits)))
        more = {"generator": generator, **options}
        found = gradients(estimator, drawn, logits, num_draws, **more)
        return _Drawn(found, drawn.winners())

    eye = torch.eye(len(logits), dtype=logits.dtype, device=logits.device)
    columns = [estimates(slope, 0.0) for slope in eye]
    matrices = torch.stack([column.estimates for column in columns], -1)
    # Another slope, and a constant, of which nothing may be left.
    trial = torch.arange(1, len(logits) + 1).to(eye).sqrt()
    _check_linear(estimates(trial, 1.0).estimates, matrices @ trial)
    return _summary(matrices, columns[0].winners)


@dataclass(frozen=True)
class _Drawn:
    estimates: torch.Tensor
    winners: torch.Tensor


class _Watched:
    """An affine loss that keeps the samples at which it was asked for a slope."""

    def __init__(
        self, slope: torch.Tensor, constant: float, shape: tuple[int, ...]
    ) -> None:
        self._slope, self._constant, self._shape = slope, constant, shape
        self._samples: list[torch.Tensor] = []

    def __call__(self, sample: torch.Tensor) -> torch.Tensor:
        if sample.numel():
            self._samples.append(sample)
        return sample @ self._slope + self._constant

    def winners(self) -> torch.Tensor:
        """Return the index of each draw."""
        if [tuple(sample.shape) for sample in self._samples] != [self._shape]:
            shapes = [tuple(sample.shape) for sample in self._samples]
            refuse("estimator", "evaluate f once", f"samples of the shapes {shapes}")
        (sample,) = self._samples
        if not sample.requires_grad:
            refuse("estimator", "differentiate f at its sample", "values of f alone")
        hard = (sample == 0) | (sample == 1)
        if not hard.all():
            inside = sample[~hard.all(-1)][0].tolist()
            refuse("estimator", "take its slope at a one-hot sample", inside)
        return sample.argmax(-1)


def _check_linear(found: torch.Tensor, expected: torch.Tensor) -> None:
    # Of both, the size of what is added up; the rest is rounding.
    gap = (found - expected).abs().max() / (1 + expected.abs().max())
    if gap > 1e-9:
        refuse("estimator", "be linear in the slope", f"a gap of {gap.item():.2g}")


def _summary(matrices: torch.Tensor, winners: torch.Tensor) -> SlopeTable:
    means, errors, spreads = [], [], []
    for category in range(matrices.shape[-1]):
        given = matrices[winners == category]
        if len(given) < 2:
            refuse(
                "num_draws",
                "be enough for every category to come up twice",
                f"{len(given)} of category {category}",
            )
        variance = given.var(0)
        means.append(given.mean(0))
        errors.append((variance / len(given)).sqrt())
        spreads.append(variance.sum())
    return SlopeTable(torch.stack(means), torch.stack(errors), torch.stack(spreads))
