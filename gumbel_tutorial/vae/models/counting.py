"""How many rows a network is run on: what an estimator costs, counted where it is paid."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Rows:
    """How many rows of outputs a network has returned so far."""

    count: int = 0


@contextmanager
def counted_rows(network: nn.Module) -> Iterator[Rows]:
    """Count the rows of outputs that a network returns meanwhile, over all calls.

    An image decoded once for each of K classes counts K rows. Rows that only tell a shape, of which there are
    none, count none.

    Args:
        network: returns outputs ``(..., outputs)``; a compiled one is counted as well.

    Yields:
        The count, which grows.

    Examples:
        >>> network = nn.Linear(3, 2)
        >>> with counted_rows(network) as rows:
        ...     _ = network(torch.zeros(5, 4, 3)), network(torch.zeros(3))
        >>> _ = network(torch.zeros(7, 3))
        >>> rows.count
        21
    """
    rows = Rows()

    def add(network: nn.Module, inputs: object, outputs: torch.Tensor) -> None:
        del network, inputs
        rows.count += outputs.shape[:-1].numel()

    handle = network.register_forward_hook(add)
    try:
        yield rows
    finally:
        handle.remove()
