r"""Sequences of dependent variables: any estimator for one variable, nested step by step, and whole paths.

The law is a Markov chain of T steps: $z_1\sim\mathrm{softmax}(\ell_0)$ and
$z_t\sim\mathrm{softmax}\big(\sum_jz_{t-1,j}\ell_j\big)$, the same table $\ell$ at every step. Row 0 has the
logits of the first step, row j those after category j; after a relaxed sample the rows are mixed by it.
"""

from typing import Any

import torch

from gumbel_tutorial.checks import check_count, refuse
from gumbel_tutorial.estimators.protocol import (
    Estimator,
    Losses,
    check_arguments,
    draw,
    evaluate,
    log_prob_each,
    repeat,
)
from gumbel_tutorial.estimators.score_function import less_others
from gumbel_tutorial.nn.hard import carry


def stepwise(estimator: Estimator, length: int) -> Estimator:
    r"""Return an estimator for sequences: the one given at every step, its loss the estimate of what follows.

    At step t its function is $z_t\mapsto\hat F_t(z_1,\dots,z_t)$, itself an estimate with noise of its own at
    every point at which it is asked for, and $\hat F_T = f$. Where the estimator is linear in the values and
    slopes of f and unbiased, so is the sequence's. Cost: where it evaluates f at e points, $e^T$ evaluations;
    :func:`~gumbel_tutorial.estimators.enumeration.exact` has the exact gradient as a sum over $K^T$ paths.

    Args:
        estimator: one for a single variable, such as those of ``estimators.ESTIMATORS``.
        length: T, at least 1.

    Returns:
        An estimator ``(f, table, *, generator=None, **options)``, where f takes paths ``(..., T, K)`` to
        losses, the table has shape ``(..., K + 1, K)``, and the options are those of the estimator given.

    Raises:
        ValueError: a length below 1; a table of another shape; as the estimator.

    Examples:
        >>> from gumbel_tutorial import estimators
        >>> table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> loss = stepwise(estimators.exact, 3)(lambda path: path[..., 0].prod(-1), table)
        >>> round(loss.item(), 4)  # a half, and twice e / (1 + e)
        0.2672
    """
    length = check_count(length, "length", 1)

    def nested(
        f: Losses,
        table: torch.Tensor,
        *,
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> torch.Tensor:
        _check_table(table)

        def onward(path: tuple[torch.Tensor, ...]) -> torch.Tensor:
            if len(path) == length:
                # A step that was asked for at several points has more leading axes than those before it.
                return f(torch.stack([z.expand_as(path[-1]) for z in path], -2))
            return estimator(
                lambda sample: onward((*path, sample)),
                following_logits(table, path[-1] if path else None),
                generator=generator,
                **options,
            )

        return onward(())

    return nested


def rloo_of_paths(
    f: Losses,
    table: torch.Tensor,
    *,
    length: int,
    generator: torch.Generator | None = None,
    num_samples: int = 2,
) -> torch.Tensor:
    r"""Estimate by leave-one-out of whole paths, $\frac1n\sum_i(f(z^i) - \bar f_{-i})\nabla\log p(z^i)$.

    $\log p(z) = \sum_t\log p(z_t\mid z_{t-1})$, and $\bar f_{-i}$ is the mean loss of the other paths. A path
    counts as one draw of one variable of $K^T$ categories, as an answer does in the training of a language
    model.
    Source: Kool, van Hoof and Welling (2019), whose paths are routes.
    Unbiased. Cost: n evaluations of f, no derivative of f.

    Args:
        f: paths ``(n, ..., T, K)`` to losses ``(n, ...)``; may be any function of the discrete path.
        table: shape ``(..., K + 1, K)``.
        length: T, at least 1.
        generator: draws the paths.
        num_samples: n, at least 2.

    Returns:
        Mean losses of the batch shape.

    Raises:
        ValueError: as :func:`stepwise`; ``num_samples`` below 2.

    Examples:
        >>> rloo_of_paths(lambda path: path[..., 0].sum(-1), torch.zeros(5, 4, 3), length=2).shape
        torch.Size([5])
    """
    length = check_count(length, "length", 1)
    _check_table(table)
    table = repeat(
        check_arguments(table, generator), check_count(num_samples, "num_samples", 2)
    )
    path: list[torch.Tensor] = []
    score = table.new_zeros(())
    for _ in range(length):
        logits = following_logits(table, path[-1] if path else None)
        path.append(draw(logits, generator))
        score = score + log_prob_each(logits, path[-1])
    losses = evaluate(f, torch.stack(path, -2), several=True)
    return carry(losses, less_others(losses) * score).mean(0)


def following_logits(
    table: torch.Tensor, previous: torch.Tensor | None
) -> torch.Tensor:
    """Return the logits after a sample, hard or relaxed, or of the first step; nothing is checked."""
    if previous is None:
        return table[..., 0, :]
    return (previous[..., None] * table[..., 1:, :]).sum(-2)


def _check_table(table: torch.Tensor) -> None:
    if table.ndim < 2 or table.shape[-2] != table.shape[-1] + 1:
        refuse("table", "have shape (..., K + 1, K)", f"shape {tuple(table.shape)}")
