"""The Gumbel law."""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Gumbel as TorchGumbel
from torch.distributions import Normal, constraints, register_kl
from torch.distributions.utils import broadcast_all

from gumbel_tutorial import gumbel
from gumbel_tutorial.arrays import cast, common_dtype, log_gamma, widen
from gumbel_tutorial.distributions import supports
from gumbel_tutorial.distributions.law import Law
from gumbel_tutorial.gumbel import unchecked
from gumbel_tutorial.noise import gumbel_like


class Gumbel(Law):
    r"""Gumbel(loc $\mu$, scale $\beta$), the law of a maximum: $F(x) = \exp(-e^{-(x-\mu)/\beta})$.

    The functions are those of :mod:`gumbel_tutorial.gumbel`: digits are kept in both tails, and draws reach
    as far as 53 bits do.

    Args:
        loc: $\mu$, finite.
        scale: $\beta > 0$.
        validate_args: whether parameters and values are read; torch's default when None.

    Raises:
        TypeError: a parameter is not floating.
        ValueError: ``loc`` is not finite, or ``scale`` is not positive.

    Examples:
        >>> law = Gumbel(0.0, 1.0)
        >>> law.sf(torch.tensor(40.0, dtype=torch.float64)).item()
        4.248354255291589e-18
        >>> round(law.mean.item(), 4)
        0.5772
    """

    arg_constraints: ClassVar = {
        "loc": supports.finite,
        "scale": supports.positive_finite,
    }
    support = constraints.real
    has_rsample = True
    own_axes: ClassVar = {"loc": 0, "scale": 0}

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(
            self.loc.shape,
            torch.Size(),
            validate_args,
            loc=self.loc,
            scale=self.scale,
        )

    def draw(self, shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        r"""Draw $\mu + \beta G$."""
        noise = gumbel_like(self.loc.expand(shape), generator=generator)
        return cast(self.loc + self.scale * noise, self.loc.dtype)

    def _of(self, function: Any, value: Tensor) -> Tensor:
        """Return the formula of a function at a value, in float32 at least and rounded once."""
        given = (widen(x) for x in (value, self.loc, self.scale))
        return cast(unchecked(function)(*given), common_dtype(value, self.loc))

    def _at(self, function: Any, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return self._of(function, value)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density, :func:`gumbel_tutorial.gumbel.log_density`."""
        return self._at(gumbel.log_density, value)

    def cdf(self, value: Tensor) -> Tensor:
        r"""Return $\Pr(G \le x)$."""
        return self._at(gumbel.cdf, value)

    def log_cdf(self, value: Tensor) -> Tensor:
        r"""Return $\log\Pr(G \le x)$."""
        return self._at(gumbel.log_cdf, value)

    def sf(self, value: Tensor) -> Tensor:
        r"""Return $\Pr(G > x)$, with all its digits where it is small."""
        return self._at(gumbel.survival, value)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the p-quantile."""
        self.check_prob(value)
        return self._of(gumbel.quantile, value)

    def isf(self, value: Tensor) -> Tensor:
        r"""Return the x with $\Pr(G > x) = q$, with all its digits where q is small."""
        self.check_prob(value)
        return self._of(gumbel.upper_quantile, value)

    @property
    def mean(self) -> Tensor:
        r"""$\mu + \gamma\beta$."""
        return unchecked(gumbel.mean)(self.loc, self.scale)

    @property
    def mode(self) -> Tensor:
        r"""$\mu$."""
        return self.loc

    @property
    def median(self) -> Tensor:
        r"""$\mu - \beta\log\log 2$."""
        return unchecked(gumbel.median)(self.loc, self.scale)

    @property
    def variance(self) -> Tensor:
        r"""$\pi^2\beta^2/6$."""
        return unchecked(gumbel.variance)(self.loc, self.scale)

    def entropy(self) -> Tensor:
        r"""Return $\log\beta + \gamma + 1$."""
        return unchecked(gumbel.entropy)(self.loc, self.scale)


@register_kl(Gumbel, Gumbel)
@register_kl(Gumbel, TorchGumbel)
@register_kl(TorchGumbel, Gumbel)
def _kl(law: Any, other: Any) -> Tensor:
    # With r = beta / beta' and s = (mu - mu') / beta':
    # -log r + gamma (r - 1) + s + Gamma(1 + r) e^-s - 1.
    ratio, shift = law.scale / other.scale, (law.loc - other.loc) / other.scale
    unequal = (log_gamma(1 + ratio) - shift).expm1()
    return (ratio - 1) * gumbel.mean() - ratio.log() + shift + unequal


@register_kl(Gumbel, Normal)
def _kl_to_normal(law: Gumbel, normal: Normal) -> Tensor:
    cross = -normal.log_prob(law.mean) + law.variance / (2 * normal.variance)
    return cross - law.entropy()
