"""The Concrete law of a relaxed one-hot vector, on the simplex and in logarithms."""

from typing import ClassVar

import torch
from torch import Tensor

from gumbel_tutorial.arrays import cast, common_dtype, perturb, widen
from gumbel_tutorial.checks import refuse
from gumbel_tutorial.concrete import exp_concrete_log_density, log_soften, soften
from gumbel_tutorial.distributions import supports
from gumbel_tutorial.distributions.law import CategoricalLaw
from gumbel_tutorial.noise import gumbel_like


class RelaxedCategory(CategoricalLaw):
    """What the two laws of a relaxed one-hot vector share: parameters, noise and the law of log y."""

    arg_constraints: ClassVar = {
        "temperature": supports.positive_finite,
        "probs": supports.open_simplex,
        "logits": supports.finite_logits,
    }
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = self.take(probs, logits)
        self.temperature = torch.as_tensor(
            temperature,
            dtype=None if isinstance(temperature, Tensor) else self.unnormalised.dtype,
            device=self.unnormalised.device,
        )
        if self.temperature.ndim and self.temperature.shape[-1] != 1:
            refuse(
                "temperature",
                "have size 1 on its last axis",
                f"shape {tuple(self.temperature.shape)}",
            )
        batch_shape = torch.broadcast_shapes(
            self.param_shape[:-1], self.temperature.shape[:-1]
        )
        full_shape = batch_shape + self.param_shape[-1:]
        self.unnormalised = self.unnormalised.expand(full_shape)
        if logits is None:
            self.probs = self.probs.expand(full_shape)
        super().__init__(
            batch_shape,
            self.param_shape[-1:],
            validate_args,
            temperature=self.temperature,
            **given,
        )

    def perturb(self, shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        """Draw perturbed logits, in float32 at least."""
        noise = gumbel_like(self.unnormalised.expand(shape), generator=generator)
        return perturb(self.unnormalised, noise)

    def log_density(self, log_relaxed: Tensor) -> Tensor:
        """Return the log-density of log y in float32 at least, unchecked."""
        return exp_concrete_log_density(
            log_relaxed, widen(self.unnormalised), widen(self.temperature)
        )

    def rounded(self, result: Tensor, value: Tensor) -> Tensor:
        """Return a result in the dtype that a value and the logits share."""
        return cast(result, common_dtype(value, self.unnormalised))


class ExpRelaxedCategorical(RelaxedCategory):
    r"""The law of $\log y$ for a relaxed one-hot vector $y = \mathrm{softmax}((\ell + G)/\tau)$.

    Finite where y itself rounds to 0: the one to take at low temperature. The density is with respect to
    $dx_1 \cdots dx_{K-1}/y_K$. Source: Maddison, Mnih and Teh (2017), appendix C.3.

    Args:
        temperature: $\tau > 0$, a number, a tensor without axes, or one per row, of shape ``(..., 1)``, whose
            other axes broadcast with the batch.
        probs: positive weights of the categories, shape ``(..., K)``, which need not sum to one.
        logits: given in place of ``probs``, finite.
        validate_args: whether parameters and values are read; torch's default when None.

    Raises:
        TypeError: a parameter is not floating.
        ValueError: both or neither of ``probs`` and ``logits`` are given; a parameter outside its range;
            a temperature of another shape.

    Examples:
        >>> law = ExpRelaxedCategorical(0.05, logits=torch.zeros(3, 10))
        >>> draws = law.rsample((1000,), generator=torch.Generator().manual_seed(0))
        >>> bool(law.log_prob(draws).isfinite().all())
        True
    """

    support = supports.log_simplex

    def draw(self, shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        """Draw log y, held above the most negative number of the dtype."""
        log_relaxed = log_soften(self.perturb(shape, generator), self.temperature)
        log_relaxed = cast(log_relaxed, self.unnormalised.dtype)
        least = torch.finfo(log_relaxed.dtype).min
        return supports.round_inside(log_relaxed, least, 0.0)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density of log y, :func:`gumbel_tutorial.concrete.log_density_in_log_space`."""
        if self._validate_args:
            self._validate_sample(value)
        return self.rounded(self.log_density(widen(value)), value)


class RelaxedOneHotCategorical(RelaxedCategory):
    r"""The Concrete or Gumbel-Softmax law of $y = \mathrm{softmax}((\ell + G)/\tau)$ on the simplex.

    An entry that rounds to 0, where the density is 0 or infinite, is drawn as the smallest positive normal
    number in its place, as :func:`gumbel_tutorial.noise.uniform` rounds into (0, 1): every draw lies inside
    the simplex and has a finite density, that of the rounded point. At low temperature, where many entries
    round so, take :class:`ExpRelaxedCategorical`, which loses nothing.
    Source: Maddison, Mnih and Teh (2017); Jang, Gu and Poole (2017).

    Arguments and errors are those of :class:`ExpRelaxedCategorical`.

    Examples:
        >>> law = RelaxedOneHotCategorical(0.5, torch.tensor([0.6, 0.3, 0.1]))
        >>> law.rsample((5,), generator=torch.Generator().manual_seed(0)).sum(-1).round(decimals=4)
        tensor([1., 1., 1., 1., 1.])
        >>> rows = RelaxedOneHotCategorical(torch.ones(4, 1), logits=torch.zeros(4, 3))
        >>> rows.log_prob(torch.full((4, 3), 1 / 3)).shape  # torch's has shape (4, 4)
        torch.Size([4])
    """

    support = supports.open_simplex

    def draw(self, shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        """Draw y, rounded into the open simplex."""
        relaxed = soften(self.perturb(shape, generator), self.temperature)
        relaxed = cast(relaxed, self.unnormalised.dtype)
        least = supports.smallest_positive(relaxed.dtype)
        return supports.round_inside(relaxed, least, 1.0)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density of y, :func:`gumbel_tutorial.concrete.log_density`."""
        if self._validate_args:
            self._validate_sample(value)
        log_relaxed = widen(value).log()
        density = self.log_density(log_relaxed) - log_relaxed.sum(-1)
        return self.rounded(density, value)
