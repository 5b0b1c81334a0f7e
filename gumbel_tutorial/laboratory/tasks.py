r"""Losses to be minimised in the logits, each with its exact expectation however many its states are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from gumbel_tutorial import estimators
from gumbel_tutorial.estimators.protocol import Estimator
from gumbel_tutorial.laboratory.problems import Problem, network
from gumbel_tutorial.laboratory.sequences import stepwise


@dataclass(frozen=True)
class Task:
    r"""A problem, its logits the start, and the objective.

    Attributes:
        problem: the loss f and the logits to start from.
        expected: logits ``(..., *shape)`` to $\mathbb E f$, ``(...)``, exact and differentiable.
        length: of a sequence of dependent variables, whose logits are a table; None of independent ones.
    """

    problem: Problem
    expected: Callable[[torch.Tensor], torch.Tensor]
    length: int | None = None

    def applied(self, estimator: Estimator) -> Estimator:
        """Return an estimator for one variable as it is applied here: to a sequence, step by step."""
        return estimator if self.length is None else stepwise(estimator, self.length)


def of_network(variables: int, num_categories: int, *, seed: int) -> Task:
    """Return the task of :func:`~gumbel_tutorial.laboratory.problems.network`, few states enough to sum over.

    Args:
        variables: the number of variables, N.
        num_categories: the number of categories, K.
        seed: of the network.

    Examples:
        >>> task = of_network(3, 4, seed=5)
        >>> task.expected(task.problem.logits.expand(2, 3, 4)).shape
        torch.Size([2])
    """
    problem = network(variables, num_categories, seed=seed)
    return Task(problem, lambda logits: estimators.exact(problem.f, logits))


def of_sequence(length: int, num_categories: int, *, seed: int) -> Task:
    """Return the task of the same network when each variable is drawn from logits that the last one chose.

    Args:
        length: the number of variables, T.
        num_categories: the number of categories, K.
        seed: of the network and of the table, ``(K + 1, K)``.

    Examples:
        >>> task = of_sequence(3, 4, seed=5)
        >>> task.expected(task.problem.logits).shape
        torch.Size([])
    """
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(
        num_categories + 1, num_categories, dtype=torch.float64, generator=generator
    )
    f = network(length, num_categories, seed=seed).f
    whole = stepwise(estimators.exact, length)
    return Task(Problem(f, table / 2), lambda logits: whole(f, logits), length)


def of_sums(
    variables: int, num_categories: int, *, seed: int, units: int = 8, most: int = 3
) -> Task:
    r"""Return a task of many variables whose expectation is a convolution.

    $f(z) = \sum_hc_h\tanh\big(\frac12(s_h - m_h)\big)$ with the sums $s_h = \sum_na_{hn}\cdot z_n$ of whole
    numbers $a_{hnk}$ from 0 to ``most``, drawn at random as $c_h$ is, and $m_h$ the mean of $s_h$ at equal
    probabilities. The law of $s_h$ is the convolution of those of its terms, so that $\mathbb E f$ costs no
    sum over the $K^N$ states.

    Args:
        variables: the number of variables, N.
        num_categories: the number of categories, K.
        seed: of the weights and of the logits.
        units: how many sums.
        most: the largest weight.

    Examples:
        >>> task = of_sums(10, 10, seed=1)
        >>> task.expected(task.problem.logits).shape
        torch.Size([])
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (units, variables, num_categories)
    weights = torch.randint(0, most + 1, shape, generator=generator).double()
    outer = torch.randn(units, dtype=torch.float64, generator=generator)
    logits = torch.randn(shape[1:], dtype=torch.float64, generator=generator) / 2
    middle = weights.mean(-1).sum(-1)

    def readout(sums: torch.Tensor) -> torch.Tensor:
        return torch.tanh((sums - middle) / 2)

    def f(sample: torch.Tensor) -> torch.Tensor:
        sums = torch.einsum("...nk,hnk->...h", sample, weights.to(sample))
        return readout(sums) @ outer

    def expected(logits: torch.Tensor) -> torch.Tensor:
        law = law_of_sums(logits.softmax(-1), weights, most)
        values = readout(torch.arange(law.shape[-1])[:, None].to(logits))
        return torch.einsum("...hs,sh,h->...", law, values, outer)

    return Task(Problem(f, logits), expected)


def law_of_sums(probs: torch.Tensor, weights: torch.Tensor, most: int) -> torch.Tensor:
    r"""Return the law of $\sum_na_{hn}\cdot z_n$ for each h; nothing is checked.

    Args:
        probs: ``(..., N, K)``.
        weights: whole numbers from 0 to ``most``, ``(H, N, K)``.
        most: the largest weight.

    Returns:
        Shape ``(..., H, N * most + 1)``.
    """
    values = torch.arange(most + 1)
    chosen = (weights[..., None] == values).to(probs)
    # The law of each term: (..., H, N, most + 1).
    terms = torch.einsum("...nk,hnkv->...hnv", probs, chosen)
    law = torch.ones_like(terms[..., 0, :1])
    for term in terms.unbind(-2):
        size = law.shape[-1] + most
        shifted = [
            torch.nn.functional.pad(law, (v, size - law.shape[-1] - v))
            for v in range(most + 1)
        ]
        law = (torch.stack(shifted, -1) * term[..., None, :]).sum(-1)
    return law


TASKS: Mapping[str, Task] = {
    "1 × 100": of_network(1, 100, seed=5),
    "10 × 10": of_sums(10, 10, seed=5),
    "network": of_network(5, 4, seed=5),
    "sequence": of_sequence(5, 4, seed=5),
}
