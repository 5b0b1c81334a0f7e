"""Where the fused kernels take over: plain tensors on a CUDA device, if Triton is there to compile for it."""

import sys
from functools import cache
from importlib import import_module, util
from typing import Any

from gumbel_tutorial.arrays import Array, is_traced


def kernels_for(array: Array, axis: int = -1) -> Any:
    """Return :mod:`gumbel_tutorial.kernels` if it takes an array with its categories on an axis, else None.

    Not while torch compiles, traces, fakes or maps what runs, since it cannot look into a kernel.
    """
    if not is_on_gpu(array) or not _has_triton():
        return None
    torch = sys.modules["torch"]
    if (
        is_traced()
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._functorch.peek_interpreter_stack() is not None
    ):
        return None
    kernels = import_module("gumbel_tutorial.kernels")
    return kernels if kernels.can_run(array, axis) else None


def is_on_gpu(value: Any) -> bool:
    """Tell whether something is a tensor on a GPU of NVIDIA; torch names those of AMD alike."""
    on_gpu = getattr(value, "is_cuda", False)
    return on_gpu and sys.modules["torch"].version.cuda is not None


@cache
def _has_triton() -> bool:
    return util.find_spec("triton") is not None
