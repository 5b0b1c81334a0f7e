"""The categorical law, drawn by Gumbel-Max."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Categorical, constraints, register_kl

from gumbel_tutorial.arrays import argmax, perturb
from gumbel_tutorial.distributions import supports
from gumbel_tutorial.distributions.law import CategoricalLaw, categorical_kl
from gumbel_tutorial.noise import gumbel_like


class GumbelMax(CategoricalLaw):
    r"""The categorical law $\pi = \mathrm{softmax}(\ell)$ on 0 ... K-1, drawn as $\arg\max_i(\ell_i + G_i)$.

    Takes the place of ``torch.distributions.Categorical``: exact for shares of the probability down to
    $2^{-53}$, in half precision, from a generator, and with excluded categories. A draw takes K numbers of
    noise; for many draws from one row, :func:`gumbel_tutorial.categorical.inverse_cdf_sample` takes one.

    Args:
        probs: weights of the categories, shape ``(..., K)``, which need not sum to one.
        logits: given in place of ``probs``, shape ``(..., K)``; -inf excludes a category.
        validate_args: whether parameters and values are read; torch's default when None.

    Raises:
        TypeError: the parameter is not floating.
        ValueError: both or neither are given; NaN, +inf, a negative weight, a row without an open category.

    Examples:
        >>> law = GumbelMax(torch.tensor([0.6, 0.3, 0.1]))
        >>> law.sample((4,), generator=torch.Generator().manual_seed(0)).shape
        torch.Size([4])
        >>> round(law.log_prob(torch.tensor(1)).exp().item(), 4)
        0.3
    """

    arg_constraints: ClassVar = {"probs": supports.simplex, "logits": supports.logits}
    has_enumerate_support = True

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = self.take(probs, logits)
        super().__init__(self.param_shape[:-1], torch.Size(), validate_args, **given)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> constraints.Constraint:
        """The categories 0 ... K-1, excluded ones included."""
        return constraints.integer_interval(0, self.param_shape[-1] - 1)

    def draw(self, shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        """Draw the category of the largest perturbed logit."""
        logits = self.unnormalised.expand(shape + self.param_shape[-1:])
        return argmax(perturb(logits, gumbel_like(logits, generator=generator)))

    def log_prob(self, value: Tensor) -> Tensor:
        r"""Return $\log\pi_i$, -inf for an excluded category."""
        if self._validate_args:
            self._validate_sample(value)
        batch = torch.broadcast_shapes(value.shape, self._batch_shape)
        log_probs = self.logits.expand(batch + self.param_shape[-1:])
        index = value.long().expand(batch)[..., None]
        return log_probs.gather(-1, index)[..., 0]

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return the categories on a new first axis; torch's contract says what ``expand`` does."""
        categories = torch.arange(self.param_shape[-1], device=self.unnormalised.device)
        categories = categories.reshape(-1, *[1] * len(self._batch_shape))
        return categories.expand(-1, *self._batch_shape) if expand else categories

    @property
    def mode(self) -> Tensor:
        """The most probable category, the first of those that tie."""
        return argmax(self.unnormalised)

    @property
    def mean(self) -> Tensor:
        """NaN, as torch's, since categories are names and have no mean."""
        return torch.full_like(self.unnormalised[..., 0], torch.nan)

    @property
    def variance(self) -> Tensor:
        """NaN, as :attr:`mean`."""
        return self.mean

    def entropy(self) -> Tensor:
        r"""Return $-\sum_i \pi_i\log\pi_i$."""
        return self.categorical_entropy()


for _pair in (
    (GumbelMax, GumbelMax),
    (GumbelMax, Categorical),
    (Categorical, GumbelMax),
):
    register_kl(*_pair)(categorical_kl)
