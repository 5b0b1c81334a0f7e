"""One-hot vectors that carry the derivative of something else."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch.overrides import handle_torch_function, has_torch_function

from gumbel_tutorial.checks import check_logits
from gumbel_tutorial.nn.arguments import category_dim, check_dense

F = TypeVar("F", bound=Callable[..., Any])


def overridable(function: F) -> F:
    """Let tensor-like types and modes of torch take the call over, as they can for torch's own functions."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        tensors = (*args, *kwargs.values())
        if has_torch_function(tensors):
            return handle_torch_function(call, tensors, *args, **kwargs)
        return function(*args, **kwargs)

    return cast(F, call)


def carry(value: torch.Tensor, path: torch.Tensor) -> torch.Tensor:
    r"""Return ``value`` with the derivative of ``path`` added to its own: $v + (p - \mathrm{stopgrad}(p))$.

    The bracket is exactly 0, so the value is exact.
    Source: Hinton (2012), lecture 15b; Bengio, Léonard and Courville (2013), section 4.

    Examples:
        >>> path = torch.tensor(2.0, requires_grad=True)
        >>> carried = carry(torch.tensor(5.0), path)
        >>> carried.backward()
        >>> carried.item(), path.grad.item()
        (5.0, 1.0)
    """
    return value + (path - path.detach())


def one_hot(values: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """Return the one-hot vector of the largest entry along ``dim``, without a derivative."""
    values = values.detach()
    index = values.argmax(dim, keepdim=True)
    return torch.zeros_like(values).scatter(dim, index, 1.0)


@overridable
def harden(relaxed: torch.Tensor, dim: int = -1) -> torch.Tensor:
    r"""Return the one-hot vector of the largest entry, with the derivative of ``relaxed``; it draws nothing.

    $z + (y - \mathrm{stopgrad}(y))$, the deterministic half of a straight-through sample: of probabilities it
    is their mode and no draw, for which there is :func:`straight_through`.
    Source: Jang, Gu and Poole (2017), section 2.2.

    Args:
        relaxed: points of the simplex, any shape.
        dim: where the categories lie.

    Returns:
        The shape of ``relaxed``.

    Raises:
        TypeError: ``relaxed`` is not a dense floating tensor.
        ValueError: NaN, or no category at all; a ``dim`` that is not there.

    Examples:
        >>> harden(torch.tensor([0.2, 0.5, 0.3])).tolist()
        [0.0, 1.0, 0.0]
    """
    check_dense(relaxed, "relaxed")
    dim = category_dim(relaxed, dim, "relaxed")
    check_logits(relaxed, "relaxed", axis=dim)
    return carry(one_hot(relaxed, dim), relaxed)
