"""Bytes that operations of torch move through memory, counted while they run.

Every operation that is not a view reads its tensors once and writes its result once: what eager code costs
where arithmetic is cheap and no cache holds an array. The work inside one operation is not seen.
"""

import math
from collections.abc import Callable
from typing import Any

from gumbel_tutorial.checks import needing

with needing(__name__, "torch"):
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

# These take a tensor for its shape, or to write it, and read none of it.
_READ_NOTHING = ("zeros_like", "ones_like", "rand_like", "exponential_", "uniform_")
_MOVE_NOTHING = ("empty", "empty_like", "new_empty")


def bytes_moved(function: Callable[[], Any]) -> dict[str, int]:
    """Return the bytes that a call of the function moves, by the name of the operation, in their order.

    Args:
        function: called once, without arguments.

    Examples:
        >>> array = torch.zeros(1000)
        >>> bytes_moved(lambda: array.exp().add_(array))  # float32: 4 bytes each
        {'exp': 8000, 'add_': 12000}
    """
    with _Counter() as counter:
        function()
    return counter.bytes_of


class _Counter(TorchDispatchMode):
    """Counts what passes torch's dispatcher."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes_of: dict[str, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        number = 0 if _is_view(func) else _moved(name, _tensors(args), _tensors(result))
        if number:
            self.bytes_of[name] = self.bytes_of.get(name, 0) + number
        return result


def _is_view(func: Any) -> bool:
    """Tell whether the result of an operation shares its argument's memory, unwritten."""
    aliases = [result.alias_info for result in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in aliases)


def _moved(name: str, arguments: list[Any], results: list[Any]) -> int:
    if name in _MOVE_NOTHING:
        return 0
    if name == "scatter_":  # reads its places and writes as many
        arguments, results = arguments[1:], [arguments[0].new_empty(arguments[1].shape)]
    reads = [] if name in _READ_NOTHING else arguments
    return sum(math.prod(t.shape) * t.itemsize for t in [*reads, *results])


def _tensors(values: Any) -> list[Any]:
    each = values if isinstance(values, (tuple, list)) else [values]
    return [value for value in each if isinstance(value, torch.Tensor)]
