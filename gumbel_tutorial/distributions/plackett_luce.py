"""The law of an ordered sample without replacement."""

from itertools import permutations
from math import perm
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from gumbel_tutorial.arrays import cast, perturb, top_k, widen
from gumbel_tutorial.checks import check_count, refuse
from gumbel_tutorial.distributions import supports
from gumbel_tutorial.distributions.law import CategoricalLaw
from gumbel_tutorial.gumbel_max import plackett_luce_log_prob
from gumbel_tutorial.noise import gumbel_like

_MOST = 1_000_000


class PlackettLuce(CategoricalLaw):
    r"""The law of Plackett and Luce: k categories in their order, without replacement.

    $\prod_{j=1}^{k} \pi_{i_j} \big/ \big(1 - \sum_{m<j} \pi_{i_m}\big)$, drawn as the k largest of
    $\ell_i + G_i$. Source: Yellott (1977); Kool, van Hoof and Welling (2019), section 3.

    Args:
        logits: shape ``(..., K)``; -inf excludes a category.
        k: how many are drawn, in 1 ... K; all K, a full ranking, when None.
        validate_args: whether parameters and values are read; torch's default when None.

    Raises:
        TypeError: ``logits`` is not floating.
        ValueError: NaN, +inf, a row with fewer than ``k`` open categories, ``k`` outside 1 ... K.

    Examples:
        >>> law = PlackettLuce(torch.tensor([0.6, 0.3, 0.1]).log(), k=2)
        >>> round(law.log_prob(torch.tensor([1, 0])).exp().item(), 4)  # 0.3 * 0.6 / 0.7
        0.2571
        >>> law.mode.tolist()
        [0, 1]
    """

    arg_constraints: ClassVar = {"logits": supports.logits}
    has_enumerate_support = True

    def __init__(
        self,
        logits: Tensor,
        k: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = self.take(None, logits)
        num_categories = logits.shape[-1]
        self.k = num_categories if k is None else check_count(k, "k", 1)
        if self.k > num_categories:
            refuse("k", f"be at most the {num_categories} categories", k)
        super().__init__(
            logits.shape[:-1], torch.Size((self.k,)), validate_args, **given
        )
        if self._validate_args:
            supports.require(supports.OpenCategories(self.k), logits, "logits")

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> constraints.Constraint:
        """Rows of k distinct categories, excluded ones included."""
        return supports.Ranking(self.param_shape[-1])

    def draw(self, shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        """Draw the categories of the k largest perturbed logits."""
        logits = self.unnormalised.expand(shape[:-1] + self.param_shape[-1:])
        return top_k(perturb(logits, gumbel_like(logits, generator=generator)), self.k)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability of rankings, :func:`gumbel_tutorial.gumbel_max.top_k_log_prob`."""
        if self._validate_args:
            self._validate_sample(value)
        log_prob = plackett_luce_log_prob(widen(self.unnormalised), value.long())
        return cast(log_prob, self.unnormalised.dtype)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all rankings on a new first axis, in the order of their categories.

        Raises:
            ValueError: there are more than a million.
        """
        count = perm(self.param_shape[-1], self.k)
        if count > _MOST:
            refuse("the number of rankings", f"be at most {_MOST} to be listed", count)
        rows = list(permutations(range(self.param_shape[-1]), self.k))
        rankings = torch.tensor(rows, device=self.unnormalised.device)
        rankings = rankings.reshape(count, *[1] * len(self._batch_shape), self.k)
        return (
            rankings.expand(count, *self._batch_shape, self.k) if expand else rankings
        )

    @property
    def mode(self) -> Tensor:
        """The k most probable categories, the most probable first."""
        return top_k(self.unnormalised, self.k)
