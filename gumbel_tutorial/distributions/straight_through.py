"""One-hot draws with the derivative of relaxed ones."""

import torch
from torch import Tensor
from torch.distributions import constraints, register_kl

from gumbel_tutorial.arrays import argmax, cast, one_hot
from gumbel_tutorial.concrete import soften
from gumbel_tutorial.distributions.law import categorical_kl
from gumbel_tutorial.distributions.relaxed_categorical import RelaxedCategory


class OneHotStraightThrough(RelaxedCategory):
    r"""The categorical law on one-hot vectors, whose ``rsample`` has the derivative of the relaxed draw.

    The value is exactly one-hot, $\mathrm{onehot}(\arg\max_i(\ell_i + G_i))$, and backwards it is
    $\mathrm{softmax}((\ell + G)/\tau)$: a biased estimate of low variance. The log-probability is that of the
    one-hot vector, linear in it, whether or not the tensor was copied since it was drawn.
    Source: Jang, Gu and Poole (2017), section 2.2.

    Arguments and errors are those of :class:`ExpRelaxedCategorical`; every temperature gives the same law.

    Examples:
        >>> law = OneHotStraightThrough(0.5, torch.tensor([0.6, 0.3, 0.1]))
        >>> draw = law.rsample(generator=torch.Generator().manual_seed(0)).clone()
        >>> sorted(draw.tolist()), bool(law.log_prob(draw).isfinite())
        ([0.0, 0.0, 1.0], True)
    """

    support = constraints.one_hot
    has_enumerate_support = True

    def draw(self, shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        """Draw a one-hot vector; the difference of the relaxed one to itself is 0 but for its derivative."""
        perturbed = self.perturb(shape, generator)
        relaxed = cast(soften(perturbed, self.temperature), self.unnormalised.dtype)
        # Not of the relaxed draw: where that is rounded its largest entries tie, the more the warmer it is.
        hard = one_hot(argmax(perturbed), shape[-1], dtype=relaxed.dtype)
        return hard + (relaxed - relaxed.detach())

    def log_prob(self, value: Tensor) -> Tensor:
        r"""Return $\sum_i y_i\log\pi_i$."""
        if self._validate_args:
            self._validate_sample(value)
        return (value * self.logits).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return the corners of the simplex on a new first axis."""
        num_categories = self.param_shape[-1]
        corners = torch.eye(
            num_categories,
            dtype=self.unnormalised.dtype,
            device=self.unnormalised.device,
        )
        corners = corners.reshape(
            num_categories, *[1] * len(self._batch_shape), num_categories
        )
        shape = (num_categories, *self._batch_shape, num_categories)
        return corners.expand(shape) if expand else corners

    @property
    def mean(self) -> Tensor:
        r"""$\pi$."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """The most probable corner."""
        index = argmax(self.unnormalised)
        return one_hot(index, self.param_shape[-1], dtype=self.unnormalised.dtype)

    @property
    def variance(self) -> Tensor:
        r"""$\pi_i(1 - \pi_i)$."""
        return self.probs * (1 - self.probs)

    def entropy(self) -> Tensor:
        r"""Return $-\sum_i \pi_i\log\pi_i$."""
        return self.categorical_entropy()


register_kl(OneHotStraightThrough, OneHotStraightThrough)(categorical_kl)
