"""The Concrete law of a relaxed bit, in (0, 1) and as a logit."""

from math import pi
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions.utils import broadcast_all, lazy_property

from gumbel_tutorial.arrays import cast, common_dtype, widen
from gumbel_tutorial.concrete import binary_concrete_log_density, binary_scale, sigmoid
from gumbel_tutorial.distributions import supports
from gumbel_tutorial.distributions.law import Law, exactly_one
from gumbel_tutorial.noise import logistic_like


class RelaxedBit(Law):
    """What the two laws of a relaxed bit share: parameters, noise and the law of the logit."""

    arg_constraints: ClassVar = {
        "temperature": supports.positive_finite,
        "probs": supports.open_unit_interval,
        "logits": supports.finite,
    }
    has_rsample = True
    own_axes: ClassVar = {"temperature": 0, "probs": 0, "logits": 0}

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        name, value = exactly_one(probs=probs, logits=logits)
        self.temperature, value = broadcast_all(temperature, value)
        setattr(self, name, value)
        super().__init__(
            value.shape,
            torch.Size(),
            validate_args,
            temperature=self.temperature,
            **{name: value},
        )

    @lazy_property
    def logits(self) -> Tensor:
        r"""$\log\frac{\pi}{1 - \pi}$."""
        return self.probs.logit()

    @lazy_property
    def probs(self) -> Tensor:
        """Probability of a 1."""
        return self.logits.sigmoid()

    @property
    def param_shape(self) -> torch.Size:
        """Shape of the logits and the probabilities."""
        return self.temperature.shape

    def draw_logit(
        self, shape: torch.Size, generator: torch.Generator | None
    ) -> Tensor:
        """Draw x in float32 at least."""
        noise = logistic_like(self.logits.expand(shape), generator=generator)
        return binary_scale(self.logits, noise, widen(self.temperature))

    def log_density(self, relaxed_logit: Tensor) -> Tensor:
        """Return the log-density of x in float32 at least, unchecked."""
        return binary_concrete_log_density(
            relaxed_logit, widen(self.logits), widen(self.temperature)
        )

    def rounded(self, result: Tensor, value: Tensor) -> Tensor:
        """Return a result in the dtype that a value and the logits share."""
        return cast(result, common_dtype(value, self.logits))

    def log_odds(self, relaxed_logit: Tensor) -> Tensor:
        r"""Return the logit of the distribution function, $\tau x - \ell$."""
        return self.temperature * relaxed_logit - widen(self.logits)

    def quantile_logit(self, prob: Tensor) -> Tensor:
        """Return the p-quantile of x: that of the noise, relaxed."""
        return binary_scale(self.logits, widen(prob).logit(), self.temperature)


