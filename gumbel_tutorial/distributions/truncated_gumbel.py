"""The Gumbel law truncated from above."""

from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.utils import broadcast_all

from gumbel_tutorial import gumbel
from gumbel_tutorial.arrays import cast, common_dtype, widen
from gumbel_tutorial.distributions import supports
from gumbel_tutorial.distributions.law import Law
from gumbel_tutorial.distributions.supports import require
from gumbel_tutorial.gumbel import unchecked
from gumbel_tutorial.noise import gumbel_like

# Above this bound, in scales over loc, a share below 1e-17 is cut away.
_FAR = 40.0


class TruncatedGumbel(Law):
    r"""Gumbel(loc $\mu$, scale $\beta$) given that it is at most ``upper``.

    The law of the losers of Gumbel-Max, whose winner lies at ``upper``. Bounds far in the lower tail do not
    overflow. Source: Maddison, Tarlow and Minka (2014), *A\* Sampling*.

    Args:
        loc: $\mu$, finite.
        scale: $\beta > 0$.
        upper: the bound u, above -inf; +inf truncates nothing.
        validate_args: whether parameters and values are read; torch's default when None.

    Raises:
        TypeError: a parameter is not floating.
        ValueError: a parameter outside its range.

    Examples:
        >>> law = TruncatedGumbel(0.0, 1.0, upper=-800.0)
        >>> law.log_prob(torch.tensor(-800.0, dtype=torch.float64)).item()
        800.0
        >>> law.mean.item()
        -800.0
    """

    arg_constraints: ClassVar = {
        "loc": supports.finite,
        "scale": supports.positive_finite,
        "upper": supports.above_minus_infinity,
    }
    has_rsample = True
    own_axes: ClassVar = {"loc": 0, "scale": 0, "upper": 0}

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        upper: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.loc, self.scale, self.upper = broadcast_all(loc, scale, upper)
        super().__init__(
            self.loc.shape,
            torch.Size(),
            validate_args,
            loc=self.loc,
            scale=self.scale,
            upper=self.upper,
        )

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> constraints.Constraint:
        """Numbers up to the bound, itself included."""
        return supports.AtMost(self.upper)

    def draw(self, shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        """Draw by :func:`gumbel_tutorial.gumbel.truncate`."""
        noise = gumbel_like(self.loc.expand(shape), generator=generator)
        return cast(self._of(gumbel.truncate, noise), self.loc.dtype)

    def _of(self, function: Any, value: Tensor) -> Tensor:
        """Return the formula of a function at a value, in float32 at least and rounded once."""
        given = (widen(x) for x in (value, self.upper, self.loc, self.scale))
        return cast(unchecked(function)(*given), common_dtype(value, self.loc))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density, :func:`gumbel_tutorial.gumbel.truncated_log_density`."""
        if self._validate_args:
            self._validate_sample(value)
        return self._of(gumbel.truncated_log_density, value)

    def log_cdf(self, value: Tensor) -> Tensor:
        r"""Return $\log\Pr(X \le x)$; 0 above the bound."""
        if self._validate_args:
            self.check_shape(value)
            require(constraints.real, value, "value")
        return self._of(gumbel.truncated_log_cdf, value)

    def cdf(self, value: Tensor) -> Tensor:
        r"""Return $\Pr(X \le x)$."""
        return self.log_cdf(value).exp()

    def sf(self, value: Tensor) -> Tensor:
        r"""Return $\Pr(X > x)$."""
        return 0 - self.log_cdf(value).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """Return the p-quantile."""
        self.check_prob(value)
        return self._of(gumbel.truncated_quantile, value)

    @property
    def mode(self) -> Tensor:
        """The lesser of ``loc`` and ``upper``."""
        return torch.minimum(self.loc, self.upper)

    @property
    def mean(self) -> Tensor:
        r"""$u - \beta\,\mathbb E[\log(1 + e^{b - G})]$, $b = (u - \mu)/\beta$; to rounding."""
        near = self.upper - self.scale * self._gap_moments()[0]
        return torch.where(
            self._far, unchecked(gumbel.mean)(self.loc, self.scale), near
        )

    @property
    def variance(self) -> Tensor:
        r"""$\beta^2\,\mathrm{Var}[\log(1 + e^{b - G})]$; to rounding."""
        near = self.scale**2 * self._gap_moments()[1]
        return torch.where(
            self._far, unchecked(gumbel.variance)(self.loc, self.scale), near
        )

    def entropy(self) -> Tensor:
        r"""Return $1 + \log\beta + (\mathbb E[X] - \mu)/\beta$."""
        return 1 + self.scale.log() + (self.mean - self.loc) / self.scale

    @property
    def _far(self) -> Tensor:
        return self.upper - self.loc > _FAR * self.scale

    def _gap_moments(self) -> tuple[Tensor, Tensor]:
        """Return mean and variance of (u - X) / beta = log(1 + e^(b - G)), for bounds that are not far."""
        bound = widen((self.upper - self.loc) / self.scale)
        bound = torch.where(self._far, 0.0, bound)
        points, weights = _rule(bound.dtype, bound.device)
        gaps = torch.nn.functional.softplus(bound[..., None] - points, threshold=50)
        mean = (gaps * weights).sum(-1)
        variance = ((gaps - mean[..., None]) ** 2 * weights).sum(-1)
        return cast(mean, self.loc.dtype), cast(variance, self.loc.dtype)


@cache
def _rule(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return points and weights of the trapezoidal rule for expectations under the standard law.

    What is integrated is analytic up to an imaginary part of pi/2, so the error is about
    e^(-pi^2 / 0.25) = 7e-18; beyond the ends lies less.
    """
    points = torch.arange(-4.0, _FAR + 2, 0.25, dtype=torch.float64)
    weights = 0.25 * gumbel.density(points)
    return points.to(device, dtype), weights.to(device, dtype)
