"""Where the fused kernels take over: plain tensors on a CUDA device, if Triton is there to compile for it."""

import sys
from functools import cache
from importlib import import_module, metadata
from typing import Any

from gumbel_tutorial.arrays import Array, is_transformed


def kernels_for(array: Array, axis: int = -1) -> Any:
    """Return :mod:`gumbel_tutorial.kernels` if it takes an array with its categories on an axis, else None.

    Not while torch compiles, traces, fakes or maps what runs, since it cannot look into a kernel.
    """
    if not is_on_gpu(array) or not _has_triton():
        return None
    if is_transformed():
        return None
    kernels = import_module("gumbel_tutorial.kernels")
    return kernels if kernels.can_run(array, axis) else None


def is_on_gpu(value: Any) -> bool:
    """Tell whether something is a plain tensor on a GPU of NVIDIA that the kernels are compiled for."""
    if not getattr(value, "is_cuda", False):
        return False
    torch = sys.modules["torch"]
    plain = type(value) in (torch.Tensor, torch.nn.Parameter)
    # torch names the GPUs of AMD alike.
    return plain and torch.version.cuda is not None and _is_recent(value.device)


@cache
def _is_recent(device: Any) -> bool:
    return bool(sys.modules["torch"].cuda.get_device_capability(device) >= (8, 0))


@cache
def _has_triton() -> bool:
    """Tell whether Triton is there, and not an older one that came with torch."""
    try:
        major, minor = metadata.version("triton").split(".")[:2]
    except metadata.PackageNotFoundError:
        return False
    return (int(major), int(minor)) >= (3, 5)