class LogitRelaxedBernoulli(RelaxedBit):
    r"""The law of $x = (\ell + L)/\tau$ with logistic $L$, the logit of a relaxed bit.

    A logistic law of location $\ell/\tau$ and scale $1/\tau$. It saturates nowhere, and its derivative in the
    logit is $1/\tau$ for logits of any size. Source: Maddison, Mnih and Teh (2017), appendix B.

    Args:
        temperature: $\tau > 0$, a number or a tensor that broadcasts with the other parameter.
        probs: probability of a 1, in (0, 1).
        logits: given in place of ``probs``, $\ell = \log\frac{\pi}{1 - \pi}$, finite.
        validate_args: whether parameters and values are read; torch's default when None.

    Raises:
        TypeError: a parameter is not floating.
        ValueError: both or neither of ``probs`` and ``logits`` are given; a parameter outside its range.

    Examples:
        >>> law = LogitRelaxedBernoulli(0.5, logits=torch.tensor(100.0))
        >>> round(law.log_prob(torch.tensor(0.0)).item(), 4)  # torch's is -inf
        -100.6931
    """

    support = supports.finite

    def draw(self, shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        """Draw x."""
        relaxed_logit = self.draw_logit(shape, generator)
        bounds = torch.finfo(self.logits.dtype)
        return supports.round_inside(
            cast(relaxed_logit, self.logits.dtype), bounds.min, bounds.max
        )

    def log_prob(self, value: Tensor) -> Tensor:
        r"""Return the log-density, :func:`gumbel_tutorial.concrete.binary_log_density_in_logit_space`."""
        if self._validate_args:
            self._validate_sample(value)
        return self.rounded(self.log_density(widen(value)), value)

    def cdf(self, value: Tensor) -> Tensor:
        r"""Return $\Pr(X \le x) = \mathrm{sigmoid}(\tau x - \ell)$."""
        if self._validate_args:
            self._validate_sample(value)
        return self.rounded(self.log_odds(widen(value)).sigmoid(), value)

    def sf(self, value: Tensor) -> Tensor:
        r"""Return $\Pr(X > x) = \mathrm{sigmoid}(\ell - \tau x)$."""
        if self._validate_args:
            self._validate_sample(value)
        return self.rounded((-self.log_odds(widen(value))).sigmoid(), value)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the p-quantile."""
        self.check_prob(value)
        return self.rounded(self.quantile_logit(value), value)

    @property
    def mean(self) -> Tensor:
        r"""$\ell/\tau$."""
        return self.logits / self.temperature

    @property
    def mode(self) -> Tensor:
        r"""$\ell/\tau$."""
        return self.mean

    @property
    def variance(self) -> Tensor:
        r"""$\pi^2/(3\tau^2)$."""
        return pi**2 / 3 / self.temperature**2

    def entropy(self) -> Tensor:
        r"""Return $2 - \log\tau$."""
        return 2 - self.temperature.log()


class RelaxedBernoulli(RelaxedBit):
    r"""The law of a relaxed bit $y = \mathrm{sigmoid}((\ell + L)/\tau)$ in (0, 1).

    A draw that rounds to 0 or 1 is the nearest number inside in its place, and keeps its derivative: every
    draw has a finite density, that of the rounded point. Where many round so, take
    :class:`LogitRelaxedBernoulli`, which loses nothing.
    Source: Maddison, Mnih and Teh (2017), appendix B.

    Arguments and errors are those of :class:`LogitRelaxedBernoulli`.

    Examples:
        >>> law = RelaxedBernoulli(1.0, 0.5)  # uniform
        >>> law.log_prob(torch.tensor([0.25, 0.5])).round(decimals=4).abs()
        tensor([0., 0.])
        >>> law.cdf(torch.tensor(0.25)).item()
        0.25
    """

    support = supports.open_unit_interval

    def draw(self, shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        """Draw y, rounded into the open interval."""
        relaxed = sigmoid(self.draw_logit(shape, generator))
        return self._inside(cast(relaxed, self.logits.dtype))

    def _inside(self, relaxed: Tensor) -> Tensor:
        dtype = relaxed.dtype
        largest = 1 - torch.finfo(dtype).eps / 2
        return supports.round_inside(
            relaxed, supports.smallest_positive(dtype), largest
        )

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density of y, :func:`gumbel_tutorial.concrete.binary_log_density`."""
        if self._validate_args:
            self._validate_sample(value)
        wide = widen(value)
        log_one, log_zero = wide.log(), (-wide).log1p()
        density = self.log_density(log_one - log_zero) - log_one - log_zero
        return self.rounded(density, value)

    def cdf(self, value: Tensor) -> Tensor:
        r"""Return $\Pr(Y \le y)$."""
        if self._validate_args:
            self._validate_sample(value)
        return self.rounded(self.log_odds(widen(value).logit()).sigmoid(), value)

    def sf(self, value: Tensor) -> Tensor:
        r"""Return $\Pr(Y > y)$."""
        if self._validate_args:
            self._validate_sample(value)
        return self.rounded((-self.log_odds(widen(value).logit())).sigmoid(), value)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the p-quantile."""
        self.check_prob(value)
        return self.rounded(sigmoid(self.quantile_logit(value)), value)
